"""Writes QONNX models of networks with random weights, as Brevitas exports trained ones.

Every convolution is quantised weights, Conv, BatchNormalization; every activation ReLU and an unsigned quantiser, or a
signed quantiser. The statistics of the batch normalisations are those that the random weights give, so that activations
use their range. All scales are powers of two: sums are exact in float32. The same seed gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX_DOMAIN = "qonnx.custom_op.general"
OPSET = 13

_LARGEST = 2.0
"""Standard deviations of an activation that its quantiser still tells apart."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Images:
    """Activations (1, channels, size, size) while a network is written.

    Attributes:
        name: of the tensor.
        channels: its second dimension.
        size: its height and width.
        scale: what a step of its integers is worth.
        mean: expected value of an element.
        square: expected value of its square.
    """

    name: str
    channels: int
    size: int
    scale: float
    mean: float
    square: float


class RandomNetwork:
    """A network in the making.

    Args:
        size: height and width of its images, which have 3 channels of pixels, 0..255.
        seed: of weights and normalisations.
        shape: of its input, where that is no such image.
    """

    def __init__(self, size: int, seed: int, shape: Sequence[int] | None = None) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)
        self._shape = (1, 3, size, size) if shape is None else tuple(shape)
        self._input_datatype: str | None = None
        self.image = self._first(Images("image", self._shape[1], size, 1.0, 0.5, 1 / 3))

    def _first(self, image: Images) -> Images:
        """What becomes of the input: fractions of 256."""
        self._input_datatype = "UINT8"
        step = 2.0**-8
        return replace(image, name=self._node("Mul", [image.name, self._constant(np.float32(step))]), scale=step)

    def convolution(
        self,
        x: Images,
        channels: int,
        kernel: int,
        *,
        bits: int,
        stride: int = 1,
        scale: float = 1.0,
        pad: bool = True,
        group: int = 1,
    ) -> Images:
        """A convolution and its batch normalisation.

        Args:
            x: its input.
            channels: of its output.
            kernel: rows and columns of its window.
            bits: of the weights; 1 is -1 and +1.
            stride: from window to window.
            scale: standard deviation of its output.
            pad: zeros around the image, so that a stride of 1 keeps its size.
            group: parts of the channels that do not see each other.
        """
        weights, values = self._weights((channels, x.channels // group, kernel, kernel), bits)
        pads = [kernel // 2 if pad else 0] * 4
        grouped: dict[str, Any] = {"group": group} if group > 1 else {}
        output = self._node(
            "Conv",
            [x.name, weights],
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=pads,
            dilations=[1, 1],
            **grouped,
        )
        size = (x.size + 2 * pads[0] - kernel) // stride + 1
        return self._normalised(replace(x, name=output, channels=channels, size=size), values, scale)

    def _normalised(self, x: Images, weights: Floats, scale: float) -> Images:
        """The batch normalisation of sums, with the statistics that the weights give them.

        Args:
            x: the sums, with the statistics of what they are made of.
            weights: shape (channels, ...).
            scale: standard deviation of the output.
        """
        inner = tuple(range(1, weights.ndim))
        mean = x.mean * weights.sum(axis=inner, dtype=np.float64)
        deviation = np.sqrt((x.square - x.mean**2) * np.square(weights).sum(axis=inner, dtype=np.float64))
        parameters = (
            scale * self._random.uniform(0.7, 1.3, x.channels),
            scale * self._random.normal(0.3, 0.2, x.channels),
            mean,
            (deviation * self._random.uniform(0.8, 1.25, x.channels)) ** 2,
        )
        inputs = [x.name, *(self._constant(values) for values in parameters)]
        output = self._node("BatchNormalization", inputs, epsilon=1e-5)
        return replace(x, name=output, scale=scale, mean=0.0, square=scale**2)

    def activation(self, x: Images, bits: int, *, step: float | None = None) -> Images:
        """ReLU and an unsigned quantiser; its scale is ``step``, or that of ``x`` in units of its largest integer."""
        step = self._step(x, bits) if step is None else step
        name = self._quantised(self._node("Relu", [x.name]), step, bits, signed=0)
        # Of a normal distribution around 0.3, cut off at 0.
        return replace(x, name=name, scale=step, mean=0.57 * x.scale, square=0.75 * x.scale**2)

    def _step(self, x: Images, bits: int) -> float:
        """The scale of a quantiser: a power of two."""
        return 2.0 ** round(math.log2(_LARGEST * x.scale / (2**bits - 1)))

    def signed_activation(self, x: Images, bits: int) -> Images:
        """A quantiser to -1 and +1, or symmetric about zero."""
        if bits == 1:
            name = self._node("BipolarQuant", [x.name, self._constant(np.float32(1))], QONNX_DOMAIN)
            return replace(x, name=name, scale=1.0, mean=0.0, square=1.0)
        step = self._step(x, bits)
        name = self._quantised(x.name, step, bits, signed=1, narrow=1)
        return replace(x, name=name, scale=step, mean=0.0, square=x.scale**2)

    def sum(self, x: Images, y: Images, bits: int) -> Images:
        """Two branches of one scale, added and quantised again with the double of it."""
        name = self._quantised(self._node("Add", [x.name, y.name]), 2 * x.scale, bits, signed=0)
        square = x.square + y.square + 2 * x.mean * y.mean
        return replace(x, name=name, scale=2 * x.scale, mean=x.mean + y.mean, square=square)

    def max_pool(self, x: Images, kernel: int, stride: int, pads: Sequence[int] = (0, 0, 0, 0)) -> Images:
        """The largest of each window."""
        name = self._node("MaxPool", [x.name], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=list(pads))
        size = (x.size + pads[0] + pads[2] - kernel) // stride + 1
        return replace(x, name=name, size=size, mean=1.5 * x.mean, square=2 * x.square)

    def scores(self, x: Images, classes: int, bits: int) -> onnx.ModelProto:
        """The model that ends in the sum over the image and a dense layer, float32 (1, classes)."""
        if x.size == 1:
            sums = self._node("Flatten", [x.name], axis=1)
        else:
            sums = self._node("ReduceSum", [x.name, self._constant(np.array([2, 3]))], keepdims=0)
        weights, _ = self._weights((x.channels, classes), bits)
        return self._model(self._node("MatMul", [sums, weights]), (1, classes))

    def maps(self, x: Images, channels: int, bits: int) -> onnx.ModelProto:
        """The model that ends in a 1 x 1 convolution with a bias, float32 (1, channels, size, size)."""
        weights, _ = self._weights((channels, x.channels, 1, 1), bits)
        bias = self._constant(self._random.normal(0, 1, channels))
        output = self._node("Conv", [x.name, weights, bias], kernel_shape=[1, 1])
        return self._model(output, (1, channels, x.size, x.size))

    # -- parts ---------------------------------------------------------------------------------------------------------
    def _weights(self, shape: tuple[int, ...], bits: int) -> tuple[str, Floats]:
        """Quantised weights: the tensor's name, and its values."""
        scale = 2.0 ** -(bits + 1)
        if bits == 1:
            values = self._random.choice(np.array([-scale, scale], np.float32), shape)
            return self._node(
                "BipolarQuant", [self._constant(values), self._constant(np.float32(scale))], QONNX_DOMAIN
            ), values
        largest = 2 ** (bits - 1) - 1
        integers = np.clip(np.rint(self._random.normal(0, largest / 3, shape)), -largest, largest)
        values = (integers * scale).astype(np.float32)
        return self._quantised(self._constant(values), scale, bits, signed=1, narrow=1), values

    def _quantised(self, x: str, scale: float | Floats, bits: int, *, signed: int, narrow: int = 0) -> str:
        inputs = [x, *(self._constant(np.asarray(number, np.float32)) for number in (scale, 0, bits))]
        return self._node("Quant", inputs, QONNX_DOMAIN, signed=signed, narrow=narrow, rounding_mode="ROUND")

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def _node(self, op_type: str, inputs: Sequence[str], domain: str = "", **attributes: Any) -> str:
        output = f"{op_type}_{len(self._nodes)}_out"
        self._nodes.append(helper.make_node(op_type, inputs, [output], domain=domain, **attributes))
        return output

    def _model(self, output: str, shape: tuple[int, ...]) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, self._shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
            self._constants,
        )
        if self._input_datatype is not None:
            datatype = onnx.StringStringEntryProto(key="finn_datatype", value=self._input_datatype)
            graph.quantization_annotation.add(tensor_name="image", quant_parameter_tensor_names=[datatype])
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(QONNX_DOMAIN, 2)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)
