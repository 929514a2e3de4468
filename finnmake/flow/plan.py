"""Planned tasks: actions with their names, their stages and what must come before them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from finnmake.build.action import Action
from finnmake.flow.stages import Stage

MAIN_OUTPUTS = {
    "import/out/graph.onnx": "imported",
    "layers/out/manifest.json": "manifest",
    "layers/out/fold.json": "folding",
    "fifo_depths/out/fifo_depths.json": "fifo_depths",
    "reference/out/expected.npy": "expected",
    "resource_table/out/synthesis.md": "resource_table",
    "stitch/out/stitched.v": "stitched",
    "rtlsim/out/rtlsim.json": "stitched_simulation",
    "place_and_route/timing.json": "place_and_route",
    "timing/out/timing.json": "timing",
    "bitstream/design.bit": "bitstream",
    "deploy/out/deploy/": "deploy",
    "report/out/report.json": "report",
    "report/out/report.txt": "summary",
    "report/out/report.svg": "picture",
}
"""Short names of outputs in the JSON of a build, by step and scratch path."""


@dataclass(frozen=True)
class PlannedTask:
    """One action of an accelerator's build.

    Attributes:
        name: ``<accelerator>:<step>`` or ``<accelerator>:<layer>.<step>``.
        action: what is done.
        doc: one line for ``doit list``.
        stage: the earliest stage that includes it.
        after: names of tasks whose outputs it reads.
        expands: its output decides which further tasks there are.
    """

    name: str
    action: Action
    doc: str
    stage: Stage
    after: tuple[str, ...] = ()
    expands: bool = False

    @property
    def is_final(self) -> bool:
        """Whether its outputs are what users build for."""
        step = self.name.partition(":")[2]
        return any(f"{step}/{scratch}" in MAIN_OUTPUTS for scratch in self.action.outputs)


@dataclass(frozen=True)
class TargetContext:
    """What all tasks of a target share.

    Attributes:
        target: its name, the first part of task names.
        folder: the target's output folder, relative to the workspace.
        root: the workspace.
    """

    target: str
    folder: str
    root: Path

    def task(self, step: str) -> str:
        """Full name of a task of this target."""
        return f"{self.target}:{step}"

    def path(self, relative: str) -> str:
        """A file in the target's output folder, relative to the workspace, spelled as the output that makes it."""
        # A text: with pathlib, a load of two thousand tasks spends half of its time on paths.
        return self._prefix + relative

    @cached_property
    def _prefix(self) -> str:
        return "" if self.folder == "." else f"{self.folder}/"
