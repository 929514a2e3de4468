"""The automatic flow: which transformations make hardware layers of an imported model."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from finnmake.errors import BuildFileError
from finnmake.transformation.base import Transformation
from finnmake.transformation.library import TRANSFORMATIONS

AUTOMATIC_FLOW: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("Streamline", {}),
    ("LowerToChannelsLast", {}),
    ("ConvertBipolarMatMulToXnorPopcount", {}),
    ("InsertTopK", {}),
    ("AbsorbScalarMulAddIntoTopK", {}),
    ("RoundAndClipThresholds", {}),
    ("InferStreamDataTypes", {}),
    ("InferLookupLayer", {}),
    ("InferPool", {}),
    ("InferVectorVectorActivation", {}),
    ("InferGlobalAccPoolLayer", {}),
    ("InferConvInpGen", {}),
    ("InferDepthToSpace", {}),
    ("InferFMPadding", {}),
    ("InferUpsample", {}),
    ("InferConcatLayer", {}),
    ("InferSplitLayer", {}),
    ("InferCrop", {}),
    ("InferAddStreamsLayer", {}),
    ("InferElementwiseBinaryOperation", {}),
    ("InferBinaryMatrixVectorActivation", {}),
    ("InferQuantizedMatrixVectorActivation", {}),
    ("InferThresholdingLayer", {}),
    ("InferRequantLayer", {}),
    ("InferLabelSelectLayer", {}),
    ("InferShuffle", {}),
    ("CreateDataflowPartition", {}),
)
"""From an imported model to unfolded hardware layers; leave out InsertTopK where the scores themselves are wanted."""

AS_FAR_AS_IT_GOES = AUTOMATIC_FLOW[:-1]
"""The same without CreateDataflowPartition: ops on integers that no layer can be made of stay among the layers.

The graph computes what the streamlined one does, bit for bit, also on inputs with channels first: a Transpose behind
the input turns them.
"""


def make_transformation(name: str, arguments: Mapping[str, Any]) -> Transformation:
    """A transformation by its name.

    Args:
        name: as in ``TRANSFORMATIONS``, or ``package.module:Class``.
        arguments: of its constructor.

    Raises:
        BuildFileError: for a name or an argument that there is not.
    """
    kind = TRANSFORMATIONS.get(name) or _imported(name)
    if kind is None:
        known = ", ".join(TRANSFORMATIONS)
        raise BuildFileError(f"no transformation is called {name!r}", remedy=f"Known: {known}.")
    try:
        return kind(**arguments)
    except TypeError as problem:
        raise BuildFileError(f"wrong arguments: {problem}", where=f"transformation {name}") from None


def _imported(name: str) -> type[Transformation] | None:
    """A transformation from elsewhere, None where there is none of this name."""
    module, _, kind = name.partition(":")
    if not kind:
        return None
    try:
        found = getattr(importlib.import_module(module), kind, None)
    except ImportError:
        return None
    return found if isinstance(found, type) and issubclass(found, Transformation) else None
