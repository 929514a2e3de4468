"""Hardware layers as custom ops: their NumPy reference under the executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.dataflow.nodes import layer_from_node
from finnmake.dataflow.registry import HARDWARE_DOMAIN, LAYER_CLASSES
from finnmake.graph.custom_op import CustomOp, TensorInfo, required
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_wrapper import get_shape

Array = NDArray[Any]


class LayerOp(CustomOp):
    """Executes a hardware node by its layer's ``execute``."""

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Frames in, frames out; float32 containers, whole batches."""
        (frames,) = required(node, inputs, 1)
        layer = layer_from_node(node)
        batch = frames.shape[0]
        integers = np.rint(frames).astype(np.int64).reshape(batch, layer.input_stream().elements_per_frame)
        outputs = layer.execute(integers)
        shape = get_shape(node.outputs[0])
        tail = shape[1:] if shape is not None else (-1,)
        return [outputs.reshape(batch, *tail).astype(np.float32)]

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """The batch and the elements of an output frame; the input's shape where they are as many."""
        layer = layer_from_node(node)
        before, after = layer.input_stream().elements_per_frame, layer.output_stream().elements_per_frame
        shape = inputs[0].shape
        return [shape if before == after else (shape[0], after)]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """The datatype of the output stream."""
        return [layer_from_node(node).output_stream().datatype]


def layer_ops() -> Mapping[tuple[str, str], CustomOp]:
    """The ops of all hardware layers."""
    op = LayerOp()
    return {(HARDWARE_DOMAIN, op_type): op for op_type in LAYER_CLASSES}
