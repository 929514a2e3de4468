"""Labelled images that the convolutional examples are trained on: Fashion-MNIST, and CIFAR-10 where it is.

Fashion-MNIST is Debian's package ``dataset-fashion-mnist``. Of CIFAR-10 the binary version is read
(``cifar-10-binary.tar.gz``, unpacked), which the user downloads.
"""

from __future__ import annotations

import gzip
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where the Debian package has its files."""

SIZE = 32
"""Height and width of all images: the 28 x 28 pixels of Fashion-MNIST get a black border of two."""

_CIFAR_CHANNELS = 3

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ImageSet:
    """Attributes: images, uint8 (images, channels, 32, 32); labels, uint8 (images,), 0..9."""

    images: Bytes
    labels: Bytes


def read_fashion_mnist(folder: Path, *, train: bool) -> ImageSet:
    """60,000 grey images of clothing to train with, or 10,000 to test.

    Args:
        folder: with the four gzipped idx files.
        train: which of the two sets.
    """
    name = "train" if train else "t10k"
    images = _read_idx(folder / f"{name}-images-idx3-ubyte.gz")
    border = (SIZE - images.shape[1]) // 2
    padded = np.pad(images, ((0, 0), (border, border), (border, border)))
    return ImageSet(padded[:, np.newaxis], _read_idx(folder / f"{name}-labels-idx1-ubyte.gz"))


def read_cifar10(folder: Path, *, train: bool) -> ImageSet:
    """50,000 coloured images to train with, or 10,000 to test.

    Args:
        folder: with ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``.
        train: which of the two sets.
    """
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] if train else ["test_batch.bin"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        sys.exit(f"{folder} holds no {missing[0]}. Unpack the binary version of CIFAR-10 there.")
    # A record is a label and the three planes of an image.
    record = 1 + _CIFAR_CHANNELS * SIZE * SIZE
    records = np.concatenate([np.fromfile(folder / name, np.uint8).reshape(-1, record) for name in names])
    return ImageSet(records[:, 1:].reshape(-1, _CIFAR_CHANNELS, SIZE, SIZE), records[:, 0])


def _read_idx(path: Path) -> Bytes:
    """One gzipped idx file of bytes: two zero bytes, the element type, the number of dimensions, each as 32 bits."""
    if not path.is_file():
        sys.exit(f"There is no {path}. On Debian: apt install dataset-fashion-mnist; or give --data DIR.")
    data = gzip.decompress(path.read_bytes())
    dimensions = data[3]
    shape = np.frombuffer(data, ">u4", count=dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(tuple(int(size) for size in shape))
