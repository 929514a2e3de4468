"""What a change costs: the MNIST example built anew, then changed in one place after the other.

    python -m benchmarks.incremental [--until STAGE] [--jobs N]

Each row is one ``finnmake build``: seconds, its ratio to the first build, actions that ran, actions that the store
answered. A row of plain ``doit`` on as many up-to-date tasks stands beside the build with nothing to do.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

EXAMPLE = Path(__file__).parents[1] / "examples" / "mnist_mlp"

PLAIN_DODO = """
def task_plain():
    for number in range({count}):
        yield {{"name": str(number), "actions": ["cp ../fold.json " + str(number)], "file_dep": ["../fold.json"],
               "targets": [str(number)]}}
"""


def build(folder: Path, until: str, jobs: int) -> dict[str, Any]:
    """One build; its JSON and the seconds of the whole process."""
    command = [sys.executable, "-m", "finnmake.cli", "-C", str(folder), "build", "--until", until, "--json"]
    started = time.monotonic()
    done = subprocess.run([*command, "-j", str(jobs)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return {**json.loads(done.stdout), "process": time.monotonic() - started}


def set_folding(folder: Path, layer: str, **values: int) -> None:
    """Changes one layer in ``fold.json``."""
    path = folder / "fold.json"
    folding = json.loads(path.read_text())
    folding[layer].update(values)
    path.write_text(json.dumps(folding, indent=1))


def change_weights(folder: Path) -> None:
    """Another network of the same structure: the columns of every weight matrix are shuffled."""
    path = folder / "mnist_mlp.onnx"
    model = onnx.load(path)
    random = np.random.default_rng(1)
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.ndim == 2:
            tensor.CopyFrom(numpy_helper.from_array(random.permutation(array, axis=1), tensor.name))
    onnx.save(model, path)


def rename(folder: Path) -> None:
    """Another spelling of every node name."""
    path = folder / "mnist_mlp.onnx"
    model = onnx.load(path)
    for number, node in enumerate(model.graph.node):
        node.name = f"renamed_{number}"
    onnx.save(model, path)


def plain_doit(folder: Path, tasks: int) -> float:
    """Seconds of a plain doit with nothing to do on as many tasks."""
    plain = folder / "plain"
    plain.mkdir()
    (plain / "dodo.py").write_text(PLAIN_DODO.format(count=tasks))
    command = [sys.executable, "-m", "doit"]
    subprocess.run(command, cwd=plain, check=True, capture_output=True)
    started = time.monotonic()
    subprocess.run(command, cwd=plain, check=True, capture_output=True)
    return time.monotonic() - started


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--until", default="stitched")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    changes: list[tuple[str, Callable[[Path], None]]] = [
        ("first build", lambda folder: None),
        ("nothing changed", lambda folder: None),
        ("PE of one layer 8 to 4", lambda folder: set_folding(folder, "MatrixVectorActivation_2", PE=4)),
        ("changed back", lambda folder: set_folding(folder, "MatrixVectorActivation_2", PE=8)),
        ("node names changed", rename),
        ("other weights", change_weights),
    ]
    print(f"{'change':24}{'seconds':>9}{'ratio':>8}{'run':>6}{'store':>7}{'up to date':>12}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("mnist_mlp.onnx", "fold.json", "dodo.py", "test_images.npy", "test_labels.npy"):
            shutil.copy(EXAMPLE / name, folder / name)
        set_folding(folder, "MatrixVectorActivation_2")  # from here on the file is spelt as it will be after a change
        first = 0.0
        for name, change in changes:
            change(folder)
            body = build(folder, options.until, options.jobs)
            first = first or body["process"]
            actions = body["actions"]
            ratio = body["process"] / first
            print(
                f"{name:24}{body['process']:9.2f}{ratio:8.3f}{actions['run']:6}{actions['store']:7}{actions['up_to_date']:12}",
                flush=True,
            )
        tasks = sum(actions.values())
        print(f"plain doit, {tasks} up-to-date tasks: {plain_doit(folder, tasks):.2f} s")


if __name__ == "__main__":
    main()
