"""Writes the example's model: the topology of Tincy YOLO, with random weights.

Tincy YOLO (Preusser et al., DATE 2018) is Tiny YOLO with a stride in place of its first pooling, more channels in the
second convolution and fewer in the last ones. Its 3 x 3 convolutions have 1-bit weights and 3-bit activations, first
and last layer 8-bit weights. It takes 416 x 416 pixels and gives 13 x 13 x 125 numbers: for each of five boxes where
it is, how sure that is, and scores for twenty classes.

    python -m examples.tincy_yolo.model    # in the folder of the checkout: writes tincy_yolo.onnx and a sample
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx

from examples.random_networks import RandomNetwork

WEIGHT_BITS, ACTIVATION_BITS, OUTER_BITS = 1, 3, 8
CONVOLUTIONS = ((64, 2), (64, 2), (128, 2), (256, 2), (512, 1), (512, 0), (512, 0))
"""Channels of the inner convolutions, and the stride of the pooling behind each, 0 where there is none."""

BOX_NUMBERS = 5 * (4 + 1 + 20)


def tincy_yolo(size: int = 416, width: int = 16, seed: int = 0) -> onnx.ModelProto:
    """The model.

    Args:
        size: height and width of the images, a multiple of 32.
        width: channels of the first convolution; those of the inner ones are in proportion.
        seed: of weights and normalisations.
    """
    network = RandomNetwork(size, seed)
    x = network.convolution(network.image, width, 3, bits=OUTER_BITS, stride=2)
    x = network.activation(x, ACTIVATION_BITS)
    for channels, stride in CONVOLUTIONS:
        x = network.convolution(x, channels * width // 16, 3, bits=WEIGHT_BITS)
        x = network.activation(x, ACTIVATION_BITS)
        if stride:
            # Without a stride the image keeps its size: a row and a column of zeros behind it.
            x = network.max_pool(x, 2, stride, (0, 0, 0, 0) if stride > 1 else (0, 0, 1, 1))
    return network.maps(x, BOX_NUMBERS, OUTER_BITS)


def main() -> None:
    """Writes ``tincy_yolo.onnx``, and ``sample.npy`` with one random image, to the folder that is named."""
    parser = argparse.ArgumentParser(description="Writes the Tincy YOLO model with random weights, and a sample.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    folder = parser.parse_args().folder
    onnx.save(tincy_yolo(), folder / "tincy_yolo.onnx")
    np.save(folder / "sample.npy", np.random.default_rng(0).integers(0, 256, (1, 3, 416, 416), dtype=np.uint8))


if __name__ == "__main__":
    main()
