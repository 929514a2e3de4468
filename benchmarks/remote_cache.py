"""What sharing through a remote cache costs on loopback: many blobs, and one large one, each way.

    python -m benchmarks.remote_cache [--blobs N] [--size BYTES] [--large BYTES]

nginx speaks Bazel's HTTP protocol, buildbox-casd speaks REAPI v2 over gRPC. Beside them stands curl with as many
parallel transfers on the same nginx, which hashes nothing and checks nothing. Each client is a process of its own; what
its memory grows by is the difference of its highest resident size to that after its first request.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cache_servers import SERVERS, Server

CLIENT = """
import json, re, sys, time
from pathlib import Path
from finnmake.build.configuration import RemoteConfiguration
from finnmake.build.digest import Digest
from finnmake.build.remote.cache import open_remote

def memory(which):
    # getrusage would begin with the highest size of the process that started this one.
    return int(re.search(which + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

url, folder, names = sys.argv[1], Path(sys.argv[2]), json.loads(sys.stdin.read())
blobs = [Digest(name, size) for name, size in names]
cache = open_remote(RemoteConfiguration(url, "read-write"))
cache.missing(blobs[:1])
(folder / "out").mkdir()
before, started = memory("VmRSS"), time.monotonic()
cache.upload({blob: folder / "in" / blob.sha256 for blob in cache.missing(blobs)})
up = time.monotonic() - started
started = time.monotonic()
found = cache.download({blob: folder / "out" / blob.sha256 for blob in blobs})
down = time.monotonic() - started
assert found == set(blobs)
print(json.dumps([up, down, (memory("VmHWM") - before) / 1024]))
"""


def make_blobs(folder: Path, count: int, size: int) -> list[tuple[str, int]]:
    """Files of random bytes, named by their SHA-256."""
    (folder / "in").mkdir(parents=True)
    names = []
    for _ in range(count):
        state = hashlib.sha256()
        temporary = folder / "in" / "new"
        with temporary.open("wb") as file:
            for start in range(0, size, 1 << 20):
                chunk = os.urandom(min(1 << 20, size - start))
                state.update(chunk)
                file.write(chunk)
        temporary.rename(folder / "in" / state.hexdigest())
        names.append((state.hexdigest(), size))
    return names


def finnmake(url: str, folder: Path, names: list[tuple[str, int]]) -> tuple[float, float, float]:
    """Seconds up, seconds down, MiB that the client grew by."""
    command = [sys.executable, "-c", CLIENT, url, str(folder)]
    done = subprocess.run(command, input=json.dumps(names), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    shutil.rmtree(folder / "out")
    up, down, grown = json.loads(done.stdout)
    return up, down, grown


def curl(url: str, folder: Path, names: list[tuple[str, int]]) -> tuple[float, float]:
    """Seconds up and down."""
    (folder / "out").mkdir()
    times = []
    for entry in ('upload-file = "{folder}/in/{name}"\noutput = "/dev/null"', 'output = "{folder}/out/{name}"'):
        lines = [f'url = "{url}/cas/{name}"\n{entry.format(folder=folder, name=name)}\n' for name, _ in names]
        started = time.monotonic()
        subprocess.run(
            ["curl", "--no-progress-meter", "--fail", "--parallel", "--parallel-max", "8", "--config", "-"],
            stderr=subprocess.DEVNULL,
            input="next\n".join(lines), text=True, check=True,
        )  # fmt: skip
        times.append(time.monotonic() - started)
    shutil.rmtree(folder / "out")
    return times[0], times[1]


@contextmanager
def server(name: str, folder: Path) -> Iterator[Server | None]:
    """A server of this kind, None where its program is not installed."""
    with SERVERS[name](folder) if _installed(name, folder) else _nothing() as found:
        yield found


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def _installed(name: str, folder: Path) -> bool:
    try:
        with SERVERS[name](folder.with_name(f"{folder.name}-probe")):
            return True
    except pytest.skip.Exception as reason:
        print(f"{name}: left out: {reason}", file=sys.stderr)
        return False


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--blobs", type=int, default=1000)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--large", type=int, default=1 << 30)
    options = parser.parse_args()
    print(f"{'client':26}{'blobs':>7}{'bytes each':>12}{'up s':>8}{'down s':>8}{'memory MiB':>12}")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for count, size in ((options.blobs, options.size), (1, options.large)):
            folder = root / f"blobs{count}x{size}"
            names = make_blobs(folder, count, size)
            for name in ("http", "grpc"):
                with server(name, root / f"{name}-{count}") as found:
                    if found is None:
                        continue
                    up, down, grown = finnmake(found.url, folder, names)
                    print(f"finnmake, {name:16}{count:7}{size:12}{up:8.2f}{down:8.2f}{grown:12.1f}", flush=True)
                    if name == "http" and shutil.which("curl"):
                        shutil.rmtree(found.folder)
                        found.folder.mkdir()
                        up, down = curl(found.url, folder, names)
                        print(f"{'curl, http':26}{count:7}{size:12}{up:8.2f}{down:8.2f}{'':>12}", flush=True)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
