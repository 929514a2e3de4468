"""A user's project: a folder with a model, a folding and a build file, and what can be asked of it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from tests.support.command import Installation
from tests.support.networks import Mlp

NAME = "net"
BASE = Mlp(sizes=(16, 8, 4), layer_seeds=(0, 1))
FOLDING: dict[str, dict[str, object]] = {
    "Thresholding_0": {"PE": 4},
    "MatrixVectorActivation_0": {"SIMD": 4, "PE": 2},
    "MatrixVectorActivation_1": {"SIMD": 2, "PE": 1},
}
BUILD_FILE = """from finnmake import Accelerator

net = Accelerator({arguments})
"""
SHARED_TOOL_STEPS = frozenset({"simulator", "linked_design"})
TOOL_STEPS = frozenset({"lint", "cppsim_build", "rtlsim_build", "synth"})
"""Steps of a layer, and of the design, that run a tool. Those above are of no layer and of no design."""


@dataclass(frozen=True)
class Build:
    """What ``finnmake build --json`` said."""

    body: Mapping[str, Any]

    @property
    def actions(self) -> Mapping[str, int]:
        """Outcome -> number of actions."""
        actions: Mapping[str, int] = self.body["actions"]
        return actions

    @property
    def ran(self) -> set[str]:
        """Names of the tasks that ran, without the target's."""
        return {name.partition(":")[2] for name in self.body["ran"]}

    @property
    def tools(self) -> set[str]:
        """Those of ``ran`` that ran a tool."""
        return {name for name in self.ran if name.rpartition(".")[2] in TOOL_STEPS or name in SHARED_TOOL_STEPS}

    def steps(self, layer: str) -> set[str]:
        """Steps of a layer that ran."""
        return {name.partition(".")[2] for name in self.ran if name.startswith(f"{layer}.")}


@dataclass(frozen=True)
class Project:
    """A folder that a user builds in.

    Attributes:
        folder: of the build file, and the workspace.
        installation: the finnmake that builds.
    """

    folder: Path
    installation: Installation

    @classmethod
    def create(cls, folder: Path, installation: Installation, network: Mlp = BASE, **arguments: object) -> Project:
        """Writes model, folding and build file."""
        folder.mkdir(parents=True)
        project = cls(folder, installation)
        project.write_model(network)
        project.write_folding(FOLDING)
        project.write_build_file(**arguments)
        return project

    def write_model(self, network: Mlp) -> None:
        """Writes ``net.onnx``."""
        onnx.save(network.model(), self.folder / "net.onnx")

    def write_folding(self, folding: Mapping[str, Mapping[str, object]]) -> None:
        """Writes ``fold.json``."""
        (self.folder / "fold.json").write_text(json.dumps(folding))

    def write_build_file(self, **arguments: object) -> None:
        """Writes ``dodo.py``; arguments are those of ``Accelerator`` that are not as usual."""
        values = {"model": "net.onnx", "board": "ulx3s-85f", "fold": "fold.json", **arguments}
        text = ", ".join(f"{name}={value!r}" for name, value in values.items())
        (self.folder / "dodo.py").write_text(BUILD_FILE.format(arguments=text))

    def copied(self, folder: Path) -> Project:
        """The same project, with all that has been built, in another place."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder, self.installation)

    # -- commands --------------------------------------------------------------------------------------------------
    def finnmake(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs ``finnmake`` in the folder."""
        return self.installation.run("finnmake.cli", arguments, self.folder, environment)

    def doit(self, *arguments: str, status: int = 0, environment: Mapping[str, str] | None = None) -> str:
        """Runs ``doit`` in the folder, which must end with a status; what it printed."""
        done = self.installation.run("doit", arguments, self.folder, environment)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    def build(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Build:
        """Runs ``finnmake build --json``, which must succeed."""
        done = self.finnmake("build", *arguments, "--json", environment=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return Build(json.loads(done.stdout))

    def refused(self, *arguments: str, status: int = 1) -> str:
        """Runs ``finnmake``, which must fail as users are to see failures; what it said.

        One message on stderr or in the build's lines, no traceback, an intact store.
        """
        done = self.finnmake(*arguments)
        text = done.stdout + done.stderr
        assert done.returncode == status, text
        assert "Traceback" not in text
        assert text.count("FAILED ") + text.count("finnmake: ") == 1, text
        self.check_store()
        self.check_scratch()
        return text

    # -- what is there ---------------------------------------------------------------------------------------------
    @property
    def output(self) -> Path:
        """The accelerator's folder."""
        return self.folder / "build" / NAME

    @property
    def store(self) -> Path:
        """The local store."""
        return self.folder / ".finnmake" / "store"

    def manifest(self) -> list[dict[str, Any]]:
        """The layers of the manifest."""
        layers: list[dict[str, Any]] = json.loads((self.output / "manifest.json").read_text())["layers"]
        return layers

    def layers(self) -> list[str]:
        """Names of the layers, in stream order."""
        return [layer["name"] for layer in self.manifest()]

    def digests(self) -> dict[str, str]:
        """SHA-256 of every file below ``build/``."""
        return {
            path.relative_to(self.folder).as_posix(): _sha256(path)
            for path in sorted((self.folder / "build").rglob("*"))
            if path.is_file()
        }

    def check_store(self) -> None:
        """Every blob holds what its name says, and nothing but blobs and results is among them."""
        if not self.store.exists():
            return
        for path in (self.store / "cas").rglob("*"):
            if path.is_file():
                assert re.fullmatch("[0-9a-f]{64}", path.name), f"{path} is no blob"
                assert _sha256(path) == path.name, f"{path} is damaged"
        for path in (self.store / "ac").rglob("*"):
            assert path.is_dir() or re.fullmatch("[0-9a-f]{64}", path.name), f"{path} is no result"

    def check_scratch(self) -> None:
        """No action has left its scratch directory."""
        left = self.folder / ".finnmake" / "scratch"
        assert not left.exists() or not list(left.iterdir()), f"{left} is not empty"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
