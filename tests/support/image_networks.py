"""Tiny networks of images with channels first, as Brevitas exports them: a chain, and several with branches."""

from __future__ import annotations

import numpy as np
import onnx

from tests.support.qonnx_models import GraphBuilder


class _Images:
    """A network in the making, whose input is pixel / 255 of three channels.

    Args:
        size: rows and columns of the input.
        seed: of weights and batch normalisations.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.builder = GraphBuilder([1, 3, size, size])
        self.random = np.random.default_rng(seed)

    def convolution(self, x: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, pad: int = 1) -> str:
        """With 3-bit weights, without quantiser."""
        weights = self.builder.constant(self.random.normal(0, 1.0, (outputs, inputs, kernel, kernel)))
        return self.builder.node(
            "Conv",
            [x, self.builder.quant(weights, 0.5, 3)],
            dilations=[1, 1],
            group=1,
            kernel_shape=[kernel, kernel],
            pads=[pad] * 4,
            strides=[stride, stride],
        )

    def activation(self, x: str, channels: int, spread: float, scale: float = 0.5) -> str:
        """Batch normalisation to a spread of about one, 3-bit quantiser."""
        random = self.random
        x = self.builder.batch_norm(
            x,
            random.uniform(0.5, 1.5, channels),
            random.normal(0, 0.3, channels),
            random.normal(0, 0.3, channels),
            random.uniform(0.5, 2.0, channels) * spread**2,
        )
        return self.builder.quant(x, scale, 3)


def convolutional(seed: int = 0) -> onnx.ModelProto:
    """A padded convolution, pooling, a convolution: (1, 3, 8, 8) to (1, 2, 2, 2)."""
    net = _Images(8, seed)
    x = net.activation(net.convolution(net.builder.input, 3, 4), 4, 2.5)
    x = net.builder.node("MaxPool", [x], kernel_shape=[2, 2], pads=[0] * 4, strides=[2, 2])
    return net.builder.model(net.convolution(x, 4, 2, pad=0), [1, 2, 2, 2])


def residual(seed: int = 0) -> onnx.ModelProto:
    """A block with a short cut, a strided one with a convolution in its short cut: (1, 3, 8, 8) to (1, 2, 4, 4)."""
    net = _Images(8, seed)
    add = net.builder.node
    x = net.activation(net.convolution(net.builder.input, 3, 4), 4, 2.5)
    y = net.activation(net.convolution(x, 4, 4), 4, 5.0)
    y = net.activation(net.convolution(y, 4, 4), 4, 5.0)
    x = net.builder.quant(add("Add", [x, y]), 0.5, 3)
    y = net.activation(net.convolution(x, 4, 6, stride=2), 6, 5.0)
    y = net.activation(net.convolution(y, 6, 6), 6, 6.0)
    x = net.activation(net.convolution(x, 4, 6, kernel=1, stride=2, pad=0), 6, 2.0)
    x = net.builder.quant(add("Add", [x, y]), 0.5, 3)
    return net.builder.model(net.convolution(x, 6, 2, kernel=1, pad=0), [1, 2, 4, 4])


def towers(seed: int = 0) -> onnx.ModelProto:
    """Three towers that are joined, one of them an average of padded windows: (1, 3, 6, 6) to (1, 2, 6, 6)."""
    net = _Images(6, seed)
    add = net.builder.node
    x = net.activation(net.convolution(net.builder.input, 3, 4), 4, 2.5)
    pointwise = net.activation(net.convolution(x, 4, 3, kernel=1, pad=0), 3, 2.5)
    wide = net.activation(net.convolution(x, 4, 5), 5, 5.0)
    around = add("AveragePool", [x], kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1], count_include_pad=1)
    around = net.builder.quant(around, 0.5, 3)
    x = add("Concat", [pointwise, wide, around], axis=1)
    return net.builder.model(net.convolution(x, 12, 2, kernel=1, pad=0), [1, 2, 6, 6])


def encoder_and_decoder(seed: int = 0) -> onnx.ModelProto:
    """Pooled, enlarged again and joined with what was there before: (1, 3, 6, 6) to (1, 2, 6, 6)."""
    net = _Images(6, seed)
    add = net.builder.node
    x = net.activation(net.convolution(net.builder.input, 3, 4), 4, 2.5)
    y = add("MaxPool", [x], kernel_shape=[2, 2], pads=[0] * 4, strides=[2, 2])
    y = net.activation(net.convolution(y, 4, 6), 6, 5.0)
    scales = net.builder.constant(np.array([1, 1, 2, 2], dtype=np.float32))
    y = add("Resize", [y, net.builder.constant(np.zeros(0, dtype=np.float32)), scales], mode="nearest")
    x = add("Concat", [x, y], axis=1)
    x = net.activation(net.convolution(x, 10, 3), 3, 6.0)
    return net.builder.model(net.convolution(x, 3, 2, kernel=1, pad=0), [1, 2, 6, 6])


def sub_pixels(seed: int = 0) -> onnx.ModelProto:
    """Channels that become pixels, a quantiser behind them: (1, 3, 5, 5) to (1, 2, 10, 10)."""
    net = _Images(5, seed)
    x = net.activation(net.convolution(net.builder.input, 3, 4), 4, 2.5)
    x = net.convolution(x, 4, 8)
    x = net.builder.node("DepthToSpace", [x], blocksize=2, mode="CRD")
    return net.builder.model(net.builder.quant(x, 0.5, 4), [1, 2, 10, 10])


def gated(seed: int = 0) -> onnx.ModelProto:
    """A branch times a sigmoid, squeeze and excite, a sum of 10-bit branches: (1, 3, 4, 4) to (1, 2, 4, 4)."""
    net = _Images(4, seed)
    add, quant = net.builder.node, net.builder.quant
    x = net.activation(net.convolution(net.builder.input, 3, 4), 4, 2.5)
    gate = quant(add("Sigmoid", [net.convolution(x, 4, 4, kernel=1, pad=0)]), 0.125, 3, signed=0)
    x = quant(add("Mul", [x, gate]), 0.25, 4)
    squeezed = quant(add("GlobalAveragePool", [x]), 0.0625, 4)
    excited = quant(add("Sigmoid", [net.convolution(squeezed, 4, 4, kernel=1, pad=0)]), 0.125, 3, signed=0)
    x = add("Mul", [excited, x])
    wide = quant(add("Mul", [net.convolution(x, 4, 4), net.builder.constant(np.float32(0.7137))]), 0.03125, 10)
    short = quant(net.convolution(x, 4, 4, kernel=1, pad=0), 0.03125, 10)
    x = quant(add("Add", [wide, short]), 1.0, 4)
    return net.builder.model(net.convolution(x, 4, 2, kernel=1, pad=0), [1, 2, 4, 4])
