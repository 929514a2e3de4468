"""Two machines, one cache: what one has built, the other downloads.

    python examples/team_sharing/share.py [--until STAGE] [--url ADDRESS] [--user NAME]

Both "machines" are folders with an example of their own, stores of their own and homes of their own; what they share
is one remote cache: that of ``--url``, or an nginx that is started here for as long as the script runs. Machine A
builds and uploads. Machine B builds the same and must run nothing. B changes the folding of one layer, and only what
depends on it may run; A makes the same change and must run nothing. Anything else ends the script with an error.

Run as root with ``--user``, B is that user of the system, who must be able to read this Python and its packages.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parents[1] / "mnist_mlp"
FILES = ("dodo.py", "fold.json", "mnist_mlp.onnx", "test_images.npy", "test_labels.npy")
LAYER, FOLDING = "MatrixVectorActivation_2", {"PE": 4}

# As Bazel's documentation configures nginx as a remote cache, for one process and this user. What may be added: to
# `listen`, above all TLS, and who may do what.
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}{listen};
    root {folder}/data;
    client_max_body_size 0;
    location ~ "^/(ac|cas)/[0-9a-f]{{64}}$" {{ {access} dav_methods PUT; create_full_put_path on; }}
    location / {{ return 404; }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """The address of a cache server that lives as long as the context."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        sys.exit("nginx is not installed: apt install nginx-light, or name a cache with --url")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    (folder / "data").mkdir(parents=True)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, listen="", access=""))
    server = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@dataclass(frozen=True)
class Machine:
    """A checkout of the example with an empty store and a home of its own, of one user (None: who runs this)."""

    name: str
    folder: Path
    user: str | None = None

    @classmethod
    def new(cls, name: str, folder: Path, url: str, user: str | None = None) -> Machine:
        """Copies the example and names the cache."""
        (folder / "home").mkdir(parents=True)
        for file in FILES:
            shutil.copy(EXAMPLE / file, folder / file)
        (folder / "finnmake.toml").write_text(f'[remote]\nurl = "{url}"\nrole = "read-write"\n')
        if user is not None:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
        return cls(name, folder, user)

    def build(self, until: str) -> dict[str, Any]:
        """One build; what it did."""
        command = [sys.executable, "-m", "finnmake.cli", "-C", str(self.folder), "build", "--until", until, "--json"]
        environment = {**os.environ, "HOME": str(self.folder / "home"), "USER": self.user or self.name}
        group = None if self.user is None else pwd.getpwnam(self.user).pw_gid
        done = subprocess.run(
            command, env=environment, user=self.user, group=group, extra_groups=None if group is None else [],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{self.name}: {done.stderr or done.stdout}")
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def change_one_layer(self) -> None:
        """Another folding of one layer."""
        path = self.folder / "fold.json"
        folding = json.loads(path.read_text())
        folding[LAYER].update(FOLDING)
        path.write_text(json.dumps(folding, indent=1))


def check(said: dict[str, Any], *, runs: bool, what: str) -> None:
    """Prints a line of the table; ends the script where something ran that should not, or the other way round."""
    actions = said["actions"]
    print(
        f"{what:40}{said['seconds']:9.1f}{actions['run']:6}{actions['remote']:8}{actions['up_to_date']:12}", flush=True
    )
    if bool(actions["run"]) != runs:
        sys.exit(f"{what}: {actions['run']} actions ran: {', '.join(said['ran'])}")


def share(root: Path, url: str, until: str, user: str | None) -> None:
    """The four builds."""
    # For the other user too.
    root.chmod(0o755)
    a = Machine.new("a", root / "machine-a" / "project", url)
    b = Machine.new("b", root / "somewhere" / "else" / "on-machine-b", url, user)
    print(f"{'':40}{'seconds':>9}{'run':>6}{'remote':>8}{'up to date':>12}")
    check(a.build(until), runs=True, what="A builds and uploads")
    check(b.build(until), runs=False, what="B builds the same")
    b.change_one_layer()
    changed = b.build(until)
    check(changed, runs=True, what=f"B changes {LAYER}")
    others = [name for name in changed["ran"] if "MatrixVectorActivation" in name and LAYER not in name]
    if others:
        sys.exit(f"other layers ran, too: {', '.join(others)}")
    a.change_one_layer()
    check(a.build(until), runs=False, what="A makes the same change")


def main() -> None:
    """Runs it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", default="rtlsim", help="last stage to build (default: rtlsim)")
    parser.add_argument("--url", help="address of a remote cache (default: an nginx of its own)")
    parser.add_argument("--user", help="system user that machine B belongs to; needs root")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        if options.url:
            share(root, options.url, options.until, options.user)
        else:
            with nginx(root / "server") as url:
                share(root, url, options.until, options.user)


if __name__ == "__main__":
    main()
