"""Transformations: pure functions from a model to a model, one file each.

``from finnmake.transformation import InferShapes, absorb`` finds each by its name, whatever folder its file is in:
``general`` (any ONNX graph), ``streamline`` (floats out, integers in), ``absorb``, ``reorder``, ``to_hls`` (hardware
layers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finnmake.transformation.absorb import *  # noqa: F403
    from finnmake.transformation.apply_config import ApplyConfig as ApplyConfig
    from finnmake.transformation.apply_folding import ApplyFolding as ApplyFolding
    from finnmake.transformation.base import Rewrite as Rewrite
    from finnmake.transformation.base import Transformation as Transformation
    from finnmake.transformation.general import *  # noqa: F403
    from finnmake.transformation.reorder import *  # noqa: F403
    from finnmake.transformation.streamline import *  # noqa: F403
    from finnmake.transformation.to_hls import *  # noqa: F403


def __getattr__(name: str) -> object:
    # On demand: a module that needs one transformation does not depend on all of them.
    if not name.startswith("_"):
        from finnmake.transformation.base import Rewrite, Transformation
        from finnmake.transformation.library import TRANSFORMATIONS

        bases: dict[str, object] = {"Rewrite": Rewrite, "Transformation": Transformation}
        found = bases.get(name) or TRANSFORMATIONS.get(name)
        if found is not None:
            return found
    raise AttributeError(f"module 'finnmake.transformation' has no attribute {name!r}")
