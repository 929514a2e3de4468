"""What the training scripts of the convolutional examples share: command line, training, accuracy, export.

The networks take images as ``float32 (images, channels, 32, 32)``, as fractions (pixel / 255) or as the pixels
themselves, and give one score for each of the ten classes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from brevitas.export import export_qonnx
from torch.nn import functional

from examples.image_sets import FASHION_MNIST, SIZE, Bytes, ImageSet, read_cifar10, read_fashion_mnist
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper

CLASSES = 10
SAMPLES = 100
"""Test images that lie beside each model."""


def parser(description: str, *, epochs: int, learning_rate: float) -> argparse.ArgumentParser:
    """The command line of a training script, with its own defaults."""
    arguments = argparse.ArgumentParser(description=description)
    source = arguments.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, default=FASHION_MNIST, help="folder of Fashion-MNIST's four idx files")
    source.add_argument("--cifar10", type=Path, help="folder of the binary version of CIFAR-10, in place of it")
    arguments.add_argument("--output", type=Path, help="folder to write to (default: the script's)")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--epochs", type=int, default=epochs)
    arguments.add_argument("--batch", type=int, default=100)
    arguments.add_argument("--learning-rate", type=float, default=learning_rate)
    arguments.add_argument("--threads", type=int, default=1, help="another number may give other weights (default: 1)")
    return arguments


def prepare(arguments: argparse.Namespace) -> tuple[ImageSet, ImageSet]:
    """Makes PyTorch deterministic; gives the images to train with and those to test."""
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    if arguments.cifar10 is not None:
        return read_cifar10(arguments.cifar10, train=True), read_cifar10(arguments.cifar10, train=False)
    return read_fashion_mnist(arguments.data, train=True), read_fashion_mnist(arguments.data, train=False)


def as_input(images: Bytes, white: float) -> torch.Tensor:
    """Pixels, uint8 (images, channels, 32, 32), as a network's input: the same shape, float32 in 0..``white``."""
    return torch.from_numpy(images.astype(np.float32) / np.float32(255 / white))


def train(
    model: Any, images: ImageSet, arguments: argparse.Namespace, white: float, *, largest_weight: float | None = None
) -> None:
    """Trains in place: Adam with a one-cycle learning rate.

    Args:
        model: a ``torch.nn.Module``.
        images: to train with.
        arguments: of the command line.
        white: what the model takes for a pixel of 255.
        largest_weight: keep float weights within this after each step, where they still feel their gradients.
    """
    labels = torch.from_numpy(images.labels.astype(np.int64))
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.learning_rate)
    steps = len(labels) // arguments.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=arguments.learning_rate, total_steps=arguments.epochs * steps
    )
    random = torch.Generator().manual_seed(arguments.seed)
    start = time.monotonic()
    for epoch in range(arguments.epochs):
        model.train()
        total = 0.0
        for chosen in torch.randperm(len(labels), generator=random).split(arguments.batch)[:steps]:
            loss = functional.cross_entropy(model(as_input(images.images[chosen.numpy()], white)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if largest_weight is not None:
                _clip(model, largest_weight)
            total += loss.item()
        seconds = time.monotonic() - start
        print(f"epoch {epoch + 1:2d}/{arguments.epochs}  loss {total / steps:.4f}  {seconds:6.0f} s", flush=True)


def quantised_layers(model: Any) -> list[Any]:
    """The convolutions and matrices of a network."""
    return [layer for layer in model.modules() if hasattr(layer, "quant_weight")]


def _clip(model: Any, largest: float) -> None:
    with torch.no_grad():
        for layer in quantised_layers(model):
            layer.weight.clamp_(-largest, largest)


def accuracy(model: Any, images: ImageSet, white: float) -> float:
    """The share of images whose largest score (the first among equals) is at their label, 0..1."""
    model.eval()
    with torch.no_grad():
        # numpy's argmax promises the first among equals, as LabelSelect does; torch's promises nothing.
        chosen = np.concatenate(
            [
                model(as_input(images.images[first : first + 500], white)).numpy().argmax(axis=1)
                for first in range(0, len(images.labels), 500)
            ]
        )
    return float((chosen == images.labels).mean())


def export(model: Any, channels: int, path: Path) -> None:
    """Writes the model as QONNX.

    The weights are written as they are after quantisation: the same function, in a file that compresses well.
    """
    model.eval()
    with torch.no_grad():
        for layer in quantised_layers(model):
            layer.weight.copy_(layer.quant_weight().value)
    export_qonnx(
        model,
        torch.zeros(1, channels, SIZE, SIZE),
        export_path=str(path),
        dynamo=False,
        opset_version=13,
        input_names=["image"],
        output_names=["scores"],
    )


def run(network: Callable[[int], Any], arguments: argparse.Namespace, path: Path) -> None:
    """Trains a network on pixels, 0..255, measures on the test images, exports; writes the samples beside it.

    Args:
        network: makes it for images of so many channels.
        arguments: of the command line.
        path: of the model.
    """
    images, test = prepare(arguments)
    channels = images.images.shape[1]
    model = network(channels)
    train(model, images, arguments, white=255.0)
    measured = accuracy(model, test, white=255.0)
    export(model, channels, path)
    wrapper = ModelWrapper(path)
    wrapper.set_tensor_datatype(wrapper.graph.inputs[0], DataType["UINT8"])
    onnx.save(wrapper.to_proto(), path)
    print(f"{path.name}: accuracy on {len(test.labels)} test images {100 * measured:.2f} %")
    write_samples(path.parent, test)


def write_samples(folder: Path, test: ImageSet) -> None:
    """The first test images, uint8 (100, channels, 32, 32), and their labels."""
    np.save(folder / "test_images.npy", test.images[:SAMPLES])
    np.save(folder / "test_labels.npy", test.labels[:SAMPLES])
