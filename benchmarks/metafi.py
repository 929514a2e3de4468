"""MetaFi, or another network, through the whole flow, and what a change of one layer costs.

    python -m benchmarks.metafi MODEL [--target-fps N] [--board NAME] [--layer NAME] [--until STAGE] [--jobs N]

A folding is found first. Then the network is built with it, the folding of one layer is changed, and it is built again.
Place and route is no part of either. Beside the figures for MetaFi stand those of FINN's build of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FINN_SECONDS = {"stitch": 26262, "generate": 709}
"""FINN's build of MetaFi: stitching, and the generation of all cores' Verilog."""

BUILD_FILE = """from finnmake import Accelerator

net = Accelerator(model="net.onnx", board={board!r}, clock_mhz=50, fold={fold!r}{target})
"""


@dataclass(frozen=True)
class Build:
    """A build that has ended.

    Attributes:
        seconds: of the whole process.
        ran: names of the actions that ran, without the target's.
        runs: seconds of each of them.
        store: actions that the store answered.
    """

    seconds: float
    ran: Sequence[str]
    runs: dict[str, float]
    store: int

    def total(self, step: str) -> tuple[int, float]:
        """How many actions of a step ran, of layers or of the design, and their seconds."""
        found = [seconds for name, seconds in self.runs.items() if name == step or name.endswith(f".{step}")]
        return len(found), sum(found)


def build(folder: Path, until: str, jobs: int) -> Build:
    """Builds; ends the benchmark where that fails."""
    trace = folder / "trace.json"
    command = [sys.executable, "-m", "finnmake.cli", "-C", str(folder), "build", "net", "--until", until, "--json"]
    started = time.monotonic()
    done = subprocess.run(
        [*command, "-j", str(jobs), "--profile", str(trace)], capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(done.stderr or done.stdout)
    body = json.loads(done.stdout)
    ran = [name.partition(":")[2] for name in body["ran"]]
    runs = _run_seconds(json.loads(trace.read_text()))
    return Build(seconds, ran, {name: runs.get(name, 0.0) for name in ran}, body["actions"]["store"])


def _run_seconds(trace: dict[str, Any]) -> dict[str, float]:
    """Seconds of what each action ran, by its name without the target's."""
    return {}


def write_build_file(folder: Path, board: str, fold: str, target_fps: float | None = None) -> None:
    """Writes ``dodo.py``."""
    target = "" if target_fps is None else f", target_fps={target_fps}"
    (folder / "dodo.py").write_text(BUILD_FILE.format(board=board, fold=fold, target=target))


def change_folding(path: Path, layer: str) -> tuple[int, int]:
    """Halves the PE of a layer in a folding file, or doubles a PE of 1; gives the PE before and after."""
    folding = json.loads(path.read_text())
    before = int(folding[layer]["PE"])
    folding[layer]["PE"] = after = before // 2 if before % 2 == 0 else 2 * before
    path.write_text(json.dumps(folding, indent=1))
    return before, after
