"""The example builds on a remote engine what it builds on this machine: the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from finnmake.cli import main
from tests.support.engine import casd_engine
from tests.support.example import copied_example, files_of

FINAL = {
    "layers": ("manifest.json", "reference/expected.npy"),
    "bitstream": ("manifest.json", "mnist_mlp.bit", "report.txt", "report.json", "deploy/driver.py"),
}


@pytest.mark.parametrize("until", ["layers", pytest.param("bitstream", marks=pytest.mark.nightly)])
@pytest.mark.timeout(3600)
def test_a_remote_build_gives_the_bytes_of_a_local_one(
    until: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    remote, local = copied_example(tmp_path / "remote"), copied_example(tmp_path / "local")
    with casd_engine(tmp_path / "engine") as engine:
        assert main(["-C", str(remote), "build", "--until", until, f"--remote-exec={engine.url}", "-j", "4"]) == 0
    said = capfd.readouterr()
    assert said.err == ""  # nothing was left to this machine
    monkeypatch.chdir(tmp_path)
    assert main(["-C", str(local), "build", "--until", until, "-j", "2"]) == 0
    found, expected = files_of(remote / "build" / "mnist_mlp"), files_of(local / "build" / "mnist_mlp")
    assert {name: expected[name] for name in found} == found
    # Here is what users build for, and not what lies between.
    assert set(FINAL[until]) <= set(found)
    assert not [name for name in found if name.startswith(("graph/1", "simulator/"))]
    # The bytes that are not here are the same, too: a local build finds nothing to do but to make them.
    assert len(found) < len(expected)
