"""What the Infer… transformations that look at one node at a time have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import is_hardware
from finnmake.transformation.streamline.integer_graph import REASON_KEY

REMEDY_KEY = "finnmake.remedy"
"""Metadata of a node that is no hardware layer: what to change."""


@dataclass(frozen=True)
class Refusal:
    """Why there is no layer for a node on integers.

    Attributes:
        reason: a clause whose subject is the node, without a full stop.
        remedy: what to change: sentences.
    """

    reason: str
    remedy: str


class InferLayer(Rewrite):
    """Base of transformations that make a layer of each node of some op types.

    A node on integers that no layer can be made of keeps the reason, and what to change, in its metadata, where
    ``CreateDataflowPartition`` finds it.
    """

    op_types: ClassVar[Collection[str]]
    """The op types that are looked at."""

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.nodes:
            if node.op_type in self.op_types and not is_hardware(node):
                refusal = self.infer(model, node)
                if refusal is not None:
                    node.metadata_props[REASON_KEY] = refusal.reason
                    node.metadata_props[REMEDY_KEY] = refusal.remedy
        name_by_position(model)

    @abstractmethod
    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """Puts layers in the place of a node, or says why not.

        None, with the node left as it is, where it is not one of integers: what is before it then has the reason.
        """
