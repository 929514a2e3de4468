"""Layers of four bits that the residual and the depthwise-separable example are built of.

All scales are powers of two: every sum is exact in float32, and a model computes the same in whatever order it adds.
"""

from __future__ import annotations

from typing import Any

from brevitas.nn import QuantConv2d, QuantLinear, QuantReLU
from brevitas.quant import Int8WeightPerTensorFixedPoint, Uint8ActPerTensorFixedPoint
from brevitas.quant.fixed_point import Int8WeightPerChannelFixedPoint
from torch import nn

from examples.image_training import CLASSES

BITS = 4
PIXEL_STEP = 2.0**-8
"""What the networks multiply the pixels, 0..255, by."""


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> Any:
    """A padded convolution without bias, one scale a channel, and its batch normalisation."""
    return nn.Sequential(
        QuantConv2d(
            inputs,
            outputs,
            kernel,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
            bias=False,
            weight_quant=Int8WeightPerChannelFixedPoint,
            weight_bit_width=BITS,
        ),
        nn.BatchNorm2d(outputs),
    )


def activation(channels: int | None = None) -> Any:
    """ReLU and unsigned quantiser.

    Args:
        channels: give each of so many channels a scale of its own.
    """
    per_channel = (
        {}
        if channels is None
        else {
            "scaling_per_output_channel": True,
            "per_channel_broadcastable_shape": (1, channels, 1, 1),
            "scaling_stats_permute_dims": (1, 0, 2, 3),
        }
    )
    return QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, bit_width=BITS, return_quant_tensor=True, **per_channel)


def classifier(inputs: int) -> Any:
    """The dense layer at the end. Without a bias the hardware can order the scores, and gives a label."""
    return QuantLinear(inputs, CLASSES, bias=False, weight_quant=Int8WeightPerTensorFixedPoint, weight_bit_width=BITS)
