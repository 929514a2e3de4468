"""BuildGrid with PostgreSQL and two workers on loopback, each from its own packages."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.engine import REPOSITORY, buildbox, mounts

PYTHON = REPOSITORY / ".venv-buildgrid" / "bin" / "python"
POSTGRESQL = "/usr/lib/postgresql/*/bin/initdb"
SERVER = """
server:
  - !channel
    address: 127.0.0.1:{port}
    insecure-mode: true
connections:
  - !sql-connection &sql
    connection-string: {database}
    pool-size: 5
    pool-timeout: 30
    max-overflow: 10
storages:
  - !disk-storage &storage
    path: {folder}/cas
caches:
  - !lru-action-cache &cache
    storage: *storage
    max-cached-refs: 1024
    allow-updates: true
    cache-failed-actions: false
schedulers:
  - !sql-scheduler &scheduler
    sql: *sql
    storage: *storage
    action-cache: *cache
    bot-session-keepalive-timeout: 10
    property-set: !dynamic-property-set
      match-property-keys: [OSFamily, ISA]
      wildcard-property-keys: []
instances:
  - name: ""
    services:
      - !cas
        storage: *storage
      - !bytestream
        storage: *storage
      - !action-cache
        cache: *cache
      - !execution
        scheduler: *scheduler
      - !bots
        scheduler: *scheduler
thread-pool-size: 40
"""


@dataclass(frozen=True)
class Worker:
    """A worker's process and what it says: ``start ACTION`` and ``done ACTION`` lines."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> list[str]:
        """Its lines."""
        return self.log.read_text().splitlines()

    def kill(self) -> None:
        """As a machine that loses its power."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


@dataclass(frozen=True)
class Grid:
    """A running grid."""

    url: str
    workers: tuple[Worker, ...]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _process(command: list[str], log: Path, *, user: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    errors = log.with_suffix(".errors")
    with log.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True, user=user)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, log.with_suffix(".errors").read_text()[-3000:]
        time.sleep(0.1)
    raise AssertionError("the server does not answer")


@contextmanager
def _database() -> Iterator[str]:
    found = sorted(Path("/").glob(POSTGRESQL[1:]))
    if not found:
        pytest.skip("PostgreSQL is not installed (apt install postgresql-15)")
    programs = found[-1].parent
    # It refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="finnmake-database-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        port = _free_port()
        data = str(folder / "data")
        make = [str(programs / "initdb"), "-A", "trust", "-U", "grid", "-D", data]
        subprocess.run(make, check=True, capture_output=True, user=user, cwd="/")
        options = ["-c", "listen_addresses=127.0.0.1", "-p", str(port), "-k", str(folder)]
        log = folder / "log"
        with _process([str(programs / "postgres"), "-D", data, *options], log, user=user) as process:
            _wait(port, process, log)
            yield f"postgresql+psycopg2://grid@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_grid(folder: Path) -> Iterator[Grid]:
    """Runs a database, a server and two workers, and ends them all."""
    if not PYTHON.exists():
        pytest.skip("BuildGrid is not installed (make .venv-buildgrid/packages-ready)")
    runner = str(buildbox() / "buildbox-run")
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        database = stack.enter_context(_database())
        port = _free_port()
        (folder / "server.yml").write_text(SERVER.format(port=port, database=database, folder=folder))
        bgd = str(PYTHON.with_name("bgd"))
        migrated = subprocess.run([bgd, "migrate", "apply", database], capture_output=True, text=True, check=False)
        assert migrated.returncode == 0, migrated.stderr[-3000:]
        log = folder / "server.log"
        _wait(port, stack.enter_context(_process([bgd, "server", "start", str(folder / "server.yml")], log)), log)
        arguments = [f"--ro-bind-mount={here}:{there}" for there, here in mounts(folder / "machine").items()]
        bot = [str(PYTHON), "-P", str(Path(__file__).with_name("buildgrid_bot.py")), f"127.0.0.1:{port}"]
        workers = []
        for name in ("one", "two"):
            command = [*bot, name, runner, f"OSFamily={sys.platform}", "ISA=any", "--", *arguments]
            log = folder / f"{name}.log"
            workers.append(Worker(stack.enter_context(_process(command, log)), log))
        yield Grid(f"grpc://127.0.0.1:{port}", tuple(workers))
