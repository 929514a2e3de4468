"""Annotations of tensors, text by key: ONNX ``quantization_annotation``, as qonnx and FINN read and write it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from finnmake.errors import ModelError

_ANNOTATION = "quant_parameter_tensor_names"
_SPARSITY_KEY = "tensor_sparsity"


def get_annotation(value: ir.Value, key: str) -> str | None:
    """The text that a tensor is annotated with under a key, None where there is none."""
    text = (value.meta.get(_ANNOTATION) or {}).get(key)
    return None if text is None else str(text)


def set_annotation(value: ir.Value, key: str, text: str | None) -> None:
    """Annotates a tensor, or takes the annotation away; the dictionary is replaced, as clones of a graph share it."""
    others = {name: entry for name, entry in (value.meta.get(_ANNOTATION) or {}).items() if name != key}
    value.meta[_ANNOTATION] = others if text is None else {**others, key: text}


def copy_annotations(source: ir.Value, target: ir.Value) -> None:
    """Annotates a tensor with all that another one is annotated with."""
    target.meta[_ANNOTATION] = {**(target.meta.get(_ANNOTATION) or {}), **(source.meta.get(_ANNOTATION) or {})}


def get_sparsity(value: ir.Value) -> dict[str, Any] | None:
    """The annotated sparsity of a tensor, for example ``{"dw": {"kernel_shape": [3, 3]}}``; None where there is none.

    Raises:
        ModelError: where the annotation is not a dictionary of plain values.
    """
    text = get_annotation(value, _SPARSITY_KEY)
    if text is None:
        return None
    try:
        sparsity = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        sparsity = None
    if not isinstance(sparsity, dict):
        raise ModelError(
            f"its sparsity {text[:80]!r} is no dictionary",
            where=f"tensor {value.name}",
            remedy="Remove the annotation.",
        )
    return sparsity


def set_sparsity(value: ir.Value, sparsity: Mapping[str, Any]) -> None:
    """Annotates a tensor's sparsity, as qonnx writes it."""
    set_annotation(value, _SPARSITY_KEY, str(dict(sparsity)))
