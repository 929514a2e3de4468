"""LowerConvsToMatMul: every convolution as windows and a product, between Transposes."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from finnmake.graph.annotations import set_annotation
from finnmake.graph.convolution import Convolution, convolution_of, with_zero
from finnmake.graph.custom_op import Array
from finnmake.graph.data_layout import NHWC, set_layout
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.editing import add_initialiser, replace_value
from finnmake.graph.general_ops import GENERAL_DOMAIN
from finnmake.graph.im2col import im2col_attributes
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.graph.transposes import like, to_channels_first, to_channels_last, transpose_node
from finnmake.transformation.base import Rewrite

SPARSITY_KEY = "tensor_sparsity"
"""Annotation of a depthwise convolution's matrix, as qonnx writes it: where its zeros are."""


class LowerConvsToMatMul(Rewrite):
    """Makes every Conv of images, with constant weights, Transpose, Im2Col, MatMul, Transpose.

    A 1 x 1 Conv with stride 1 and no padding needs no Im2Col. A bias becomes an Add behind it. With groups the matrix
    is block-diagonal; that of a depthwise Conv is annotated with its sparsity, and its Im2Col says ``depthwise``: as
    qonnx does it. The matrix of a depthwise Conv with C channels has C times as many elements as its weights:
    ``LowerToChannelsLast`` makes DepthwiseMatMul instead, and needs no Transposes.

    Precondition: shapes are known, dimensions are (N, C, H, W).
    Postcondition: same outputs, bit for bit where sums are integers that float32 holds, else to float32 rounding.
    Convolutions of sequences or volumes, or with weights that are not constant, stay.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("Conv"):
            convolution, shape = convolution_of(node), get_shape(node.outputs[0])
            weights, source = get_constant(node.inputs[1]), node.inputs[0]
            bias = get_constant(node.inputs[2]) if len(node.inputs) > 2 else None
            if convolution is None or weights is None or source is None or shape is None or len(shape) != 4:
                continue
            if bias is not None or len(node.inputs) < 3 or node.inputs[2] is None:
                _lower(model.graph, node, _Parts(convolution, source, weights, bias, shape))
        model.graph.opset_imports.setdefault(GENERAL_DOMAIN, 1)
        name_by_position(model)


@dataclass(frozen=True)
class _Parts:
    """A Conv: what it computes, its input, its constants, the shape of its output."""

    convolution: Convolution
    source: ir.Value
    weights: Array
    bias: Array | None
    shape: tuple[int, ...]


def _lower(graph: ir.Graph, node: ir.Node, parts: _Parts) -> None:
    output, convolution, windows = node.outputs[0], parts.convolution, parts.convolution.windows
    batch, filters, height, width = parts.shape
    nodes = [transpose_node(parts.source, to_channels_last(4))]
    value = nodes[0].outputs[0]
    set_layout(value, NHWC)
    if not windows.is_pointwise:
        attributes = im2col_attributes(windows, get_shape(value) or (), convolution.is_depthwise)
        columns = ir.node("Im2Col", [value], attributes, domain=GENERAL_DOMAIN)
        nodes.append(columns)
        value = like(columns.outputs[0], value, (batch, height, width, windows.taps * convolution.channels))
        set_layout(value, NHWC)
    weights = _matrix(graph, node, parts)
    product = ir.node("MatMul", [value, weights], metadata_props=dict(node.metadata_props))
    nodes.append(product)
    value = like(product.outputs[0], output, (batch, height, width, filters))
    set_layout(value, NHWC)
    nodes.append(transpose_node(value, to_channels_first(4)))
    if parts.bias is not None:
        bias = add_initialiser(graph, parts.bias.reshape(1, filters, 1, 1), f"{node.name} bias", _datatype(node, 2))
        nodes.append(ir.node("Add", [nodes[-1].outputs[0], bias]))
        like(nodes[-1].outputs[0], output, parts.shape)
    graph.insert_before(node, nodes)
    replace_value(output, nodes[-1].outputs[0])
    graph.remove(node, safe=True)


def _matrix(graph: ir.Graph, node: ir.Node, parts: _Parts) -> ir.Value:
    convolution, datatype = parts.convolution, _datatype(node, 1)
    if convolution.group > 1:
        datatype = with_zero(datatype)
    value = add_initialiser(graph, convolution.matrix(parts.weights), f"{node.name} weights", datatype)
    if convolution.is_depthwise:
        set_annotation(value, SPARSITY_KEY, str({"dw": {"kernel_shape": list(convolution.windows.kernel)}}))
    return value


def _datatype(node: ir.Node, index: int) -> AnyDataType:
    value = node.inputs[index]
    return get_datatype(value) if value is not None else DataType["FLOAT32"]
