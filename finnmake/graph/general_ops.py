"""The custom ops that are no hardware: quantisers, MultiThreshold, XnorPopcountMatMul, and the table of all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import Array, CustomOp, CustomOps, TensorInfo, as_float32, attribute, describe, required
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.fixed_point import RequantOp
from finnmake.graph.im2col import DepthwiseMatMul, Im2Col
from finnmake.graph.pooling_ops import MaxPoolNHWC, QuantAvgPool2d
from finnmake.graph.quantisation import IntegerFormat, count_thresholds, dequantise, quantise, rounding

GENERAL_DOMAIN = "qonnx.custom_op.general"
"""The domain that imported models use for all of these."""

QUANTISER_DOMAINS = (GENERAL_DOMAIN, "onnx.brevitas", "finn.custom_op.general", "finn")
"""Domains under which exporters have written the same ops over the years."""


def integer_format(node: ir.Node, bit_width: Array) -> IntegerFormat:
    """The integers of a Quant node.

    Raises:
        ModelError: for a bit width that is not one whole number from 1 to 32.
    """
    widths = np.unique(np.asarray(bit_width, dtype=np.float64))
    if widths.size != 1 or widths[0] != int(widths[0]) or not 1 <= widths[0] <= 32:
        raise ModelError(
            f"bit width {np.asarray(bit_width).ravel()[:4].tolist()} is not one whole number from 1 to 32",
            where=describe(node),
            remedy="Export the model with a fixed bit width per tensor.",
        )
    return IntegerFormat(int(widths[0]), bool(attribute(node, "signed", 1)), bool(attribute(node, "narrow", 0)))


class _Quantiser(CustomOp):
    """What scales with one number, or with one per channel."""

    elementwise = True

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """The shape of the values, which scale and zero point are broadcast to."""
        shape = inputs[0].shape
        for info in inputs[1:3]:
            try:
                fits = math.prod(np.broadcast_shapes(shape, info.shape)) == math.prod(shape)
            except ValueError:
                fits = False
            if not fits:
                raise ModelError(
                    f"its scale or zero point of shape {list(info.shape)} does not fit values of shape {list(shape)}",
                    where=describe(node),
                    remedy="Use one number, or one per channel.",
                )
        return [shape]


class Quant(_Quantiser):
    """``Quant(x, scale, zero point, bit width)``: uniform quantisation, the result scaled back."""

    inputs = (4, 4)

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Float32 in, float32 out."""
        x, scale, zero_point, bit_width = (as_float32(array) for array in required(node, inputs, 4))
        q = quantise(x, scale, zero_point, integer_format(node, bit_width), attribute(node, "rounding_mode", "ROUND"))
        return [dequantise(q, scale, zero_point)]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """The integer type where scale is 1 and zero point 0, else FLOAT32."""
        scale, zero_point, bit_width = (info.constant for info in inputs[1:4])
        if scale is None or zero_point is None or bit_width is None:
            return [DataType["FLOAT32"]]
        whole = bool(np.all(scale == 1) and np.all(zero_point == 0))
        return [integer_format(node, bit_width).datatype() if whole else DataType["FLOAT32"]]


class BipolarQuant(_Quantiser):
    """``BipolarQuant(x, scale)``: +scale where x ≥ 0, else -scale."""

    inputs = (2, 2)

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Float32 in, float32 out."""
        x, scale = (as_float32(array) for array in required(node, inputs, 2))
        return [np.where(x >= 0, np.float32(1), np.float32(-1)) * scale]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """BIPOLAR where the scale is 1, else FLOAT32."""
        scale = inputs[1].constant
        return [DataType["BIPOLAR" if scale is not None and bool(np.all(scale == 1)) else "FLOAT32"]]


class Trunc(CustomOp):
    """``Trunc``: drops least significant bits. 5 inputs (version 1) or 6 inputs with an output scale (version 2)."""

    inputs = (5, 6)
    elementwise = True

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Float32 in, float32 out."""
        arrays = [as_float32(array) for array in required(node, inputs, min(len(inputs), 6))]
        if len(arrays) < 5:
            raise ModelError(f"has {len(arrays)} inputs, needs 5 or 6", where=describe(node))
        x, scale, zero_point = arrays[:3]
        round_down = rounding(attribute(node, "rounding_mode", "FLOOR"))
        q = np.round(x / scale + zero_point)
        if len(arrays) == 5:
            q = round_down(q / np.exp2(arrays[3] - arrays[4]))
            return [(q - zero_point) * scale]
        output_scale = arrays[4]
        step = np.exp2(np.round(np.log2(output_scale / scale)))
        integers = integer_format(node, arrays[5])
        lowest, highest = integers.minimum, integers.maximum
        if integers.bipolar:
            # What is left after truncation is two's complement in one bit, too: -1 and 0, where Quant has -1 and +1.
            lowest, highest = int(integers.narrow) - 1, 0
        q = round_down(np.clip(q / step, np.float32(lowest), np.float32(highest)))
        return [(q - zero_point / step) * output_scale]


class MultiThreshold(CustomOp):
    """``MultiThreshold(x, thresholds)``: out_scale · (number of thresholds reached) + out_bias.

    Channels are innermost where ``data_layout`` is NHWC or NWC, else on axis 1. In tensors of three dimensions they are
    innermost without ``data_layout``, too, as qonnx has it.
    """

    inputs = (2, 2)
    elementwise = True

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Thresholds of shape (C or 1, steps)."""
        x, thresholds = required(node, inputs, 2)
        counts = count_thresholds(x, thresholds, channel_axis(node, x.ndim))
        counts *= np.float32(attribute(node, "out_scale", 1.0))
        counts += np.float32(attribute(node, "out_bias", 0.0))
        return [counts]

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """The shape of the values; the thresholds have a row per channel, or one."""
        shape, thresholds = inputs[0].shape, inputs[1].shape
        axis = channel_axis(node, len(shape))
        if len(shape) < 2 or len(thresholds) != 2 or thresholds[0] not in (1, shape[axis]):
            raise ModelError(
                f"its thresholds have shape {list(thresholds)}, its values {list(shape)}",
                where=describe(node),
                remedy="Thresholds are (channels, steps) or (1, steps), values (batch, channels, …).",
            )
        return [shape]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """What ``out_dtype`` says, FLOAT32 where scale or bias is not whole."""
        whole = (
            float(attribute(node, "out_scale", 1.0)).is_integer()
            and float(attribute(node, "out_bias", 0.0)).is_integer()
        )
        return [DataType[str(attribute(node, "out_dtype", "FLOAT32")) if whole else "FLOAT32"]]


def channel_axis(node: ir.Node, rank: int) -> int:
    """The axis of a MultiThreshold's tensors, which have ``rank`` dimensions, along which thresholds differ."""
    layout = str(attribute(node, "data_layout", "")) or ("NWC" if rank == 3 else "")
    return rank - 1 if layout in ("NHWC", "NWC") else 1


class XnorPopcountMatMul(CustomOp):
    """``XnorPopcountMatMul(a, b)`` of BINARY matrices: how many of the K products of the ±1 values are +1."""

    inputs = (2, 2)

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """(N, K) · (K, M) of 0/1 to (N, M) of 0 … K."""
        a, b = (as_float32(array) for array in required(node, inputs, 2))
        inner = np.float32(a.shape[-1])
        products = np.matmul(a * 2 - 1, b * 2 - 1)
        return [(products + inner) * np.float32(0.5)]

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """As MatMul."""
        a, b = inputs[0].shape, inputs[1].shape
        if len(a) < 2 or len(b) != 2 or a[-1] != b[0]:
            raise ModelError(
                f"cannot multiply shapes {list(a)} and {list(b)}",
                where=describe(node),
                remedy="Export the model again.",
            )
        return [(*a[:-1], b[-1])]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """The smallest unsigned type that holds 0 … K."""
        return [DataType.smallest_for_range(0, inputs[0].shape[-1])]


class DebugMarker(CustomOp):
    """``DebugMarker(x)``: x. Says by ``export_debug_name`` how the training framework calls the tensor."""

    inputs = (1, 1)
    elementwise = True

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Whatever comes in."""
        return required(node, inputs, 1)

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """The datatype of the input."""
        return [inputs[0].datatype]


_OPS: dict[str, CustomOp] = {
    "Quant": Quant(),
    "IntQuant": Quant(),
    "BipolarQuant": BipolarQuant(),
    "Trunc": Trunc(),
    "MultiThreshold": MultiThreshold(),
    "XnorPopcountMatMul": XnorPopcountMatMul(),
    "Im2Col": Im2Col(),
    "DepthwiseMatMul": DepthwiseMatMul(),
    "MaxPoolNHWC": MaxPoolNHWC(),
    "QuantAvgPool2d": QuantAvgPool2d(),
    "Requant": RequantOp(),
    "DebugMarker": DebugMarker(),
}

GENERAL_OPS = CustomOps({(domain, name): op for domain in QUANTISER_DOMAINS for name, op in _OPS.items()})
"""The table that knows these ops under all their domains."""
