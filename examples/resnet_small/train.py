"""Trains the example's residual network with Brevitas on Fashion-MNIST or CIFAR-10 and exports it as QONNX.

The network is a small ResNet: a 3 x 3 convolution, three blocks of two with 8, 16 and 32 channels, the average of the
image, a dense layer. The second and third block have a stride of two, and a 1 x 1 convolution of the same stride on
their short cut. Weights (one scale a channel) and activations have four bits; the two branches of a sum share their
scale.

    pip install "finnmake[train]"
    python -m examples.resnet_small.train    # in the folder of the checkout

The build does not need this script, PyTorch or Brevitas: the exported model lies beside it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from brevitas.nn import TruncAvgPool2d
from torch import nn

from examples.image_training import parser, run
from examples.quantised_layers import PIXEL_STEP, activation, classifier, convolution

CHANNELS = (8, 16, 32)
IMAGE_AFTER_STRIDES = 8


class Block(nn.Module):
    """Two convolutions and a short cut around them.

    Args:
        inputs: channels.
        outputs: channels.
        stride: of the first convolution and of the short cut's.
        before: the activation that made the block's input: a short cut without convolution has its scale.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, before: nn.Module) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, 3, stride)
        self.inner = activation()
        self.second = convolution(outputs, outputs, 3)
        self.short_cut = convolution(inputs, outputs, 1, stride) if stride > 1 else None
        self.branch = before if self.short_cut is None else activation()
        self.sum = activation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps the activations of the block before to this block's."""
        y = self.branch(self.second(self.inner(self.first(x))))
        x = x if self.short_cut is None else self.branch(self.short_cut(x))
        result: torch.Tensor = self.sum(x + y)
        return result


class SmallResNet(nn.Module):
    """The network: ``float32 (images, channels, 32, 32)`` of pixels, 0..255, to ``float32 (images, 10)`` scores.

    Args:
        channels: of the images.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        outputs = CHANNELS[0]
        self.stem = convolution(channels, outputs, 3)
        self.activation = activation()
        blocks: list[Block] = []
        inputs = outputs
        for outputs in CHANNELS:
            before = blocks[-1].sum if blocks else self.activation
            blocks.append(Block(inputs, outputs, 1 if inputs == outputs else 2, before))
            inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.pool = TruncAvgPool2d(IMAGE_AFTER_STRIDES, float_to_int_impl_type="FLOOR")
        self.flatten = nn.Flatten()
        self.classifier = classifier(inputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps images to scores."""
        x = self.blocks(self.activation(self.stem(PIXEL_STEP * images)))
        scores: torch.Tensor = self.classifier(self.flatten(self.pool(x)))
        return scores


def main() -> None:
    """Trains, measures on the 10,000 test images, exports."""
    options = parser("Trains the residual network and exports it as QONNX.", epochs=1, learning_rate=0.01).parse_args()
    run(SmallResNet, options, (options.output or Path(__file__).parent) / "resnet_small.onnx")


if __name__ == "__main__":
    main()
