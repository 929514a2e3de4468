"""Which node of one graph is which of another: by what it computes and where it stands, by name only as a last resort.

Linear in nodes and edges: every phase is a pass with hash tables, and the spreading from matched nodes visits each
pair once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import onnx_ir as ir
import xxhash

from finnmake.errors import ModelError
from finnmake.graph.model_wrapper import ModelWrapper, get_shape

Key = Callable[[ir.Node], Hashable]


def graph_inputs(graph: ir.Graph) -> list[ir.Value]:
    """The inputs without initialisers, which some exporters list among them."""
    return [value for value in graph.inputs if not value.is_initializer()]


def constant_digest(value: ir.Value) -> bytes:
    """Digest of an initialiser: element type, shape and bytes."""
    tensor = value.const_value
    if tensor is None:
        return b""
    content = xxhash.xxh3_128(f"{tensor.dtype.name} {list(tensor.shape.numpy())} ".encode())
    content.update(tensor.tobytes())
    return content.digest()


def attribute_text(attribute: ir.Attr) -> str:
    """A text that is equal for two attributes exactly when their values are; short for tensors and graphs."""
    if attribute.type == ir.AttributeType.TENSOR:
        tensor = attribute.as_tensor()
        digest = xxhash.xxh3_128(tensor.tobytes()).hexdigest()
        return f"{tensor.dtype.name.lower()} {list(tensor.shape.numpy())} #{digest[:12]}"
    if attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS):
        return f"graph #{xxhash.xxh3_128(ir.to_proto(attribute).SerializeToString(deterministic=True)).hexdigest()}"
    return repr(attribute.value if not isinstance(attribute.value, tuple) else list(attribute.value))


@dataclass
class GraphView:
    """A graph with its nodes in topological order and their signatures.

    Attributes:
        nodes: sorted.
        upstream: digest of all that a node's outputs are computed from.
        downstream: digest of all that is computed from a node's outputs.
        own: digest of op type, attributes and constant inputs.
    """

    nodes: list[ir.Node]
    upstream: dict[ir.Node, bytes] = field(default_factory=dict)
    downstream: dict[ir.Node, bytes] = field(default_factory=dict)
    own: dict[ir.Node, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ModelWrapper) -> GraphView:
        """The view of a model.

        Raises:
            ModelError: the graph has a cycle.
        """
        view = cls(_sorted(list(model.graph)))
        view._sign(model.graph)
        return view

    def _sign(self, graph: ir.Graph) -> None:
        sources = {value: b"input %d" % index for index, value in enumerate(graph_inputs(graph))}
        constants = {value: b"constant " + constant_digest(value) for value in graph.initializers.values()}
        targets: defaultdict[ir.Value, list[bytes]] = defaultdict(list)
        for index, value in enumerate(graph.outputs):
            targets[value].append(b"output %d" % index)
        for node in self.nodes:
            own = [node.domain.encode(), node.op_type.encode()]
            own += [f"{name}={attribute_text(node.attributes[name])}".encode() for name in sorted(node.attributes)]
            fixed = [constants.get(value, b"*") if value is not None else b"-" for value in node.inputs]
            self.own[node] = _digest([*own, *fixed])
            self.upstream[node] = _digest([self.own[node], *(self._source(v, sources) for v in node.inputs)])
        for node in reversed(self.nodes):
            uses = [_digest([b"%d" % index, *sorted(targets[value])]) for index, value in enumerate(node.outputs)]
            self.downstream[node] = _digest([self.own[node], *uses])
            for index, source in enumerate(node.inputs):
                if source is not None and source not in constants:
                    targets[source].append(self.downstream[node] + b" %d" % index)

    def _source(self, value: ir.Value | None, sources: dict[ir.Value, bytes]) -> bytes:
        producer = value.producer() if value is not None else None
        if value is None or producer is None:
            return sources.get(value, b"") if value is not None else b"-"
        return self.upstream[producer] + b" %d" % (value.index() or 0)


def _sorted(nodes: list[ir.Node]) -> list[ir.Node]:
    """The nodes in their own order where every tensor is made before it is used, else in one in which it is."""
    seen: set[ir.Node] = set()
    for node in nodes:
        if not seen.issuperset(node.predecessors()):
            break
        seen.add(node)
    else:
        return nodes
    try:
        return list(TopologicalSorter({node: node.predecessors() for node in nodes}).static_order())
    except CycleError:
        raise ModelError("the graph has a cycle", remedy="Export the model again.") from None


def _digest(parts: Sequence[bytes]) -> bytes:
    state = xxhash.xxh3_128()
    for part in parts:
        state.update(b"%d:" % len(part))
        state.update(part)
    return state.digest()


class NodeMatching:
    """Pairs of nodes of two graphs.

    In this order: nodes with the same computation before and behind them; with the same before; with the same behind;
    the only ones with the same op, attributes and constants; then, spreading from all of these and from the graph's
    inputs and outputs, neighbours of the same op type; then equal names; then the same op type and shape in the same
    order where both graphs have equally many.

    Attributes:
        pairs: node of the first graph -> node of the second.
    """

    def __init__(self, before: ModelWrapper, after: ModelWrapper) -> None:
        self.before, self.after = GraphView.of(before), GraphView.of(after)
        self.pairs: dict[ir.Node, ir.Node] = {}
        self._taken: set[ir.Node] = set()
        a, b = self.before, self.after
        self._match(lambda n: (a.upstream[n], a.downstream[n]), lambda n: (b.upstream[n], b.downstream[n]), some=True)
        self._match(a.upstream.__getitem__, b.upstream.__getitem__, some=True)
        self._match(a.downstream.__getitem__, b.downstream.__getitem__, some=True)
        self._match(lambda n: _with_constants(n, a), lambda n: _with_constants(n, b))
        self._spread(list(self.pairs.items()), (before.graph, after.graph))
        for key in (_named, _shaped):
            self._spread(self._match(key, key))

    @property
    def removed(self) -> list[ir.Node]:
        """Nodes of the first graph without a counterpart."""
        return [node for node in self.before.nodes if node not in self.pairs]

    @property
    def added(self) -> list[ir.Node]:
        """Nodes of the second graph without a counterpart."""
        return [node for node in self.after.nodes if node not in self._taken]

    def _pair(self, a: ir.Node, b: ir.Node) -> tuple[ir.Node, ir.Node]:
        self.pairs[a] = b
        self._taken.add(b)
        return a, b

    def _match(self, key_a: Key, key_b: Key, *, some: bool = False) -> list[tuple[ir.Node, ir.Node]]:
        """Pairs nodes of equal key in order; of a key with unequal counts as many as there are, or none."""
        groups: defaultdict[Hashable, list[ir.Node]] = defaultdict(list)
        for node in self.added:
            groups[key_b(node)].append(node)
        wanted = Counter(key_a(node) for node in self.removed)
        found = []
        taken: Counter[Hashable] = Counter()
        for node in self.removed:
            key = key_a(node)
            candidates = groups.get(key, ())
            if key is not None and taken[key] < len(candidates) and (some or wanted[key] == len(candidates)):
                found.append(self._pair(node, candidates[taken[key]]))
                taken[key] += 1
        return found

    def _spread(self, pairs: list[tuple[ir.Node, ir.Node]], graphs: tuple[ir.Graph, ir.Graph] | None = None) -> None:
        """Matches neighbours of matched nodes as long as there are any."""
        if graphs is not None:
            for a, b in zip(graphs[0].outputs, graphs[1].outputs, strict=False):
                self._producers(a, b, pairs)
            for a, b in zip(graph_inputs(graphs[0]), graph_inputs(graphs[1]), strict=False):
                self._users(a, b, pairs)
        while pairs:
            a_node, b_node = pairs.pop()
            for a_in, b_in in zip(a_node.inputs, b_node.inputs, strict=False):
                if a_in is not None and b_in is not None:
                    self._producers(a_in, b_in, pairs)
            for a_out, b_out in zip(a_node.outputs, b_node.outputs, strict=False):
                self._users(a_out, b_out, pairs)

    def _producers(self, a: ir.Value, b: ir.Value, pairs: list[tuple[ir.Node, ir.Node]]) -> None:
        ours, theirs = a.producer(), b.producer()
        if ours is None or theirs is None or ours in self.pairs or theirs in self._taken:
            return
        if (ours.domain, ours.op_type, a.index()) == (theirs.domain, theirs.op_type, b.index()):
            pairs.append(self._pair(ours, theirs))

    def _users(self, a: ir.Value, b: ir.Value, pairs: list[tuple[ir.Node, ir.Node]]) -> None:
        ours = _by_use(a, self.pairs)
        for use, node in _by_use(b, self._taken).items():
            mine = ours.get(use)
            if mine is not None and node is not None and mine not in self.pairs and node not in self._taken:
                pairs.append(self._pair(mine, node))


def _by_use(value: ir.Value, matched: dict[ir.Node, ir.Node] | set[ir.Node]) -> dict[Hashable, ir.Node | None]:
    """Unmatched users by op type and input; None where several use the tensor in the same way."""
    found: dict[Hashable, ir.Node | None] = {}
    for node, index in value.uses():
        if node not in matched:
            use = (node.domain, node.op_type, index)
            found[use] = None if use in found else node
    return found


def _with_constants(node: ir.Node, view: GraphView) -> Hashable:
    return view.own[node] if any(value is not None and value.const_value is not None for value in node.inputs) else None


def _named(node: ir.Node) -> Hashable:
    return (node.domain, node.op_type, node.name, _shape(node)) if node.name else None


def _shaped(node: ir.Node) -> Hashable:
    return node.domain, node.op_type, _shape(node)


def _shape(node: ir.Node) -> tuple[int, ...] | None:
    return get_shape(node.outputs[0]) if node.outputs else None
