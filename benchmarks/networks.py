"""Networks for the benchmarks, as Brevitas exports them, with random weights: MobileNet-v1, ResNet-50, chains.

Each layer is Quant on its weights (one scale per output channel), Conv or MatMul, BatchNormalization, Relu, Quant.
First and last layer have 8-bit weights, all others 4-bit weights and activations. The statistics of the batch
normalisations are those that the random weights give, so that activations use their range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder

MOBILENET_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Output channels and stride of each depthwise-separable block."""

RESNET50_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Channels of the 3x3 convolutions, blocks, stride of the first block."""


@dataclass(frozen=True)
class _Tensor:
    """An activation while a network is written.

    Attributes:
        name: of the tensor.
        channels: its second dimension.
        size: its height and width.
        scale: of its integers.
        mean: expected value of an element.
        square: expected value of its square.
    """

    name: str
    channels: int
    size: int
    scale: float
    mean: float = 0.45
    square: float = 0.55


def mobilenet_v1(image: int = 224, classes: int = 1000, seed: int = 0) -> onnx.ModelProto:
    """MobileNet-v1, width 1.0: 4.2 million weights.

    Args:
        image: height and width of the input, a multiple of 32.
        classes: outputs.
        seed: of weights and scales.
    """
    writer = _Writer(image, seed)
    x = writer.activation(writer.convolution(writer.image, 32, 3, stride=2, bits=8))
    for channels, stride in MOBILENET_BLOCKS:
        x = writer.activation(writer.convolution(x, x.channels, 3, stride=stride, group=x.channels))
        x = writer.activation(writer.convolution(x, channels, 1))
    return writer.classifier(x, classes)


def resnet50(image: int = 224, classes: int = 1000, seed: int = 0) -> onnx.ModelProto:
    """ResNet-50: 25.6 million weights; the two sides of each residual Add share their scale.

    Args:
        image: height and width of the input, a multiple of 32.
        classes: outputs.
        seed: of weights and scales.
    """
    writer = _Writer(image, seed)
    x = writer.activation(writer.convolution(writer.image, 64, 7, stride=2, bits=8))
    x = writer.max_pool(x)
    for channels, blocks, first_stride in RESNET50_STAGES:
        for block in range(blocks):
            x = _bottleneck(writer, x, channels, first_stride if block == 0 else 1)
    return writer.classifier(x, classes)


def chain(layers: int, width: int = 64, seed: int = 0) -> onnx.ModelProto:
    """Equal fully connected layers, ``width`` x ``width``, one after the other.

    Args:
        layers: how many.
        width: inputs and outputs of each.
        seed: of weights and scales.
    """
    builder = GraphBuilder([1, width])
    writer = _Writer(0, seed, builder)
    x = _Tensor(builder.quant(builder.input, 1 / 15, 4, signed=0), width, 1, 1 / 15, 0.5, 1 / 3)
    for _ in range(layers):
        weights = writer.weights((width, width), 4)
        columns = builder.node("Transpose", [weights.name], perm=[1, 0])
        x = writer.activation(writer.normalised(builder.node("MatMul", [x.name, columns]), x, weights, 1))
    return builder.model(x.name, [1, width])


def _bottleneck(writer: _Writer, x: _Tensor, channels: int, stride: int) -> _Tensor:
    y = writer.activation(writer.convolution(x, channels, 1))
    y = writer.activation(writer.convolution(y, channels, 3, stride=stride))
    y = writer.convolution(y, 4 * channels, 1)
    if stride > 1 or x.channels != y.channels:
        x = writer.activation(writer.convolution(x, y.channels, 1, stride=stride))
    y = writer.activation(y, x.scale)
    mean, variance = x.mean + y.mean, x.square - x.mean**2 + y.square - y.mean**2
    total = writer.builder.node("Add", [y.name, x.name])
    result = _Tensor(total, y.channels, y.size, 0.0, mean, variance + mean**2)
    # Brevitas learns scales that clip little.
    return writer.activation(result, float(np.float32((mean + 3 * math.sqrt(variance)) / 15)))


@dataclass(frozen=True)
class _Weights:
    """A quantised weight tensor: its name, and sum and sum of squares of each output channel."""

    name: str
    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    scale: float


class _Writer:
    def __init__(self, image: int, seed: int, builder: GraphBuilder | None = None) -> None:
        self.builder = builder or GraphBuilder([1, 3, image, image], qonnx_opset=2)
        self.random = np.random.default_rng(seed)
        self.image = _Tensor(self.builder.input, 3, image, 1 / 255, 0.5, 1 / 3)
        if builder is None:
            pixels = self.builder.quant(self.builder.input, 1 / 255, 8, signed=0)
            self.image = _Tensor(pixels, 3, image, 1 / 255, 0.5, 1 / 3)

    def weights(self, shape: tuple[int, ...], bits: int, *, per_channel: bool = True) -> _Weights:
        """Random weights, quantised with the scale that uses their range."""
        array = self.random.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape).astype(np.float32)
        axes = tuple(range(1 if per_channel else 0, len(shape)))
        scale = np.abs(array).max(axis=axes, keepdims=per_channel) / (2 ** (bits - 1) - 1)
        name = self.builder.quant(self.builder.constant(array), scale, bits, narrow=1)
        inner = tuple(range(1, len(shape)))
        return _Weights(name, array.sum(axis=inner), np.square(array).sum(axis=inner), float(np.max(scale)))

    def convolution(
        self, x: _Tensor, channels: int, kernel: int, *, stride: int = 1, group: int = 1, bits: int = 4
    ) -> _Tensor:
        """Convolution and batch normalisation."""
        weights = self.weights((channels, x.channels // group, kernel, kernel), bits)
        output = self.builder.node(
            "Conv",
            [x.name, weights.name],
            dilations=[1, 1],
            group=group,
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2] * 4,
            strides=[stride, stride],
        )
        return self.normalised(output, x, weights, x.size // stride)

    def normalised(self, accumulators: str, x: _Tensor, weights: _Weights, size: int) -> _Tensor:
        """Batch normalisation with the statistics that ``weights`` give on ``x``."""
        channels = weights.total.size
        mean = x.mean * weights.total
        variance = (x.square - x.mean**2) * weights.squares * self.random.uniform(0.8, 1.25, channels)
        gamma, beta = self.random.uniform(0.7, 1.3, channels), self.random.normal(0, 0.2, channels)
        return _Tensor(self.builder.batch_norm(accumulators, gamma, beta, mean, variance), channels, size, 0.0)

    def activation(self, x: _Tensor, scale: float | None = None) -> _Tensor:
        """Relu and unsigned 4-bit quantiser, of a scale of its own unless one is given."""
        scale = float(np.float32(self.random.uniform(0.12, 0.3))) if scale is None else scale
        output = self.builder.quant(self.builder.node("Relu", [x.name]), scale, 4, signed=0)
        return _Tensor(output, x.channels, x.size, scale, x.mean, x.square)

    def max_pool(self, x: _Tensor) -> _Tensor:
        """3x3, stride 2."""
        output = self.builder.node("MaxPool", [x.name], kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
        return _Tensor(output, x.channels, x.size // 2, x.scale, 1.1, 1.6)

    def classifier(self, x: _Tensor, classes: int) -> onnx.ModelProto:
        """Average of the whole image, truncated to 8 bits, and a fully connected layer with bias."""
        builder = self.builder
        pooled = builder.node("AveragePool", [x.name], kernel_shape=[x.size] * 2, pads=[0] * 4, strides=[x.size] * 2)
        sum_bits = 4 + math.ceil(math.log2(x.size**2))
        scale = x.scale / x.size**2
        pooled_scale = scale * 2 ** (sum_bits - 8)
        parameters = [builder.constant(float(number)) for number in (scale, 0, sum_bits, pooled_scale, 8)]
        pooled = builder.node("Trunc", [pooled, *parameters], QONNX_DOMAIN, narrow=0, rounding_mode="FLOOR", signed=0)
        flat = builder.node("Reshape", [pooled, builder.constant(np.array([1, -1]))])
        weights = self.weights((classes, x.channels), 8, per_channel=False)
        bias = builder.constant(self.random.normal(0, 0.05, classes))
        bias = builder.quant(bias, [pooled_scale * weights.scale], 32)
        scores = builder.node("Gemm", [flat, weights.name, bias], alpha=1.0, beta=1.0, transB=1)
        return builder.model(scores, [1, classes])
