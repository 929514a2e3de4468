"""File systems that know no locks: a build says so, and which folder to put elsewhere. A library takes their part."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.build.test_doit_commands import ROOT
from tests.build.test_faults import prepare

LIBRARY = Path(__file__).with_name("no_locks.c")
NUMBERS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not there, which compiles what takes the file system's part")
    target = tmp_path_factory.mktemp("no_locks") / "no_locks.so"
    subprocess.run([compiler, "-Wall", "-Wextra", "-shared", "-fPIC", "-o", target, LIBRARY], check=True)
    return target


def environment(library: Path, below: Path, number: int) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LD_PRELOAD": str(library),
        "NO_LOCKS_BELOW": str(below),
        "NO_LOCKS_ERRNO": str(number),
    }


def build(folder: Path, task: str) -> None:
    command = [sys.executable, "-m", "doit", task]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)


def refusal(folder: Path, variables: dict[str, str], *arguments: str) -> str:
    """What a build that has to fail says."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    assert "no locks" in said
    return said


@pytest.mark.parametrize("number", NUMBERS)
def test_a_store_without_locks(tmp_path: Path, library: Path, number: int) -> None:
    folder, store = prepare(tmp_path / "workspace"), tmp_path / "store"
    (folder / "finnmake.toml").write_text(f'[store]\npath = "{store}"\n')
    said = refusal(folder, environment(library, store, number), "doit")
    assert f"{store}: the store cannot be used: " in said
    assert os.strerror(number) in said
    assert "name a folder on another one in finnmake.toml ([store] path)" in said
    assert not (folder / "out").exists() or list((folder / "out").iterdir()) == []
    build(folder, "net:0.0")


@pytest.mark.parametrize("number", NUMBERS[:2])
def test_a_workspace_without_locks(tmp_path: Path, library: Path, number: int) -> None:
    folder = prepare(tmp_path / "workspace")
    said = refusal(folder, environment(library, folder, number), "doit")
    assert f"{folder / '.finnmake'}: the file system knows no locks" in said
    assert "move the workspace" in said


def test_scratch_directories_without_locks(tmp_path: Path, library: Path) -> None:
    folder = prepare(tmp_path / "workspace")
    scratch = folder / ".finnmake" / "scratch"
    said = refusal(folder, environment(library, scratch, errno.ENOLCK), "doit")
    assert f"{scratch}: the file system knows no locks" in said


def test_a_collection_without_locks(tmp_path: Path, library: Path) -> None:
    folder, store = prepare(tmp_path / "workspace"), tmp_path / "store"
    (folder / "finnmake.toml").write_text(f'[store]\npath = "{store}"\n')
    build(folder, "net:0.0")
    said = refusal(folder, environment(library, store, errno.ENOLCK), "finnmake.cli", "cache", "clear", "--yes")
    assert f"{store}: the store cannot be used: " in said
