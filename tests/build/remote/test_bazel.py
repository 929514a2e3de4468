"""Bazel and finnmake use one server at once: both speak its HTTP cache protocol."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.build.remote.test_sharing import project, tasks
from tests.support.cache_servers import nginx_server

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]


def bazel(folder: Path, base: Path, *arguments: str) -> str:
    program = shutil.which("bazel")
    if program is None:
        pytest.skip("Bazel is not installed (apt install bazel-bootstrap)")
    command = [program, "--batch", f"--output_user_root={base}", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def test_bazel_and_finnmake_share_a_server(tmp_path: Path) -> None:
    folder = tmp_path / "bazel"
    folder.mkdir()
    (folder / "WORKSPACE").touch()
    (folder / "BUILD").write_text(
        'genrule(name = "a", outs = ["a.txt"], cmd = "echo a > $@")\n'
        'genrule(name = "b", srcs = ["a.txt"], outs = ["b.txt"], cmd = "cat $< $< > $@")\n'
    )
    with nginx_server(tmp_path / "server") as server:
        build = ("build", "//:b", f"--remote_cache={server.url}")
        assert "remote cache hit" not in bazel(folder, tmp_path / "base", *build)
        assert project(tmp_path / "one", server.url).build(tasks()) == {"double": "run"}
        bazel(folder, tmp_path / "base", "clean")
        assert "2 remote cache hit" in bazel(folder, tmp_path / "base", *build)
        assert project(tmp_path / "other", server.url, "read").build(tasks()) == {"double": "remote"}
