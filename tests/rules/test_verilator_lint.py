"""The lint of a stitched design: cores are read for their ports, every warning of the top itself counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "rules" / "verilator" / "lint.py"
CORE = """module core (input wire aclk, input wire [3:0] s_data, output wire [3:0] m_data);
    kernel #(.WIDTH(4)) kernel (.aclk(aclk), .s_data(s_data), .m_data(m_data));
endmodule
"""
TOP = """module top (input wire aclk, input wire [3:0] s_data, output wire [3:0] m_data);
    wire [3:0] between;
    core first (.aclk(aclk), .s_data(s_data), .m_data(between));
    core second (.aclk(aclk), .s_data(between), .m_data(m_data));
endmodule
"""


def lint(folder: Path, top: str, core: str = CORE) -> subprocess.CompletedProcess[str]:
    (folder / "top.v").write_text(top)
    (folder / "core.v").write_text(core)
    arguments = ["--top", "top", "--output", "lint.txt", "top.v", "--cores", "core.v"]
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], cwd=folder, capture_output=True, text=True)


def test_cores_without_kernels_are_no_warning(tmp_path: Path) -> None:
    result = lint(tmp_path, TOP)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "lint.txt").read_text() == "top: no warning in\n  top.v\n"


@pytest.mark.parametrize(
    ("right", "wrong", "warning"),
    [
        ("wire [3:0] between", "wire [2:0] between", "WIDTH"),
        (", .m_data(between)", "", "PINMISSING"),
        (".m_data(between)", ".m_data()", "PINCONNECTEMPTY"),
        ("wire [3:0] between;", "wire [3:0] between, other;", "UNUSEDSIGNAL"),
        ("core second", "cores second", "MODMISSING"),
        (".m_data(m_data)", ".m_date(m_data)", "PINNOTFOUND"),
    ],
)
def test_what_is_wrong_between_them_fails(tmp_path: Path, right: str, wrong: str, warning: str) -> None:
    assert right in TOP
    result = lint(tmp_path, TOP.replace(right, wrong))
    assert result.returncode != 0
    assert warning in result.stderr
    assert not (tmp_path / "lint.txt").exists()
