"""What a transformation did: the differences of two models, node by node and tensor by tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.report.node_matching import NodeMatching, attribute_text, graph_inputs

Change = tuple[Any, Any]
"""Before and after."""


@dataclass(frozen=True)
class NodeEntry:
    """A node that only one of the models has."""

    name: str
    op_type: str


@dataclass(frozen=True)
class NodeChange:
    """A node of both models that is not the same in them.

    Attributes:
        attributes: name -> values; None for an attribute that is not there.
        inputs: number of the input -> tensors that it comes from, where it comes from elsewhere although the node
            that made it is still there.
    """

    name: str
    op_type: str
    attributes: Mapping[str, Change]
    inputs: Mapping[str, Change]


@dataclass(frozen=True)
class TensorChange:
    """A tensor of both models with another shape or datatype; unchanged ones are None."""

    name: str
    shape: Change | None
    datatype: Change | None


@dataclass(frozen=True)
class InitialiserChange:
    """A constant input of a node of both models.

    Attributes:
        name: of the tensor in the second model.
        node: that uses it.
        shape: None where unchanged.
        datatype: None where unchanged.
        differing: number of values that differ; None where the shapes do.
        size: number of values.
        largest: largest absolute difference; None where the shapes differ or the values are no numbers.
    """

    name: str
    node: str
    shape: Change | None
    datatype: Change | None
    differing: int | None
    size: int
    largest: float | None


@dataclass(frozen=True)
class ModelDifference:
    """All differences; "before" and "after" are the first and the second model.

    Attributes:
        nodes: how many there are.
        model: opsets and metadata.
        renamed_nodes: nodes of both models with another name.
        renamed_tensors: tensors of both models with another name.
    """

    nodes: tuple[int, int]
    removed: tuple[NodeEntry, ...]
    added: tuple[NodeEntry, ...]
    changed: tuple[NodeChange, ...]
    tensors: tuple[TensorChange, ...]
    initialisers: tuple[InitialiserChange, ...]
    model: Mapping[str, Change]
    renamed_nodes: int
    renamed_tensors: int

    @property
    def equal(self) -> bool:
        """True where nothing differs, names included."""
        lists = (self.removed, self.added, self.changed, self.tensors, self.initialisers, self.model)
        return not any(lists) and not self.renamed_nodes and not self.renamed_tensors

    def as_json(self) -> dict[str, Any]:
        """JSON values: the attributes of this class, ``equal``, and counts of removed and added nodes by op type."""
        counts = {f"{name}_by_op_type": _counts(getattr(self, name)) for name in ("removed", "added")}
        return {"equal": self.equal, **counts, **asdict(self)}

    def lines(self) -> Iterator[str]:
        """What it says to a reader, line by line; nothing for equal models."""
        if self.equal:
            return
        yield f"nodes         {self.nodes[0]} -> {self.nodes[1]}"
        for title, sign, entries in (("removed", "-", self.removed), ("added", "+", self.added)):
            if entries:
                yield f"{title:13} " + ", ".join(f"{count} {kind}" for kind, count in _counts(entries).items())
                yield from (f"  {sign} {entry.name} ({entry.op_type})" for entry in entries)
        if self.changed:
            yield f"changed       {len(self.changed)} nodes"
            for node in self.changed:
                texts = [f"{name} {_arrow(change)}" for name, change in node.attributes.items()]
                texts += [f"input {index} from {_arrow(change)}" for index, change in node.inputs.items()]
                yield f"  {node.name} ({node.op_type}): {', '.join(texts)}"
        if self.tensors:
            yield f"tensors       {len(self.tensors)} changed"
            for tensor in self.tensors:
                yield f"  {tensor.name}: {', '.join(_shape_and_datatype(tensor))}"
        if self.initialisers:
            yield f"initialisers  {len(self.initialisers)} changed"
            for entry in self.initialisers:
                yield f"  {entry.name} of {entry.node}: {', '.join(_initialiser_texts(entry))}"
        for name, change in self.model.items():
            yield f"{name}: {_arrow(change)}"
        if self.renamed_nodes or self.renamed_tensors:
            yield f"renamed       {self.renamed_nodes} nodes, {self.renamed_tensors} tensors"


def model_difference(before: ModelWrapper, after: ModelWrapper) -> ModelDifference:
    """Compares two models; they stay as they are.

    Nodes are matched by what they compute and where they stand in the graph, see ``NodeMatching``.

    Raises:
        ModelError: a graph has a cycle.
    """
    matching = NodeMatching(before, after)
    pairs = [(node, matching.pairs[node]) for node in matching.before.nodes if node in matching.pairs]
    values = _value_pairs(before, after, pairs)
    # A tensor that a removed or an added node makes: that node's entry says where it stood.
    known = {*values, *values.values()}
    return ModelDifference(
        nodes=(len(matching.before.nodes), len(matching.after.nodes)),
        removed=tuple(NodeEntry(node.name or "", node.op_type) for node in matching.removed),
        added=tuple(NodeEntry(node.name or "", node.op_type) for node in matching.added),
        changed=tuple(change for change in (_node_change(a, b, values, known) for a, b in pairs) if change),
        tensors=tuple(change for change in (_tensor_change(a, b) for a, b in values.items()) if change),
        initialisers=tuple(_initialiser_changes(pairs)),
        model=_model_changes(before, after),
        renamed_nodes=sum(a.name != b.name for a, b in pairs),
        renamed_tensors=sum(a.name != b.name for a, b in values.items()),
    )


def _value_pairs(
    first: ModelWrapper, second: ModelWrapper, pairs: Sequence[tuple[ir.Node, ir.Node]]
) -> dict[ir.Value, ir.Value]:
    """Tensors of both graphs that are no initialisers."""
    values = dict(zip(graph_inputs(first.graph), graph_inputs(second.graph), strict=False))
    for a, b in pairs:
        values.update(zip(a.outputs, b.outputs, strict=False))
    # A graph's output is the same tensor for its users whichever node makes it.
    for a_out, b_out in zip(first.graph.outputs, second.graph.outputs, strict=False):
        values.setdefault(a_out, b_out)
    return values


def _node_change(
    a: ir.Node, b: ir.Node, values: Mapping[ir.Value, ir.Value], known: Set[ir.Value]
) -> NodeChange | None:
    attributes: dict[str, Change] = {}
    for name in sorted({*a.attributes, *b.attributes}):
        texts = tuple(attribute_text(n.attributes[name]) if name in n.attributes else None for n in (a, b))
        if texts[0] != texts[1]:
            attributes[name] = (texts[0], texts[1])
    inputs: dict[str, Change] = {}
    for index in range(max(len(a.inputs), len(b.inputs))):
        ours, theirs = (node.inputs[index] if index < len(node.inputs) else None for node in (a, b))
        if _is_constant(ours) and _is_constant(theirs):
            continue
        explained = any(value is not None and value.producer() and value not in known for value in (ours, theirs))
        if not explained and (values.get(ours) if ours is not None else None) is not theirs:
            inputs[str(index)] = (_name(ours), _name(theirs))
    return NodeChange(b.name or "", b.op_type, attributes, inputs) if attributes or inputs else None


def _is_constant(value: ir.Value | None) -> bool:
    return value is not None and get_constant(value) is not None


def _name(value: ir.Value | None) -> str | None:
    return None if value is None else value.name


def _tensor_change(a: ir.Value, b: ir.Value) -> TensorChange | None:
    shape, datatype = _changes(a, b)
    return TensorChange(b.name or "", shape, datatype) if shape or datatype else None


def _changes(a: ir.Value, b: ir.Value) -> tuple[Change | None, Change | None]:
    shapes, types = (get_shape(a), get_shape(b)), (get_datatype(a).name, get_datatype(b).name)
    return shapes if shapes[0] != shapes[1] else None, types if types[0] != types[1] else None


def _initialiser_changes(pairs: Sequence[tuple[ir.Node, ir.Node]]) -> Iterator[InitialiserChange]:
    seen: set[tuple[ir.Value, ir.Value]] = set()
    for a, b in pairs:
        for ours, theirs in zip(a.inputs, b.inputs, strict=False):
            if ours is None or theirs is None or (ours, theirs) in seen:
                continue
            seen.add((ours, theirs))
            before, after = get_constant(ours), get_constant(theirs)
            if before is None or after is None:
                continue
            shape, datatype = _changes(ours, theirs)
            differing, largest = None, None
            if shape is None:
                unequal = before != after
                if before.dtype.kind == "f" and after.dtype.kind == "f":
                    unequal &= ~(np.isnan(before) & np.isnan(after))
                differing = int(np.count_nonzero(unequal))
                if differing and before.dtype.kind in "biuf" and after.dtype.kind in "biuf":
                    distance = np.abs(after[unequal].astype(np.float64) - before[unequal].astype(np.float64))
                    largest = float(distance.max()) if np.isfinite(distance).all() else None
            if shape or datatype or differing:
                yield InitialiserChange(
                    theirs.name or "", b.name or b.op_type, shape, datatype, differing, int(after.size), largest
                )


def _model_changes(first: ModelWrapper, second: ModelWrapper) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    tables = (
        ("opset", first.model.opset_imports, second.model.opset_imports),
        ("metadata", first.model.metadata_props, second.model.metadata_props),
    )
    for what, before, after in tables:
        for key in sorted({*before, *after}):
            if before.get(key) != after.get(key):
                changes[f"{what} {key or 'ai.onnx'}"] = (before.get(key), after.get(key))
    inputs = len(graph_inputs(first.graph)), len(graph_inputs(second.graph))
    outputs = len(first.graph.outputs), len(second.graph.outputs)
    changes.update({what: pair for what, pair in (("inputs", inputs), ("outputs", outputs)) if pair[0] != pair[1]})
    return changes


def _counts(entries: Sequence[NodeEntry]) -> dict[str, int]:
    return dict(sorted(Counter(entry.op_type for entry in entries).items()))


def _arrow(change: Change) -> str:
    return " -> ".join("nothing" if side is None else str(side) for side in change)


def _shape_and_datatype(change: TensorChange | InitialiserChange) -> list[str]:
    texts = [] if change.datatype is None else [f"datatype {_arrow(change.datatype)}"]
    return texts if change.shape is None else [*texts, f"shape {_arrow(change.shape)}"]


def _initialiser_texts(change: InitialiserChange) -> list[str]:
    texts = _shape_and_datatype(change)
    if change.differing:
        by = "" if change.largest is None else f" (by at most {change.largest:g})"
        texts.append(f"{change.differing} of {change.size} values differ{by}")
    return texts
