"""Real servers on loopback, and one that misbehaves."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from finnmake.build.configuration import RemoteConfiguration
from finnmake.build.digest import Digest
from finnmake.build.remote.cache import RemoteCache, open_remote
from tests.support.cache_servers import SERVERS, Server, buildgrid_server

EVERY_NIGHT = {"buildgrid": buildgrid_server}


@pytest.fixture(
    scope="session", params=[*sorted(SERVERS), *(pytest.param(name, marks=pytest.mark.nightly) for name in EVERY_NIGHT)]
)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with {**SERVERS, **EVERY_NIGHT}[request.param](tmp_path_factory.mktemp(request.param) / "server") as found:
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
