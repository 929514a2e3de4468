"""Tensors and nodes by name: looked up in a table that is read from the graph where it does not know a name."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir


class NameIndex:
    """The names of a graph.

    A hit is checked against the graph, so that a tensor that was renamed or removed in the meantime is not found under
    its old name.

    Args:
        graph: whose tensors and nodes are looked up.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._values: dict[str, ir.Value] = {}
        self._nodes: dict[str, ir.Node] = {}
        self._pending: dict[str, ir.Value] = {}
        self._next = 0
        self._read_at = (-1, -1)

    def value(self, name: str) -> ir.Value | None:
        """The tensor of a name, also one that ``fresh`` gave and that is in no node yet; None where there is none."""
        found = self._hit(name)
        if found is None:
            self._read()
            found = self._values.get(name)
        return found

    def in_use(self, name: str) -> ir.Value | None:
        """As ``value``, but O(1) for a name that is free: reads the graph only where nodes have come or gone.

        What is not seen: an output of a node that somebody has renamed on the graph itself since the last look.
        """
        found = self._hit(name)
        return self.value(name) if found is None and self._read_at != self._size() else found

    def node(self, name: str) -> ir.Node | None:
        """The node of a name, None where there is none."""
        found = self._nodes.get(name)
        if found is None or found.name != name or found.graph is not self._graph:
            self._nodes = {node.name: node for node in reversed(self._graph) if node.name}
            found = self._nodes.get(name)
        return found

    def add(self, value: ir.Value) -> None:
        """Knows a tensor from now on without reading the graph for it."""
        self._values[str(value.name)] = value
        self._pending.pop(str(value.name), None)

    def all(self) -> list[str]:
        """Names of all tensors of the graph."""
        return list(dict.fromkeys(value.name for value in _values(self._graph) if value.name))

    def fresh(self) -> str:
        """A name that no tensor has, and a tensor of it that waits to be used."""
        while self.in_use(f"tensor_{self._next}") is not None:
            self._next += 1
        name = f"tensor_{self._next}"
        self._pending[name] = ir.Value(name=name)
        return name

    def _hit(self, name: str) -> ir.Value | None:
        found = self._values.get(name)
        if found is not None and found.name == name and found.graph is self._graph:
            return found
        return self._graph.initializers.get(name) or self._pending.get(name)

    def _read(self) -> None:
        self._values = {value.name: value for value in _values(self._graph) if value.name}
        self._read_at = self._size()
        self._pending = {name: value for name, value in self._pending.items() if name not in self._values}

    def _size(self) -> tuple[int, int]:
        return len(self._graph), len(self._graph.inputs)


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in graph:
        yield from node.outputs
