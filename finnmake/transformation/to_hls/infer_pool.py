"""Pooling of windows as Pool."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.im2col import im2col_windows
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype
from finnmake.graph.pooling_ops import average_pool_windows, dropped_bits, max_pool_windows
from finnmake.graph.sliding_windows import Windows
from finnmake.transformation.hardware import integer_thresholds, replace_by_value
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal
from finnmake.transformation.to_hls.sliding_windows import has_padding, image_of, insert_pool, insert_windows
from finnmake.transformation.to_hls.stream_datatypes import sum_of_products

_MOST_BITS = 32
"""Of an element."""

_MOST_SUMS = 1 << 20
"""Different sums of a window up to which thresholds are compared with a shift."""


class InferPool(InferLayer):
    """Makes the largest, and the average, of windows a ConvolutionInputGenerator and a Pool.

    * MaxPoolNHWC of integers; where it pads, with the smallest number of the datatype, which never is the largest.
    * Sums of windows: an Im2Col and the DepthwiseMatMul behind it alone with weights 1, which is what ``Streamline``
      and ``LowerToChannelsLast`` make of AveragePool. Where thresholds behind them do nothing but drop bits (Trunc),
      the Pool drops them.
    * QuantAvgPool2d with channels innermost.

    Precondition: ``LowerToChannelsLast``, datatypes are annotated; before ``InferVectorVectorActivation``, which
    makes other layers of sums.
    Postcondition: same outputs; PE and SIMD are 1. Sums of BIPOLAR stay.
    """

    op_types = ("MaxPoolNHWC", "DepthwiseMatMul", "QuantAvgPool2d")

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """Layers for one node."""
        if node.op_type == "MaxPoolNHWC":
            return _largest(node)
        if node.op_type == "QuantAvgPool2d":
            return _average(node)
        _sum(node)
        return None


def _largest(node: ir.Node) -> Refusal | None:
    source, image = node.inputs[0], image_of(node.inputs[0])
    if source is None or image is None:
        return None
    windows, datatype = max_pool_windows(node), get_datatype(source)
    if datatype.bitwidth() > _MOST_BITS:
        return Refusal(f"its input is {datatype}", f"Quantise it to {_MOST_BITS} bits or fewer.")
    fresh = insert_windows(node, source, windows, image, depthwise=True, pad_value=int(datatype.min()))
    replace_by_value([node], insert_pool(node, fresh, windows, image, datatype))
    return None


def _average(node: ir.Node) -> Refusal | None:
    source, image = node.inputs[0], image_of(node.inputs[0])
    if source is None or image is None:
        return None
    if str(attribute(node, "data_layout", "NCHW")) != "NHWC":
        return Refusal("its channels are not innermost", "Run LowerToChannelsLast before.")
    windows, shift, output = average_pool_windows(node), dropped_bits(node), get_datatype(node.outputs[0])
    low, high = (bound >> shift for bound in _range_of_sums(get_datatype(source), windows))
    if get_datatype(source).name == "BIPOLAR" or not output.is_integer() or low < output.min() or high > output.max():
        return Refusal(
            f"its results {low} … {high} do not fit its obits and signed ({output})", "Use those of its input."
        )
    fresh = insert_windows(node, source, windows, image, depthwise=True)
    replace_by_value([node], insert_pool(node, fresh, windows, image, output, shift))
    return None


def _sum(node: ir.Node) -> None:
    im2col, weights = node.inputs[0].producer() if node.inputs[0] is not None else None, get_constant(node.inputs[1])
    if im2col is None or im2col.op_type != "Im2Col" or weights is None or (weights != 1).any():
        return
    source, image = im2col.inputs[0], image_of(im2col.inputs[0])
    if source is None or image is None or len(im2col.outputs[0].uses()) != 1:
        return
    windows, datatype, pad_value = (
        im2col_windows(im2col),
        get_datatype(source),
        float(attribute(im2col, "pad_value", 0)),
    )
    if datatype.name == "BIPOLAR" or datatype.bitwidth() > _MOST_BITS:
        return
    if not has_padding(windows, image, datatype, pad_value):
        return
    low, high = _range_of_sums(datatype, windows)
    follower, shift = _shift_behind(node, low, high)
    last = follower or node
    output = get_datatype(last.outputs[0]) if follower is not None else sum_of_products(weights, datatype)
    fresh = insert_windows(im2col, source, windows, image, depthwise=True, pad_value=int(pad_value))
    old = [im2col, node, *([follower] if follower is not None else [])]
    replace_by_value(old, insert_pool(last, fresh, windows, image, output, shift))


def _range_of_sums(datatype: AnyDataType, windows: Windows) -> tuple[int, int]:
    return int(datatype.min()) * windows.taps, int(datatype.max()) * windows.taps


def _shift_behind(node: ir.Node, low: int, high: int) -> tuple[ir.Node | None, int]:
    """The MultiThreshold behind sums that does nothing but drop bits, and how many; (None, 0) for others."""
    output = node.outputs[0]
    users = output.consumers()
    if len(users) != 1 or output.is_graph_output() or high - low > _MOST_SUMS:
        return None, 0
    thresholds = integer_thresholds(users[0])
    if thresholds is None or get_datatype(users[0].outputs[0]).name == "BIPOLAR":
        return None, 0
    sums, bias = np.arange(low, high + 1), int(attribute(users[0], "out_bias", 0.0))
    rows = np.unique(thresholds, axis=0)
    results = bias + np.searchsorted(rows[0], sums, side="right")
    for shift in range(max(1, (high - low).bit_length())):
        if len(rows) == 1 and np.array_equal(results, sums >> shift):
            return users[0], shift
    return None, 0
