"""Random quantised networks of images: convolutions, batch normalisation, activations, pooling, branches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from finnmake.frontend import import_model
from finnmake.graph.model_wrapper import ModelWrapper
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph in the making.

    Attributes:
        name: in the graph.
        shape: channels, height, width.
        scale: of its integers, one number or one per channel; None where it is no quantised tensor.
    """

    name: str
    shape: tuple[int, int, int]
    scale: Any = None


class QuantisedNetwork:
    """A network of a few random blocks, each ending in a quantiser.

    Args:
        seed: decides everything.
        exact: all scales are powers of two, so that float32 adds without rounding.
        blocks: how many.
        products: with branches that are multiplied, and quantisers of more than 8 bits.
    """

    def __init__(self, seed: int, *, exact: bool, blocks: int = 3, products: bool = False) -> None:
        self._random = np.random.default_rng(seed)
        self._exact = exact
        size = int(self._random.integers(4, 7))
        self._input = (int(self._random.integers(1, 5)), size, size + int(self._random.integers(0, 2)))
        self.builder = GraphBuilder([1, *self._input])
        self._blocks = blocks
        self._products = products

    def model(self) -> ModelWrapper:
        """The imported model; its input is INT4."""
        scale = self._scale()
        x = Tensor(self._mul(self.builder.input, scale), self._input, scale)
        for _ in range(self._blocks):
            x = self._block(x)
        output, outputs = self._head(x)
        return import_model(self.builder.model(output, [1, outputs]), input_datatype="INT4", input_scale=1)

    def values(self, model: ModelWrapper, count: int = 6) -> Any:
        """Inputs for it."""
        return self._random.integers(-8, 8, (count, *self._input))

    # -- numbers -------------------------------------------------------------------------------------------------------
    def _chance(self, probability: float) -> bool:
        return bool(self._random.random() < probability)

    def _scale(self) -> float:
        power = float(2.0 ** int(self._random.integers(-4, 2)))
        return power if self._exact else float(np.float32(power * self._random.uniform(1, 2)))

    def _mul(self, x: str, scale: float) -> str:
        return self.builder.node("Mul", [x, self.builder.constant(np.float32(scale))])

    # -- layers --------------------------------------------------------------------------------------------------------
    def _block(self, x: Tensor) -> Tensor:
        kinds = [self._conv, self._conv, self._residual, self._concat, self._pool, self._shuffle]
        kinds += [self._gated, self._gated, self._wide, self._wide] if self._products else []
        return kinds[int(self._random.integers(0, len(kinds)))](x)

    def _quant(self, x: Tensor, scale: float | None = None, per_channel: bool = False) -> Tensor:
        found: Any = self._scale() if scale is None else scale
        if per_channel:
            found = np.array([self._scale() for _ in range(x.shape[0])], dtype=np.float32).reshape(1, -1, 1, 1)
        bits, signed = int(self._random.integers(2, 5)), int(self._random.integers(0, 2))
        mode = str(self._random.choice(["ROUND", "FLOOR", "CEIL", "ROUND"]))
        zero = float(self._random.integers(0, 3)) if not signed and self._chance(0.3) else 0.0
        name = self.builder.quant(x.name, found, bits, signed=signed, zero=zero, mode=mode)
        return Tensor(name, x.shape, found)

    def _weights(self, shape: tuple[int, ...]) -> str:
        scale: Any = self._scale()
        if self._chance(0.5):
            scale = np.array([self._scale() for _ in range(shape[0])], dtype=np.float32)
            scale = scale.reshape((-1,) + (1,) * (len(shape) - 1))
        values = self.builder.constant(self._random.normal(0, 1.5, shape) * scale)
        if self._chance(0.2):
            factor = self.builder.constant(np.float32(np.max(scale)))
            return self.builder.node("BipolarQuant", [values, factor], QONNX_DOMAIN)
        return self.builder.quant(
            values, scale, int(self._random.integers(2, 5)), narrow=int(self._random.integers(0, 2))
        )

    def _convolved(self, x: Tensor) -> Tensor:
        """A convolution without quantiser: depthwise where the scales of its input differ, else of any kind."""
        channels, height, width = x.shape
        kernel = [int(k) for k in self._random.integers(1, 4, 2)]
        pads = [0, 0, 0, 0] if self._chance(0.5) else [int(p) for p in self._random.integers(0, 2, 4)]
        if self._chance(0.3):
            group = channels
        else:
            group = 2 if channels % 2 == 0 and self._chance(0.3) else 1
        if np.size(x.scale) > 1 and not self._exact:
            group = channels
        outputs = group * int(self._random.integers(1, 3))
        strides = [int(s) for s in self._random.integers(1, 3, 2)]
        sizes = [height, width]
        after = [(sizes[i] + pads[i] + pads[i + 2] - kernel[i]) // strides[i] + 1 for i in range(2)]
        if min(after) < 1:
            return self._convolved(x)
        weights = self._weights((outputs, channels // group, *kernel))
        inputs = [x.name, weights]
        if self._chance(0.3):
            bias = self._random.integers(-8, 8, outputs) * self._scale()
            inputs.append(self.builder.constant(bias.astype(np.float32)))
        name = self.builder.node(
            "Conv", inputs, group=group, kernel_shape=kernel, pads=pads, strides=strides, dilations=[1, 1]
        )
        return Tensor(name, (outputs, after[0], after[1]))

    def _activated(self, x: Tensor) -> Tensor:
        """Elementwise ops of any size of rounding: they are evaluated, not added."""
        name, channels = x.name, x.shape[0]
        if self._chance(0.7):
            gamma = self._random.uniform(0.3, 2, channels) * (self._random.choice([-1, 1], channels))
            name = self.builder.batch_norm(
                name,
                gamma,
                self._random.normal(0, 1, channels),
                self._random.normal(0, 1, channels),
                self._random.uniform(0.1, 2, channels),
            )
        activation = self._random.choice(["Relu", "none", "HardTanh", "LeakyRelu"])
        if activation == "HardTanh":
            name = self.builder.node("Clip", [name, self.builder.constant(-1.0), self.builder.constant(1.0)])
        elif activation != "none":
            name = self.builder.node(str(activation), [name])
        return Tensor(name, x.shape)

    def _conv(self, x: Tensor) -> Tensor:
        return self._quant(self._activated(self._convolved(x)), per_channel=self._chance(0.25))

    def _residual(self, x: Tensor) -> Tensor:
        """Two branches from one tensor; their scales are equal, or one a multiple of the other."""
        scale = self._scale()
        pointwise = []
        for factor in (1, int(self._random.choice([1, 1, 2, 3]))):
            weights = self._weights((x.shape[0], x.shape[0] if np.size(x.scale) == 1 else 1, 1, 1))
            group = 1 if np.size(x.scale) == 1 else x.shape[0]
            name = self.builder.node("Conv", [x.name, weights], group=group, kernel_shape=[1, 1])
            factor = 2 if self._exact and factor == 3 else factor
            pointwise.append(self._quant(self._activated(Tensor(name, x.shape)), float(np.float32(scale) * factor)))
        op_type = "Sub" if self._chance(0.2) else "Add"
        total = Tensor(self.builder.node(op_type, [tensor.name for tensor in pointwise]), x.shape)
        if self._chance(0.3):  # the sum itself is what a convolution takes, too
            total = self._convolved(Tensor(total.name, x.shape, scale))
        return self._quant(self._activated(total))

    def _gated(self, x: Tensor) -> Tensor:
        """A branch times the sigmoid of another, of which a pixel, a row or a channel may be all there is."""
        x = self._quant(x)
        gate, (channels, height, width) = x.name, x.shape
        for axis in self._random.choice([0, 1, 2, 3], int(self._random.integers(0, 3))):
            if axis:
                limits = [self.builder.constant(np.array([number])) for number in (0, 1, axis)]
                gate = self.builder.node("Slice", [gate, *limits])
        gate = self._quant(Tensor(self.builder.node("Sigmoid", [gate]), x.shape), 0.125).name
        factors = [gate, x.name] if self._chance(0.5) else [x.name, gate]
        return self._quant(Tensor(self.builder.node("Mul", factors), (channels, height, width)))

    def _wide(self, x: Tensor) -> Tensor:
        """Two branches of 9 to 11 bits, or one, added."""
        channels = x.shape[0]
        scale, bits = self._scale() / 16, int(self._random.integers(9, 12))
        pointwise = []
        for _ in range(int(self._random.integers(1, 3))):
            weights = self._weights((channels, channels if np.size(x.scale) == 1 else 1, 1, 1))
            group = 1 if np.size(x.scale) == 1 else channels
            name = self.builder.node("Conv", [x.name, weights], group=group, kernel_shape=[1, 1])
            mode = str(self._random.choice(["ROUND", "FLOOR", "CEIL"]))
            pointwise.append(self.builder.quant(name, scale, bits, signed=int(self._random.integers(0, 2)), mode=mode))
        total = self.builder.node("Add", pointwise) if len(pointwise) > 1 else pointwise[0]
        return self._quant(Tensor(total, x.shape))

    def _concat(self, x: Tensor) -> Tensor:
        parts = [self._quant(x), self._quant(x)]
        shape = (2 * x.shape[0], *x.shape[1:])
        joined = Tensor(self.builder.node("Concat", [part.name for part in parts], axis=1), shape, np.ones(2))
        if self._exact and self._chance(0.5):
            return self._quant(self._activated(self._convolved(joined)))
        return self._quant(self._activated(joined))

    def _pool(self, x: Tensor) -> Tensor:
        channels, height, width = x.shape
        if min(height, width) < 2:
            return self._conv(x)
        kind = str(self._random.choice(["MaxPool", "AveragePool", "MaxPool of sums"]))
        if kind == "MaxPool of sums":
            x = self._convolved(x)
            channels, height, width = x.shape
            if min(height, width) < 2:
                return self._quant(self._activated(x))
        name = self.builder.node(kind.split()[0], [x.name], kernel_shape=[2, 2], strides=[2, 2])
        return self._quant(Tensor(name, (channels, height // 2, width // 2)))

    def _shuffle(self, x: Tensor) -> Tensor:
        """A move of integers, then a quantiser."""
        channels, height, width = x.shape
        kind = str(self._random.choice(["Transpose", "Slice", "Pad", "DepthToSpace"]))
        if kind == "Slice" and channels > 1:
            limits = [self.builder.constant(np.array([number])) for number in (1, channels, 1)]
            return self._quant(Tensor(self.builder.node("Slice", [x.name, *limits]), (channels - 1, height, width)))
        if kind == "Pad" and np.size(x.scale) == 1:
            pads = self.builder.constant(np.array([0, 0, 1, 0, 0, 0, 0, 2]))
            fill = self.builder.constant(np.float32(2 * x.scale))
            return self._quant(
                Tensor(self.builder.node("Pad", [x.name, pads, fill]), (channels, height + 1, width + 2))
            )
        if kind == "DepthToSpace" and channels % 4 == 0 and np.size(x.scale) == 1:
            name = self.builder.node("DepthToSpace", [x.name], blocksize=2, mode="CRD")
            return self._quant(Tensor(name, (channels // 4, 2 * height, 2 * width)))
        name = self.builder.node("Transpose", [x.name], perm=[0, 1, 3, 2])
        return self._quant(Tensor(name, (channels, width, height)))

    def _head(self, x: Tensor) -> tuple[str, int]:
        """Pooling of the whole image or none, a matrix, a quantiser."""
        channels, height, width = x.shape
        name, size = x.name, channels * height * width
        if self._chance(0.5) and (not self._exact or (height * width) & (height * width - 1) == 0):
            pooled = Tensor(self.builder.node("GlobalAveragePool", [name]), (channels, 1, 1))
            name, size = self._quant(pooled).name, channels
        elif np.size(x.scale) > 1 and not self._exact:
            name = self._quant(x).name
        name = self.builder.node("Flatten", [name], axis=1)
        outputs = int(self._random.integers(1, 6))
        scale = self._scale()
        weights = self.builder.constant(self._random.normal(0, 1.5, (size, outputs)) * scale)
        name = self.builder.node("MatMul", [name, self.builder.quant(weights, scale, 3)])
        return self.builder.quant(name, self._scale(), 6), outputs
