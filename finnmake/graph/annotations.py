"""Annotations of tensors, text by key: ONNX ``quantization_annotation``, as qonnx and FINN read and write it."""

from __future__ import annotations

import onnx_ir as ir

_ANNOTATION = "quant_parameter_tensor_names"


def get_annotation(value: ir.Value, key: str) -> str | None:
    """The text that a tensor is annotated with under a key, None where there is none."""
    text = (value.meta.get(_ANNOTATION) or {}).get(key)
    return None if text is None else str(text)


def set_annotation(value: ir.Value, key: str, text: str) -> None:
    """Annotates a tensor; the dictionary is replaced, as clones of a graph share it."""
    value.meta[_ANNOTATION] = {**(value.meta.get(_ANNOTATION) or {}), key: text}
