"""The Xilinx rules on small cores: what they count, what they refuse, and that netlists are the same elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.rules.test_ecp5 import CORE, KERNEL, run_rule, weights

MULTIPLIER = """
module multiplier (
    input  wire aclk,
    input  wire [8:0] a,
    input  wire [8:0] b,
    output reg  [17:0] p
);
    always @(posedge aclk) p <= $signed(a) * $signed(b);
endmodule
"""
RAM = """
module ram (
    input  wire aclk,
    input  wire enable,
    input  wire [13:0] address,
    input  wire [71:0] value,
    output reg  [71:0] out
);
    (* ram_style = "ultra" *)
    reg [71:0] words [0:16383];
    always @(posedge aclk) begin
        if (enable) words[address] <= value;
        out <= words[address];
    end
endmodule
"""


def synthesise(
    family: str, folder: Path, top: str, files: dict[str, str], *, dsp: bool = False
) -> dict[str, int] | str:
    """Resource counts, or what was said where it failed."""
    parameters = {
        "top": top,
        "sources": [name for name in files if name.endswith(".v")],
        "dsp_options": [] if dsp else ["--no-dsp"],
    }
    result = run_rule(f"{family}_synth", folder, parameters, files)
    if result.returncode:
        return result.stdout + result.stderr
    counts: dict[str, int] = json.loads((folder / "resources.json").read_text())
    return counts


FILES = {"core.v": CORE, "scale.v": KERNEL, "weights.mem": weights(1)}


@pytest.mark.parametrize("family", ["xc7", "xcup"])
def test_a_core_with_a_memory(tmp_path: Path, family: str) -> None:
    counts = synthesise(family, tmp_path / "here", "scaled_core", FILES)
    assert isinstance(counts, dict), counts
    assert counts["BRAM"] == 1  # 512 words of 12 bits
    assert counts["DSP"] == 0
    assert counts["LUT"] > 12
    # Not two of 12 and one each for the stream and the index: Yosys moves registers into the block memory.
    assert 12 + 9 <= counts["FF"] <= 12 + 12 + 12 + 9 + 3
    netlist = (tmp_path / "here/netlist.il").read_text()
    assert str(tmp_path) not in netlist
    assert "/share/" not in netlist


def test_netlist_is_the_same_elsewhere(tmp_path: Path) -> None:
    for name in ("here", "a/deeper/place"):
        assert isinstance(synthesise("xc7", tmp_path / name, "multiplier", {"multiplier.v": MULTIPLIER}), dict)
    first, second = ((tmp_path / name / "netlist.il").read_bytes() for name in ("here", "a/deeper/place"))
    assert first == second


@pytest.mark.parametrize("dsp", [False, True])
def test_multipliers(tmp_path: Path, dsp: bool) -> None:
    counts = synthesise("xcup", tmp_path / "core", "multiplier", {"multiplier.v": MULTIPLIER}, dsp=dsp)
    assert isinstance(counts, dict), counts
    assert (counts["DSP"], counts["LUT"] == 0) == ((1, True) if dsp else (0, False))


def test_ultra_ram(tmp_path: Path) -> None:
    counts = synthesise("xcup", tmp_path / "core", "ram", {"ram.v": RAM})
    assert isinstance(counts, dict), counts
    assert (counts["URAM"], counts["BRAM"]) == (4, 0)  # 4,096 words of 72 bits each


def test_a_faulty_core_is_refused(tmp_path: Path) -> None:
    broken = {**FILES, "core.v": CORE.replace("wire [11:0] product;", "wire [11:0] product = product + 12'd1;")}
    said = synthesise("xc7", tmp_path / "core", "scaled_core", broken)
    assert isinstance(said, str)
    assert "ERROR" in said
