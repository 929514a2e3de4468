"""GiveUniqueNodeNames: nodes are called after their op type and number."""

from __future__ import annotations

from collections import Counter

from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite


class GiveUniqueNodeNames(Rewrite):
    """Names nodes ``MatMul_0``, ``MatMul_1``, … in the graph's order.

    Precondition: none.
    Postcondition: all node names differ; nothing else has changed.

    Args:
        prefix: of all names.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        counts: Counter[str] = Counter()
        for node in model.graph:
            node.name = f"{self._prefix}{node.op_type}_{counts[node.op_type]}"
            counts[node.op_type] += 1
