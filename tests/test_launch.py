"""The command's entry point: what it does before, and instead of, importing the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from finnmake import launch
from finnmake.build import stamp


class _Interrupted(ModuleType):
    """A module whose import is interrupted."""

    def __getattr__(self, name: str) -> object:
        raise KeyboardInterrupt


def test_an_interrupt_during_imports_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "finnmake.cli", _Interrupted("finnmake.cli"))
    monkeypatch.setattr(sys, "argv", ["finnmake", "doctor"])
    assert launch.main() == 130
    assert capsys.readouterr().err == "finnmake: interrupted\n"


def test_an_interrupt_before_the_answer_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(folder: str, command: list[str]) -> str:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stamp, "answer", answer)
    monkeypatch.setattr(sys, "argv", ["finnmake", "build"])
    assert launch.main() == 130
    assert capsys.readouterr().err == "finnmake: interrupted\n"
