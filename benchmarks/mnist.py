"""The whole MNIST test set through stitched RTL: accuracy, mismatches, cycles and time, beside the reference engine.

    python -m benchmarks.mnist --data FOLDER [MODEL.onnx ...]

FOLDER holds ``t10k-images-idx3-ubyte.gz`` and ``t10k-labels-idx1-ubyte.gz``. Without models: ``examples/mnist_mlp``.
Models are built with the example's folding.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXAMPLE = Path(__file__).parents[1] / "examples" / "mnist_mlp"


def read_idx(path: Path, offset: int) -> NDArray[np.uint8]:
    """The bytes behind the header of a gzipped idx file."""
    with gzip.open(path, "rb") as file:
        return np.frombuffer(file.read(), dtype=np.uint8)[offset:]


def finnmake(*arguments: str) -> dict[str, Any]:
    """Runs the command line; its JSON."""
    command = [sys.executable, "-m", "finnmake.cli", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    body: dict[str, Any] = json.loads(done.stdout)
    return body


def measure(where: Sequence[str], target: Sequence[str], folder: Path, labels: NDArray[np.uint8]) -> list[str]:
    """One row of the table, of a target of the build file that ``where`` names or of a bare model."""
    images = folder / "images.npy"
    outputs: dict[str, NDArray[np.int64]] = {}
    figures: dict[str, dict[str, Any]] = {}
    finnmake(*where, "build", *target, "--until", "stitched")
    for engine in ("reference", "stitched"):
        output = folder / f"{engine}.npy"
        files = ["--inputs", str(images), "--output", str(output)]
        figures[engine] = finnmake(*where, "run", *target, "--engine", engine, *files)
        outputs[engine] = np.load(output)
    rtl, reference = figures["stitched"], figures["reference"]
    mismatches = int((outputs["stitched"] != outputs["reference"]).sum())
    accuracy = 100 * float((outputs["stitched"] == labels).mean())
    return [
        f"{accuracy:.2f} %",
        str(mismatches),
        str(rtl["cycles_per_sample"]),
        str(rtl["first_latency_cycles"]),
        f"{rtl['seconds']:.1f}",
        f"{reference['seconds']:.2f}",
        f"{rtl['seconds'] / reference['seconds']:.0f}",
    ]


def targets(models: Sequence[Path]) -> list[tuple[str, list[str], list[str]]]:
    """Name, options before the command and target of each network."""
    if not models:
        return [("mnist_mlp", ["-C", str(EXAMPLE)], ["mnist_mlp"])]
    board = ["--board", "ulx3s-85f", "--fold", str(EXAMPLE / "fold.json")]
    return [(model.name.split(".")[0], [], [str(model.absolute()), *board]) for model in models]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("models", nargs="*", type=Path)
    options = parser.parse_args()
    images = read_idx(options.data / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    labels = read_idx(options.data / "t10k-labels-idx1-ubyte.gz", 8)
    header = ["network", "top-1", "mismatches", "cycles", "latency", "RTL s", "reference s", "ratio"]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.save(folder / "images.npy", images)
        for name, where, target in targets(options.models):
            started = time.monotonic()
            rows.append([name, *measure(where, target, folder, labels)])
            print(f"{name}: {time.monotonic() - started:.0f} s with building", file=sys.stderr)
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    print(f"{len(images)} images")
    for row in [header, *rows]:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    main()
