"""Networks for the benchmarks, as Brevitas exports them, with random weights: MobileNet-v1, ResNet-50, chains.

Each layer is Quant on its weights (one scale per output channel), Conv or MatMul, BatchNormalization, Relu, Quant.
First and last layer have 8-bit weights, all others 4-bit weights and activations. Scales are what training gives, not
powers of two as in the examples.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import onnx

from examples.random_networks import QONNX_DOMAIN, Floats, Images, RandomNetwork

MOBILENET_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Output channels and stride of each depthwise-separable block."""

RESNET50_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Channels of the 3x3 convolutions, blocks, stride of the first block."""

BITS, OUTER_BITS = 4, 8


def mobilenet_v1(image: int = 224, classes: int = 1000, seed: int = 0) -> onnx.ModelProto:
    """MobileNet-v1, width 1.0: 4.2 million weights.

    Args:
        image: height and width of the input, a multiple of 32.
        classes: outputs.
        seed: of weights and scales.
    """
    network = _TrainedNetwork(image, seed)
    x = network.activation(network.convolution(network.image, 32, 3, stride=2, bits=OUTER_BITS), BITS)
    for channels, stride in MOBILENET_BLOCKS:
        x = network.convolution(x, x.channels, 3, stride=stride, group=x.channels, bits=BITS)
        x = network.activation(x, BITS)
        x = network.activation(network.convolution(x, channels, 1, bits=BITS), BITS)
    return network.classifier(x, classes)


def resnet50(image: int = 224, classes: int = 1000, seed: int = 0) -> onnx.ModelProto:
    """ResNet-50: 25.6 million weights; the two sides of each residual Add share their scale.

    Args:
        image: height and width of the input, a multiple of 32.
        classes: outputs.
        seed: of weights and scales.
    """
    network = _TrainedNetwork(image, seed)
    x = network.activation(network.convolution(network.image, 64, 7, stride=2, bits=OUTER_BITS), BITS)
    x = network.max_pool(x, 3, 2, (1, 1, 1, 1))
    for channels, blocks, first_stride in RESNET50_STAGES:
        for block in range(blocks):
            x = _bottleneck(network, x, channels, first_stride if block == 0 else 1)
    return network.classifier(x, classes)


def chain(layers: int, width: int = 64, seed: int = 0) -> onnx.ModelProto:
    """Equal fully connected layers, ``width`` x ``width``, one after the other.

    Args:
        layers: how many.
        width: inputs and outputs of each.
        seed: of weights and scales.
    """
    network = _TrainedNetwork(1, seed, (1, width))
    x = network.image
    for _ in range(layers):
        x = network.activation(network.dense(x, width), BITS)
    return network.ending(x.name, (1, width))


def _bottleneck(network: _TrainedNetwork, x: Images, channels: int, stride: int) -> Images:
    y = network.activation(network.convolution(x, channels, 1, bits=BITS), BITS)
    y = network.activation(network.convolution(y, channels, 3, stride=stride, bits=BITS), BITS)
    y = network.convolution(y, 4 * channels, 1, bits=BITS)
    if stride > 1 or x.channels != y.channels:
        x = network.activation(network.convolution(x, y.channels, 1, stride=stride, bits=BITS), BITS)
    return network.residual(x, network.activation(y, BITS, step=x.scale))


class _TrainedNetwork(RandomNetwork):
    """Scales are any numbers, one for each output channel of the weights."""

    def residual(self, x: Images, y: Images) -> Images:
        """Two branches of one scale, added, and their activation."""
        mean, variance = x.mean + y.mean, x.square - x.mean**2 + y.square - y.mean**2
        total = replace(x, name=self._node("Add", [y.name, x.name]), mean=mean, square=variance + mean**2)
        # Brevitas learns scales that clip little.
        step = float(np.float32((mean + 3 * math.sqrt(variance)) / (2**BITS - 1)))
        result = self.activation(total, BITS, step=step)
        return replace(result, mean=mean, square=total.square)

    def dense(self, x: Images, channels: int) -> Images:
        """A fully connected layer and its batch normalisation."""
        weights, values = self._weights((channels, x.channels), BITS)
        columns = self._node("Transpose", [weights], perm=[1, 0])
        sums = replace(x, name=self._node("MatMul", [x.name, columns]), channels=channels)
        return self._normalised(sums, values, 1.0)

    def classifier(self, x: Images, classes: int) -> onnx.ModelProto:
        """Average of the whole image, truncated to 8 bits, and a fully connected layer with bias."""
        pooled = self._node("AveragePool", [x.name], kernel_shape=[x.size] * 2, pads=[0] * 4, strides=[x.size] * 2)
        sum_bits = BITS + math.ceil(math.log2(x.size**2))
        scale = x.scale / x.size**2
        pooled_scale = scale * 2 ** (sum_bits - OUTER_BITS)
        numbers = [self._constant(float(number)) for number in (scale, 0, sum_bits, pooled_scale, OUTER_BITS)]
        pooled = self._node("Trunc", [pooled, *numbers], QONNX_DOMAIN, narrow=0, rounding_mode="FLOOR", signed=0)
        flat = self._node("Reshape", [pooled, self._constant(np.array([1, -1]))])
        values = self._random.normal(0, math.sqrt(2 / x.channels), (classes, x.channels)).astype(np.float32)
        weight_scale = float(np.float32(np.abs(values).max() / (2 ** (OUTER_BITS - 1) - 1)))
        weights = self._quantised(self._constant(values), weight_scale, OUTER_BITS, signed=1, narrow=1)
        bias = self._constant(self._random.normal(0, 0.05, classes))
        bias = self._quantised(bias, np.array([pooled_scale * weight_scale], np.float32), 32, signed=1)
        scores = self._node("Gemm", [flat, weights, bias], alpha=1.0, beta=1.0, transB=1)
        return self.ending(scores, (1, classes))

    def ending(self, output: str, shape: tuple[int, ...]) -> onnx.ModelProto:
        """The model whose output has this name and shape."""
        return self._model(output, shape)

    def _first(self, image: Images) -> Images:
        """Quantised by the network: pixels of 8 bits, or a vector of 4."""
        bits = OUTER_BITS if len(self._shape) > 2 else BITS
        scale = float(np.float32(1 / (2**bits - 1)))
        return replace(image, name=self._quantised(image.name, scale, bits, signed=0), scale=scale)

    def _weights(self, shape: tuple[int, ...], bits: int) -> tuple[str, Floats]:
        """Each output channel with the scale that uses its range."""
        values = self._random.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape).astype(np.float32)
        inner = tuple(range(1, len(shape)))
        scale = (np.abs(values).max(axis=inner, keepdims=True) / (2 ** (bits - 1) - 1)).astype(np.float32)
        return self._quantised(self._constant(values), scale, bits, signed=1, narrow=1), values

    def _step(self, x: Images, bits: int) -> float:
        return float(np.float32(x.scale * self._random.uniform(0.12, 0.3)))
