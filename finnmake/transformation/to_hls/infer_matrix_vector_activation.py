"""Matrix products, with the thresholds behind them, as MatrixVectorActivation."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import (
    MOST_BITS,
    replace_by_hardware,
    vectors_per_frame,
)
from finnmake.transformation.to_hls.activation import activation_behind
from finnmake.transformation.to_hls.stream_datatypes import accumulator as accumulator_of


class _InferMatrixVectorActivation(Rewrite):
    _op_type: str

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type(self._op_type):
            if _has_layer(node):
                _replace(model, node)
        name_by_position(model)


class InferBinaryMatrixVectorActivation(_InferMatrixVectorActivation):
    """Makes every XnorPopcountMatMul, with the MultiThreshold that follows it alone, a MatrixVectorActivation.

    An input of shape (1, H, W, elements) is H · W vectors a frame.

    Precondition: ``ConvertBipolarMatMulToXnorPopcount``, datatypes are annotated.
    Postcondition: same outputs; PE and SIMD are 1.
    """

    _op_type = "XnorPopcountMatMul"


class InferQuantizedMatrixVectorActivation(_InferMatrixVectorActivation):
    """Makes every MatMul of integers by constant integers, of 1 to 16 bits, a MatrixVectorActivation.

    The MultiThreshold that follows it alone becomes part of it, where its channels are innermost. An input of shape
    (1, H, W, elements) is H · W vectors a frame. A MatMul that has no layer stays.

    Precondition: ``Streamline``, datatypes are annotated.
    Postcondition: same outputs; PE and SIMD are 1.
    """

    _op_type = "MatMul"


def _has_layer(node: ir.Node) -> bool:
    source, weights = node.inputs[0], node.inputs[1]
    shape = get_shape(source) if source is not None else None
    matrix = get_constant(weights)
    return (
        source is not None
        and weights is not None
        and shape is not None
        and len(shape) >= 2
        and shape[0] == 1
        and matrix is not None
        and matrix.ndim == 2
        and all(get_datatype(v).is_integer() and get_datatype(v).bitwidth() <= MOST_BITS for v in (source, weights))
        and get_datatype(node.outputs[0]).is_integer()
    )


def _replace(model: ModelWrapper, node: ir.Node) -> None:
    source, weights, output = node.inputs[0], node.inputs[1], node.outputs[0]
    if source is None or weights is None:
        return
    rows, columns = get_shape(weights) or (0, 0)
    shape = get_shape(source) or (1, rows)
    accumulator = accumulator_of(node, get_datatype(source), get_datatype(output))
    activation = activation_behind(output, len(shape))
    structure: dict[str, int | str | bool] = {
        "MW": rows,
        "MH": columns,
        "SIMD": 1,
        "PE": 1,
        "inputDataType": get_datatype(source).name,
        "weightDataType": get_datatype(weights).name,
        "accDataType": accumulator.name,
        "outputDataType": accumulator.name,
        "binaryXnorMode": node.op_type == "XnorPopcountMatMul",
        "noActivation": activation is None,
        "numSteps": 0,
        "ActVal": 0,
        "numInputVectors": vectors_per_frame(shape),
        "resType": "auto",
        "ram_style": "auto",
    }
    inputs, old, output_datatype = [source, weights], [node], accumulator
    if activation is not None:
        old.append(activation.node)
        output_datatype = activation.datatype
        structure |= activation.structure()
        inputs.append(activation.values(model, columns, accumulator))
    replace_by_hardware(old, "MatrixVectorActivation", inputs, structure, output_datatype)
