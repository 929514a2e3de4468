"""Writes the example's model: ResNet-50 with 1-bit weights and 2-bit activations, random.

First and last layer have 8-bit weights. The stride of a stage is that of its first 3 x 3 convolution and of the 1 x 1
convolution on its short cut. Both branches of a sum are quantised with one scale.

    python -m examples.resnet50.model    # in the folder of the checkout: writes resnet50.onnx and a sample
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx

from examples.random_networks import Images, RandomNetwork

WEIGHT_BITS, ACTIVATION_BITS, OUTER_BITS = 1, 2, 8
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Channels of the 3 x 3 convolutions, blocks, stride of the first block."""

EXPANSION = 4
"""Channels of a block's output for each of its 3 x 3 convolution's."""


def resnet50(size: int = 224, width: int = 64, classes: int = 1000, seed: int = 0) -> onnx.ModelProto:
    """The model.

    Args:
        size: height and width of the images, a multiple of 32.
        width: channels of the first convolution; all others are in proportion.
        classes: outputs.
        seed: of weights and normalisations.
    """
    network = RandomNetwork(size, seed)
    x = network.convolution(network.image, width, 7, bits=OUTER_BITS, stride=2)
    x = network.max_pool(network.activation(x, ACTIVATION_BITS), 3, 2, (1, 1, 1, 1))
    for channels, blocks, stride in STAGES:
        for block in range(blocks):
            x = _bottleneck(network, x, channels * width // 64, stride if block == 0 else 1)
    return network.scores(x, classes, OUTER_BITS)


def _bottleneck(network: RandomNetwork, x: Images, channels: int, stride: int) -> Images:
    y = network.activation(network.convolution(x, channels, 1, bits=WEIGHT_BITS), ACTIVATION_BITS)
    y = network.activation(network.convolution(y, channels, 3, bits=WEIGHT_BITS, stride=stride), ACTIVATION_BITS)
    outputs = EXPANSION * channels
    if x.channels != outputs:
        x = network.activation(network.convolution(x, outputs, 1, bits=WEIGHT_BITS, stride=stride), ACTIVATION_BITS)
    # A standard deviation that its quantiser gives the scale of the other branch.
    deviation = x.scale * (2**ACTIVATION_BITS - 1) / 2
    y = network.activation(network.convolution(y, outputs, 1, bits=WEIGHT_BITS, scale=deviation), ACTIVATION_BITS)
    return network.sum(x, y, ACTIVATION_BITS)


def main() -> None:
    """Writes ``resnet50.onnx``, and ``sample.npy`` with one random image, to the folder that is named."""
    parser = argparse.ArgumentParser(description="Writes the ResNet-50 W1A2 model with random weights, and a sample.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    folder = parser.parse_args().folder
    onnx.save(resnet50(), folder / "resnet50.onnx")
    np.save(folder / "sample.npy", np.random.default_rng(0).integers(0, 256, (1, 3, 224, 224), dtype=np.uint8))


if __name__ == "__main__":
    main()
