"""Data layouts: which dimension of a tensor means what, kept with the tensor as qonnx keeps it.

A layout is a tuple of dimension names. It is written as ``quantization_annotation`` with the key ``tensor_layout``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import onnx_ir as ir

from finnmake.graph.annotations import get_annotation, set_annotation

Layout = tuple[str, ...]

NHWC: Layout = ("N", "H", "W", "C")
NCHW: Layout = ("N", "C", "H", "W")
NCW: Layout = ("N", "C", "W")
NWC: Layout = ("N", "W", "C")
NC: Layout = ("N", "C")
UNKNOWN: Layout = ()

_LAYOUT_KEY = "tensor_layout"


def is_channels_last(layout: Layout) -> bool:
    """True where the innermost dimension is the channels."""
    return layout[-1:] == ("C",)


def get_layout(value: ir.Value) -> Layout | None:
    """The annotated layout of a tensor, None where there is none, ``UNKNOWN`` where it was looked for in vain."""
    text = get_annotation(value, _LAYOUT_KEY)
    return None if text is None else tuple(re.findall(r"'(\w+)'", text))


def set_layout(value: ir.Value, layout: Sequence[str]) -> None:
    """Annotates a tensor."""
    set_annotation(value, _LAYOUT_KEY, str(list(layout)))
