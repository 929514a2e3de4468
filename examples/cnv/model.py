"""Writes CNV in full size with random weights: 64 to 256 channels, 32 x 32 coloured pixels, 1.5 million weights.

python -m examples.cnv.model w1a1 cnv.onnx    # in the folder of the checkout
"""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx

from examples.random_networks import RandomNetwork

VARIANTS = {"w1a1": (1, 1), "w1a2": (1, 2), "w2a2": (2, 2)}
"""Bits of weights and of activations."""


def cnv(weight_bits: int, activation_bits: int, width: int = 64, classes: int = 10, seed: int = 0) -> onnx.ModelProto:
    """The model.

    Args:
        weight_bits: 1 or 2.
        activation_bits: 1 or 2.
        width: channels of the first two convolutions; all others are in proportion.
        classes: outputs.
        seed: of weights and normalisations.
    """
    network = RandomNetwork(32, seed)
    x = network.image
    for stage in range(3):
        for _ in range(2):
            x = network.convolution(x, width << stage, 3, bits=weight_bits, pad=False)
            x = network.signed_activation(x, activation_bits)
        if stage < 2:
            x = network.max_pool(x, 2, 2)
    for _ in range(2):
        # A dense layer: by now an image is one pixel.
        x = network.convolution(x, 8 * width, 1, bits=weight_bits)
        x = network.signed_activation(x, activation_bits)
    return network.scores(x, classes, weight_bits)


def main() -> None:
    """Writes the model of the variant to the file that is named."""
    parser = argparse.ArgumentParser(description="Writes CNV in full size with random weights.")
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("path", type=Path)
    arguments = parser.parse_args()
    onnx.save(cnv(*VARIANTS[arguments.variant]), arguments.path)


if __name__ == "__main__":
    main()
