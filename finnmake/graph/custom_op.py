"""Custom ops: what an op outside of the ONNX standard says about itself, and the table they are found in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.datatype import AnyDataType, DataType

Array = NDArray[Any]
Execute = Callable[[Sequence[Array | None]], list[Array]]
"""A node's inputs to its outputs, whole batches."""


@dataclass(frozen=True)
class TensorInfo:
    """What is known of one input of a node before it runs.

    Attributes:
        shape: of the tensor, batch dimension included.
        datatype: its annotation.
        constant: its value where it is an initialiser.
    """

    shape: tuple[int, ...]
    datatype: AnyDataType
    constant: Array | None = None


class CustomOp(ABC):
    """One custom op type; stateless, everything about a node comes in as arguments."""

    inputs: tuple[int, int] = (0, 1 << 16)
    """Least and most inputs of a node."""

    elementwise: bool = False
    """True where output elements depend on the input element at the same place only."""

    @abstractmethod
    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """The outputs for whole batches, vectorised NumPy."""

    def prepare(self, node: ir.Node) -> Execute:
        """The function that executes a node, for an op that does work once that many batches share."""
        return lambda inputs: self.execute(node, inputs)

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """Output shapes; an op that keeps its first input's shape need not override this."""
        return [inputs[0].shape]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """Output datatypes; FLOAT32 where an op does not say."""
        return [DataType["FLOAT32"] for _ in node.outputs]


class CustomOps:
    """Custom ops by (domain, op type). Immutable: ``extended`` gives a larger table.

    Args:
        ops: the ops of the table.
    """

    def __init__(self, ops: Mapping[tuple[str, str], CustomOp]) -> None:
        self._ops = dict(ops)

    @property
    def table(self) -> Mapping[tuple[str, str], CustomOp]:
        """The ops by (domain, op type)."""
        return self._ops

    def find(self, node: ir.Node) -> CustomOp | None:
        """The op of a node, None where the table has none (a standard op or an unknown one)."""
        return self._ops.get((node.domain, node.op_type))

    def extended(self, ops: Mapping[tuple[str, str], CustomOp]) -> CustomOps:
        """This table and ``ops``; an op of the same name replaces the older one."""
        return CustomOps({**self._ops, **ops})

    def names(self) -> list[tuple[str, str]]:
        """All (domain, op type), sorted."""
        return sorted(self._ops)


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """Value of a node's attribute as a Python object (int, float, str, list, array), or the default."""
    found = node.attributes.get(name)
    if found is None:
        return default
    if found.type == ir.AttributeType.TENSOR:
        return found.as_tensor().numpy()
    return found.value


def describe(node: ir.Node) -> str:
    """How messages name a node: op type and name, or its first output where it has no name."""
    name = node.name or (node.outputs[0].name if node.outputs else "")
    return f"node {name} ({node.op_type})"


def required(node: ir.Node, inputs: Sequence[Array | None], count: int) -> list[Array]:
    """The first ``count`` inputs, all of which must be there.

    Raises:
        ModelError: where one is missing.
    """
    present = [array for array in inputs[:count] if array is not None]
    if len(present) < count:
        raise ModelError(f"has {len(present)} inputs, needs {count}", where=describe(node))
    return present


def as_float32(array: Array) -> Array:
    """The array as float32, without a copy where it is that already."""
    return np.asarray(array, dtype=np.float32)
