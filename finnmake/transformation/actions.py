"""What worker processes run to transform a model: files in, files out, relative to the current directory."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finnmake.errors import BuildFileError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.tensor_files import FOLDER
from finnmake.transformation.base import Rewrite

_OUTPUT = Path("out/graph.onnx")


def transform(*, transformation: str, arguments: Mapping[str, Any]) -> None:
    """``in/graph.onnx`` by one transformation to ``out/graph.onnx`` and ``out/tensors/``.

    Args:
        transformation: ``package.module:Class``. The action names the module, so that its key has its sources.
        arguments: of its constructor.

    Raises:
        BuildFileError: there is no such class, it does not take the arguments, or gives something else than a model.
    """
    (_OUTPUT.parent / FOLDER).mkdir(parents=True, exist_ok=True)
    model = ModelWrapper(Path("in/graph.onnx"))
    module, _, name = transformation.partition(":")
    kind = getattr(importlib.import_module(module), name, None)
    if kind is None:
        raise BuildFileError(f"the module {module} has no {name}", where=f"transformation {transformation}")
    try:
        step = kind(**arguments)
    except TypeError as problem:
        raise BuildFileError(f"wrong arguments: {problem}", where=f"transformation {transformation}") from None
    if isinstance(step, Rewrite) and type(step).apply is Rewrite.apply:
        # Nobody else has the model: it needs no copy.
        step.rewrite(model)
        result: object = model
    else:
        result = step.apply(model)
    if not isinstance(result, ModelWrapper):
        raise BuildFileError(
            f"its apply gave a {type(result).__name__}",
            where=f"transformation {transformation}",
            remedy="Return the transformed ModelWrapper (FINN's own transformations return it with a flag).",
        )
    result.save(_OUTPUT)
