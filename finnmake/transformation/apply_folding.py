"""ApplyFolding: a user's folding, checked and written into the layers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir

from finnmake.errors import FoldingError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite
from finnmake.transformation.to_hls.hardware import (
    CHOICES,
    FOLDING,
    SWITCHES,
    align_depthwise_windows,
    divisors,
    folding_size,
    is_hardware,
)

_FINN_NAMES = {
    "MVAU": "MatrixVectorActivation",
    "StreamingFCLayer_Batch": "MatrixVectorActivation",
    "MatrixVectorActivation": "MatrixVectorActivation",
    "Thresholding": "Thresholding",
    "Thresholding_Batch": "Thresholding",
    "LabelSelect": "LabelSelect",
    "LabelSelect_Batch": "LabelSelect",
    "ConvolutionInputGenerator": "ConvolutionInputGenerator",
    "FMPadding": "FMPadding",
    "VVAU": "VectorVectorActivation",
    "VectorVectorActivation": "VectorVectorActivation",
    "Pool": "Pool",
    "GlobalAccPool": "GlobalAccPool",
}
_FINN_NAME = re.compile(r"(.+?)(?:_hls|_rtl)?_(\d+)")
_NO_LAYERS = frozenset({"Reshape", "Flatten", "Transpose", "StreamingFIFO", "StreamingDataWidthConverter"})
"""Nodes of FINN's folding files that are no folded layers here: they vanish, or follow from the folding."""
_NO_ATTRIBUTES = frozenset(
    {
        "mem_mode",
        "runtime_writeable_weights",
        "impl_style",
        "inFIFODepths",
        "outFIFODepths",
        "depth_trigger_uram",
        "depth_trigger_bram",
    }
)
"""Attributes of FINN's folding files that have no meaning here."""
NOTE_KEY = "finnmake.folding_note"


class ApplyFolding(Rewrite):
    """Sets PE, SIMD, ram_style, resType and parallel_window of layers by name.

    Args:
        folding: ``{layer name: {attribute: value}}``; ``"Defaults"`` applies to all layers that have the attribute.
            FINN's names (``MVAU_hls_0``, ``Thresholding_rtl_0``) are understood, so that a FINN folding file works.
        file: path of a JSON file that holds such a mapping, instead of ``folding``.

    Windows in depthwise order get as SIMD the PE of the layer that takes them, whatever the folding says.

    Precondition: ``CreateDataflowPartition``.
    Postcondition: same outputs. What a FINN file says of nodes that are no layers here is ignored, with a note in the
    metadata.

    Raises:
        FoldingError: a name that is no layer, an attribute that the layer does not have, a value that is not legal.
    """

    def __init__(self, folding: Mapping[str, Mapping[str, Any]] | None = None, *, file: str | None = None) -> None:
        self._folding: Mapping[str, Mapping[str, Any]] = _read(file) if file is not None else folding or {}

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        layers = {str(node.name): node for node in model.graph if is_hardware(node)}
        ignored: list[str] = []
        for name, value in _table(self._folding.get("Defaults", {}), "Defaults").items():
            # FINN writes a default as [value, [op types]]; a plain value is for all.
            typed = isinstance(value, list) and len(value) == 2 and isinstance(value[1], list)
            plain, kinds = (value[0], value[1]) if typed else (value, None)
            for node in layers.values():
                if name in _settable(node) and (
                    kinds is None or node.op_type in {_FINN_NAMES.get(k, k) for k in kinds}
                ):
                    _set(node, name, plain)
        for name, values in self._folding.items():
            if name == "Defaults":
                continue
            found = _find(name, layers)
            if found is None:
                ignored.append(name)
                continue
            for key, value in _table(values, f"layer {name}").items():
                if key in _NO_ATTRIBUTES:
                    ignored.append(f"{name}.{key}")
                else:
                    _set(found, key, value)
        align_depthwise_windows(model.graph)
        if ignored:
            model.set_metadata_prop(NOTE_KEY, "Ignored, as it has no counterpart here: " + ", ".join(sorted(ignored)))


def _table(values: object, where: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise FoldingError(f"its folding is {values!r}, not a table of attributes", where=where)
    return values


def _read(file: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as problem:
        raise FoldingError(f"cannot be read: {problem.strerror}", where=file) from None
    except ValueError as problem:
        raise FoldingError(f"is not JSON: {problem}", where=file) from None
    if not isinstance(content, dict):
        raise FoldingError("is not a table of layers", where=file)
    return content


def _find(name: str, layers: Mapping[str, ir.Node]) -> ir.Node | None:
    """The layer of a name; None for a node of FINN that is no layer here.

    Raises:
        FoldingError: for any other name.
    """
    if name in layers:
        return layers[name]
    match = _FINN_NAME.fullmatch(name)
    if match:
        translated = f"{_FINN_NAMES.get(match[1], match[1])}_{match[2]}"
        if translated in layers:
            return layers[translated]
        if match[1] in _NO_LAYERS:
            return None
    raise FoldingError(f"no layer is called {name!r}", where="folding", remedy=f"The layers: {', '.join(layers)}.")


def _settable(node: ir.Node) -> list[str]:
    return [*FOLDING.get(node.op_type, {}), *CHOICES.get(node.op_type, {}), *SWITCHES.get(node.op_type, ())]


def _set(node: ir.Node, name: str, value: Any) -> None:
    where = f"layer {node.name}"
    size_name = FOLDING.get(node.op_type, {}).get(name)
    choices = CHOICES.get(node.op_type, {}).get(name)
    if size_name is not None:
        size = folding_size(node, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1 or size % value:
            legal = ", ".join(str(divisor) for divisor in divisors(size))
            raise FoldingError(
                f"{name} = {value!r} does not divide {size_name} = {size}",
                where=where,
                remedy=f"Legal values: {legal}.",
            )
        node.attributes.add(ir.AttrInt64(name, value))
    elif choices is not None:
        if value not in choices:
            raise FoldingError(f"{name} = {value!r}", where=where, remedy=f"Legal values: {', '.join(choices)}.")
        node.attributes.add(ir.AttrString(name, value))
    elif name in SWITCHES.get(node.op_type, ()):
        if value not in (0, 1):
            raise FoldingError(f"{name} = {value!r}", where=where, remedy="Legal values: 0, 1.")
        node.attributes.add(ir.AttrInt64(name, int(value)))
    elif name in {entry for choice in CHOICES.values() for entry in choice}:
        return  # FINN's files give memory styles to layers without a choice
    else:
        raise FoldingError(
            f"has no attribute {name!r}", where=where, remedy=f"Its attributes: {', '.join(_settable(node))}."
        )
