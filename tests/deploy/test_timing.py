"""The timing check of a routed design."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finnmake.deploy.actions import check_timing
from finnmake.errors import BoardError, ToolError


def write_reports(folder: Path, achieved: dict[str, float], clock_mhz: float) -> None:
    fmax = {name: {"achieved": value, "constraint": clock_mhz} for name, value in achieved.items()}
    report = {"fmax": fmax, "utilization": {"TRELLIS_COMB": {"used": 7, "available": 100}}}
    (folder / "place_and_route.json").write_text(json.dumps(report))
    (folder / "shell.json").write_text(json.dumps({"clock_mhz": clock_mhz}))


def test_slowest_clock_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_reports(tmp_path, {"fast": 200.0, "slow": 61.5}, 50.0)
    check_timing()
    timing = json.loads((tmp_path / "out/timing.json").read_text())
    assert (timing["clock"], timing["fmax_mhz"]) == ("slow", 61.5)
    assert [7, 100] in timing["utilisation"].values()


def test_clock_that_the_shell_makes_must_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_reports(tmp_path, {"slow": 50.1}, 50.2)
    with pytest.raises(BoardError, match=r"reaches 50\.1 MHz only"):
        check_timing()
    assert not (tmp_path / "out/timing.json").exists()


def test_report_without_a_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_reports(tmp_path, {}, 50.0)
    with pytest.raises(ToolError, match="names no clock"):
        check_timing()
