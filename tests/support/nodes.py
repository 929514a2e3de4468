"""Single nodes, executed and inferred by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.custom_op import TensorInfo
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.general_ops import GENERAL_DOMAIN, GENERAL_OPS
from finnmake.graph.standard_ops import StandardRun

Array = NDArray[Any]


def run_node(op_type: str, inputs: Sequence[Array], **attributes: Any) -> Array:
    """The first output of a general op, which must have the shape that the op infers."""
    node = ir.node(op_type, [ir.Value(name=f"i{i}") for i, _ in enumerate(inputs)], attributes, domain=GENERAL_DOMAIN)
    op = GENERAL_OPS.find(node)
    assert op is not None
    result = op.execute(node, inputs)[0]
    infos = [TensorInfo(array.shape, DataType["FLOAT32"], array) for array in inputs]
    assert op.infer_shapes(node, infos) == [result.shape]
    return result


def infer_datatype(op_type: str, inputs: Sequence[tuple[Sequence[int], str]], **attributes: Any) -> AnyDataType:
    """The datatype that a general op infers from shapes and datatypes."""
    node = ir.node(op_type, [ir.Value(name=f"i{i}") for i, _ in enumerate(inputs)], attributes, domain=GENERAL_DOMAIN)
    op = GENERAL_OPS.find(node)
    assert op is not None
    return op.infer_datatypes(node, [TensorInfo(tuple(shape), DataType[name]) for shape, name in inputs])[0]


def run_standard(op_type: str, inputs: Sequence[Array], opset: int = 13, **attributes: Any) -> Array:
    """The first output of a standard op, by onnxruntime."""
    node = ir.node(op_type, [ir.Value(name=f"i{i}") for i, _ in enumerate(inputs)], attributes)
    return StandardRun([node], [node.outputs[0]], opset)(list(inputs))[0]


def integers(seed: int, shape: Sequence[int], low: int = -8, high: int = 8) -> Array:
    """Random integers low … high - 1 in float32."""
    return np.random.default_rng(seed).integers(low, high, tuple(shape)).astype(np.float32)
