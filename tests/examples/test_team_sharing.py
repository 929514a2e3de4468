"""The example of a shared cache: nothing runs twice, whoever builds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "team_sharing" / "share.py"


def share(until: str) -> list[list[str]]:
    """The table that the script prints: what, and the numbers of actions that ran, were downloaded, were there."""
    if shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        pytest.skip("nginx is not installed (apt install nginx-light)")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--until", until], capture_output=True, text=True, check=False, timeout=550
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split() for line in done.stdout.splitlines()[1:]]


def check(table: list[list[str]]) -> None:
    first, same, changed, back = ([int(number) for number in row[-3:]] for row in table)
    assert first[1:] == [0, 0]
    assert same == [0, first[0], 0]
    assert 0 < changed[0] < first[0] / 2
    assert back == [0, *changed[:1], changed[2]]


def test_cores_are_built_once_for_both() -> None:
    check(share("cores"))


@pytest.mark.nightly
def test_simulations_are_built_once_for_both() -> None:
    check(share("rtlsim"))
