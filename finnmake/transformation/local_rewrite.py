"""Rewrites that look at a node and its neighbours only, driven by a worklist."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

import onnx_ir as ir

from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite

Match = TypeVar("Match")


class LocalRewrite(Rewrite, Generic[Match]):
    """Base of transformations that match a node and rewrite it together with its neighbours.

    All nodes are looked at once, in the graph's order; after a rewrite only the nodes that it names are looked at
    again. The work is therefore the number of nodes plus the number of rewrites, and a subclass says why the number
    of rewrites is limited. At the end no node matches: ``replace`` names every node that may match because of it.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place, until no node matches."""
        graph = model.graph
        queue = deque(graph)
        queued = set(queue)
        while queue:
            node = queue.popleft()
            queued.discard(node)
            if node.graph is not graph:
                continue  # a rewrite has removed it
            match = self.match(node)
            if match is None:
                continue
            changed = [each for each in dict.fromkeys(self.replace(graph, match)) if each not in queued]
            queue.extendleft(reversed(changed))
            queued.update(changed)
        name_by_position(model)

    @abstractmethod
    def match(self, node: ir.Node) -> Match | None:
        """What ``replace`` needs to know, None where the node is not the first of the pattern."""

    @abstractmethod
    def replace(self, graph: ir.Graph, match: Match) -> Iterable[ir.Node]:
        """Rewrites a match in place; gives the nodes, old and new, whose match may have changed."""
