"""Trains the example's depthwise-separable network with Brevitas on Fashion-MNIST or CIFAR-10, exports it as QONNX.

The network is a small MobileNet: a 3 x 3 convolution with a stride of two, four pairs of a depthwise 3 x 3 and a
pointwise convolution with 16 to 64 channels, the average of the image, a dense layer. Weights and activations have four
bits. Each channel of the weights has a scale of its own, and so has each channel of activations that a depthwise
convolution takes.

    pip install "finnmake[train]"
    python -m examples.mobilenet_small.train    # in the folder of the checkout

The build does not need this script, PyTorch or Brevitas: the exported model lies beside it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from brevitas.nn import TruncAvgPool2d
from torch import nn

from examples.image_training import parser, run
from examples.quantised_layers import PIXEL_STEP, activation, classifier, convolution

FIRST = 16
BLOCKS = ((32, 1), (32, 1), (64, 2), (64, 1))
"""Output channels of each pair, and the stride of its depthwise convolution."""

IMAGE_AFTER_STRIDES = 8


class SmallMobileNet(nn.Module):
    """The network: ``float32 (images, channels, 32, 32)`` of pixels, 0..255, to ``float32 (images, 10)`` scores.

    Args:
        channels: of the images.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [convolution(channels, FIRST, 3, stride=2), activation(FIRST)]
        inputs = FIRST
        for number, (outputs, stride) in enumerate(BLOCKS, 1):
            layers += [convolution(inputs, inputs, 3, stride, groups=inputs), activation()]
            # The pooling behind the last block takes one scale.
            layers += [convolution(inputs, outputs, 1), activation(outputs if number < len(BLOCKS) else None)]
            inputs = outputs
        layers += [TruncAvgPool2d(IMAGE_AFTER_STRIDES, float_to_int_impl_type="FLOOR"), nn.Flatten()]
        self.layers = nn.Sequential(*layers, classifier(inputs))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps images to scores."""
        scores: torch.Tensor = self.layers(PIXEL_STEP * images)
        return scores


def main() -> None:
    """Trains, measures on the 10,000 test images, exports."""
    options = parser(
        "Trains the depthwise-separable network and exports it.", epochs=1, learning_rate=0.01
    ).parse_args()
    run(SmallMobileNet, options, (options.output or Path(__file__).parent) / "mobilenet_small.onnx")


if __name__ == "__main__":
    main()
