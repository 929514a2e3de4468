"""The example builds through Slurm what it builds on this machine: the same bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from finnmake.cli import main
from tests.support.slurm import slurm_cluster

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "mnist_mlp"


def copied_example(folder: Path) -> Path:
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("build", "__pycache__", ".finnmake"))
    (folder / "finnmake.toml").write_text("[slurm]\npoll_seconds = 1\n")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_build_through_slurm_gives_the_bytes_of_a_local_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    through_slurm, local = copied_example(tmp_path / "slurm"), copied_example(tmp_path / "local")
    with slurm_cluster(tmp_path / "cluster") as cluster:
        monkeypatch.setenv("SLURM_CONF", str(cluster.configuration))
        assert main(["-C", str(through_slurm), "build", "--until", "rtlsim", "--executor=slurm", "-j", "4"]) == 0
        # The actions of tools were jobs, all of them completed.
        states = cluster.ask("squeue", "--noheader", "--states=all", "--format=%T").split()
        assert len(states) >= 5
        assert set(states) <= {"COMPLETED", "COMPLETING"}
    monkeypatch.chdir(tmp_path)
    assert main(["-C", str(local), "build", "--until", "rtlsim", "-j", "2"]) == 0
    assert files_of(through_slurm / "build") == files_of(local / "build")
