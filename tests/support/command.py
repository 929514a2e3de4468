"""Running the real commands, of a finnmake that is copied as a wheel would install it, in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import finnmake

DATA_FOLDERS = ("boards", "hls_library", "rules")
TIMEOUT_SECONDS = 500


@dataclass(frozen=True)
class Installation:
    """A copy of finnmake that commands import instead of the checkout, which may be edited while the tests run.

    Attributes:
        site: the folder that holds the package; its data lies where a wheel has it.
    """

    site: Path

    @classmethod
    def copied(cls, site: Path) -> Installation:
        """Copies the package and its data files."""
        package = Path(finnmake.__file__).resolve().parent
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, site / "finnmake", ignore=leave)
        for name in DATA_FOLDERS:
            if not (site / "finnmake/_data" / name).exists():
                shutil.copytree(package.parent / name, site / "finnmake/_data" / name, ignore=leave)
        return cls(site)

    @property
    def kernels(self) -> Path:
        """The kernel library."""
        return self.site / "finnmake/_data/hls_library"

    def environment(self, changes: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of commands."""
        return {**os.environ, **(changes or {}), "PYTHONPATH": str(self.site)}

    def run(
        self, module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs ``python -m module arguments`` in a folder to its end."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=self.environment(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )

    def start(self, module: str, arguments: Sequence[str], folder: Path) -> subprocess.Popen[str]:
        """Starts ``python -m module arguments`` as the leader of a process group."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
