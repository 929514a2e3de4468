"""``finnmake worker doctor``: what a worker needs, and the exit status that says whether it is all there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finnmake.cli import main


@pytest.fixture
def worker_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of those where actions find the launcher."""
    monkeypatch.setattr("finnmake.flow.worker.WORKER_PATH", str(tmp_path))
    return tmp_path


def checks(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return {check["name"]: check["found"] for check in json.loads(capsys.readouterr().out)["checks"]}


def test_a_machine_without_the_launcher_does_not_qualify(worker_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", "doctor", "python"]) == 1
    said = capsys.readouterr().out
    assert "MISSING  launcher  finnmake-worker" in said
    assert "does not qualify" in said


def test_a_machine_with_everything_qualifies(
    worker_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = worker_path / "finnmake-worker"
    launcher.write_text("#!/bin/sh\n")
    launcher.chmod(0o755)
    # Whether this machine has bubblewrap is not what is tested.
    monkeypatch.setattr("finnmake.flow.worker._sandbox", list)
    assert main(["worker", "doctor", "python", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["ok"]
    assert body["properties"]["OSFamily"] == "linux"
    assert body["properties"]["python"].startswith("cpython 3.")
    assert body["properties"]["python:numpy"]
    assert "g++" not in body["properties"]


def test_a_missing_sandbox_and_a_missing_tool_are_named(
    worker_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(worker_path))
    assert main(["worker", "doctor", "--json"]) == 1
    found = checks(capsys)
    assert found["bubblewrap"] == found["user namespaces"] == found["g++"] == ""
    assert found["python"]


def test_an_unknown_tool_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", "doctor", "hammer"]) == 1
    assert "no rule declares a tool hammer" in capsys.readouterr().err
