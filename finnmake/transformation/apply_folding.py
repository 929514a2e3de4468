"""ApplyFolding: a user's folding, checked and written into the layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from finnmake.errors import FoldingError
from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import (
    CHOICES,
    FOLDING,
    SWITCHES,
    align_depthwise_windows,
    divisors,
    folding_size,
    is_hardware,
)
from finnmake.transformation.layer_table import read_layer_table

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
    "AddStreams": "ElementwiseAdd",
    "AddStreams_Batch": "ElementwiseAdd",
    "DuplicateStreams": "DuplicateStreams",
    "DuplicateStreams_Batch": "DuplicateStreams",
    "GlobalAccPool_Batch": "GlobalAccPool",
    "Pool_Batch": "Pool",
    "FMPadding_Batch": "FMPadding",
    "Vector_Vector_Activate_Batch": "VectorVectorActivation",
}
_FINN_NAME = re.compile(r"(.+?)(?:_hls|_rtl)?_(\d+)")
_NO_LAYERS = frozenset({"Reshape", "Flatten", "Transpose", "StreamingFIFO", "StreamingDataWidthConverter"})
"""Nodes of FINN's folding files that are no folded layers here: they vanish, or follow from the folding."""
_NO_ATTRIBUTES = frozenset(
    {
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


_FUNCTION = frozenset({"mode", "rhs_style", "rounding"})
"""Attributes with choices that say what a layer computes: not a folding's business."""
_CHOSEN = {
    name: tuple(dict.fromkeys(value for table in CHOICES.values() for value in table.get(name, ())))
    for name in {entry for table in CHOICES.values() for entry in table} - _FUNCTION
}
"""Of attributes with choices, what any layer may have."""
_ATTRIBUTES = frozenset(_CHOSEN) | {name for table in (*FOLDING.values(), *SWITCHES.values()) for name in table}
"""What a folding may say of any layer."""
_OP_TYPES = frozenset(_FINN_NAMES) | frozenset(_FINN_NAMES.values()) | _NO_LAYERS | FOLDING.keys() | CHOICES.keys()
"""That defaults may be for: our op types, and FINN's that have a counterpart here or need none."""
_ALL = "all"
_MOST_SHOWN = 20


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
        self._folding: Mapping[str, Mapping[str, Any]] = read_layer_table(file) if file is not None else folding or {}

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        layers = {str(node.name): node for node in model.graph if is_hardware(node)}
        ignored: list[str] = []
        problems: list[FoldingError] = []
        for name, value in _table(self._folding.get("Defaults", {}), "Defaults").items():
            if name in _NO_ATTRIBUTES:
                ignored.append(f"Defaults.{name}")
                continue
            try:
                for plain, kinds in _defaults(name, value):
                    for node in layers.values():
                        if name in _settable(node) and (kinds is None or node.op_type in kinds):
                            _set(node, name, plain)
            except FoldingError as problem:
                problems.append(problem)
        for name, values in self._folding.items():
            if name == "Defaults":
                continue
            try:
                found = _find(name, layers)
            except FoldingError as problem:
                problems.append(problem)
                continue
            if found is None:
                ignored.append(name)
                continue
            for key, value in _table(values, f"layer {name}").items():
                if key in _NO_ATTRIBUTES:
                    ignored.append(f"{name}.{key}")
                    continue
                try:
                    _set(found, key, value)
                except FoldingError as problem:
                    problems.append(problem)
        _refuse(problems)
        align_depthwise_windows(model.graph)
        if ignored:
            more = [f"and {len(ignored) - _MOST_SHOWN} more"] if len(ignored) > _MOST_SHOWN else []
            shown = ", ".join([*sorted(ignored)[:_MOST_SHOWN], *more])
            model.set_metadata_prop(NOTE_KEY, f"ignored of the folding, as it has no counterpart here: {shown}")


def folding_of(graph: ir.Graph) -> dict[str, dict[str, int | str]]:
    """The folding of all layers, as ``ApplyFolding`` takes it: layer -> attribute -> value."""
    folding: dict[str, dict[str, int | str]] = {}
    for node in graph:
        names = _settable(node) if is_hardware(node) and node.op_type in FOLDING else []
        values = {name: attribute(node, name) for name in names}
        if values:
            folding[str(node.name)] = {name: value for name, value in values.items() if value is not None}
    return folding


def finn_op_type(name: str) -> str:
    """Our op type for FINN's, without its ``_hls`` or ``_rtl``; the same where the names are."""
    return _FINN_NAMES.get(name, name)


def _refuse(problems: list[FoldingError]) -> None:
    """Raises what is wrong with a folding, all of it at once."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        shown = [f"{problem.where}: {problem.what}. {problem.remedy}" for problem in problems[:_MOST_SHOWN]]
        more = [f"and {len(problems) - _MOST_SHOWN} more"] if len(problems) > _MOST_SHOWN else []
        raise FoldingError(
            f"{len(problems)} entries cannot be applied", where="folding", remedy="\n  ".join([*shown, *more])
        )


def _table(values: object, where: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise FoldingError(
            f"its folding is {values!r}, not a table of attributes",
            where=where,
            remedy='Say {"attribute": value, ..}, for example {"PE": 2}.',
        )
    return values


def _defaults(name: str, value: Any) -> list[tuple[Any, frozenset[str] | None]]:
    """The values of a default, in order, each with the op types that it is for; None for all.

    FINN writes ``[value, [op types], value, [op types], ..]`` and ``[value, "all"]``; a plain value is for all.

    Raises:
        FoldingError: an attribute or an op type that there is not, a value that no layer takes.
    """
    if name not in _ATTRIBUTES:
        raise FoldingError(
            f"no layer has an attribute {name!r}",
            where="Defaults",
            remedy=f"There are {', '.join(sorted(_ATTRIBUTES))}.",
        )
    parts = value if isinstance(value, list | tuple) else [value, _ALL]
    if not parts or len(parts) % 2:
        raise FoldingError(
            f"{name} = {value!r}", where="Defaults", remedy='Say a value, or [value, ["op type", ..], value, [..], ..].'
        )
    defaults = []
    for plain, kinds in zip(parts[::2], parts[1::2], strict=True):
        _check_choice(name, plain, "Defaults")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not isinstance(kinds, list | tuple) or not all(isinstance(kind, str) for kind in kinds):
            raise FoldingError(
                f"{name} = {value!r}: {kinds!r} are no op types",
                where="Defaults",
                remedy='Say ["op type", ..] or "all".',
            )
        plain_kinds = [re.sub("_(hls|rtl)$", "", kind) for kind in kinds if kind != _ALL]
        if unknown := [kind for kind in plain_kinds if kind not in _OP_TYPES]:
            raise FoldingError(
                f"{name}: no layer is of the op type {', '.join(unknown)}",
                where="Defaults",
                remedy=f"There are {', '.join(sorted(_OP_TYPES))}.",
            )
        defaults.append((plain, None if _ALL in kinds else frozenset(map(finn_op_type, plain_kinds))))
    return defaults


def _check_choice(name: str, value: Any, where: str) -> None:
    """Refuses a value that no layer takes, of an attribute with choices."""
    if name in _CHOSEN and value not in _CHOSEN[name]:
        raise FoldingError(f"{name} = {value!r}", where=where, remedy=f"Legal values: {', '.join(_CHOSEN[name])}.")


def _find(name: str, layers: Mapping[str, ir.Node]) -> ir.Node | None:
    """The layer of a name; None for a node of FINN that is no layer here.

    Raises:
        FoldingError: for any other name.
    """
    if name in layers:
        return layers[name]
    match = _FINN_NAME.fullmatch(name)
    if match:
        translated = f"{finn_op_type(match[1])}_{match[2]}"
        if translated in layers:
            return layers[translated]
        if match[1] in _NO_LAYERS:
            return None
        kind = finn_op_type(match[1])
        same = [layer for layer, node in layers.items() if node.op_type == kind]
        if same:
            known = ", ".join(same) if len(same) <= 3 else f"{same[0]} to {same[-1]}"
            raise FoldingError(
                f"no layer is called {name!r}", where="folding", remedy=f"There are {len(same)} {kind}: {known}."
            )
    raise FoldingError(f"no layer is called {name!r}", where="folding", remedy=f"The layers: {', '.join(layers)}.")


def _settable(node: ir.Node) -> list[str]:
    choices = (name for name in CHOICES.get(node.op_type, {}) if name not in _FUNCTION)
    return [*FOLDING.get(node.op_type, {}), *choices, *SWITCHES.get(node.op_type, ())]


def _set(node: ir.Node, name: str, value: Any) -> None:
    where = f"layer {node.name}"
    size_name = FOLDING.get(node.op_type, {}).get(name)
    choices = CHOICES.get(node.op_type, {}).get(name) if name not in _FUNCTION else None
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
    elif name in _CHOSEN:
        # FINN's files give memory styles to layers without a choice.
        _check_choice(name, value, where)
    else:
        raise FoldingError(
            f"has no attribute {name!r}", where=where, remedy=f"Its attributes: {', '.join(_settable(node))}."
        )
