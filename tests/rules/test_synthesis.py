"""What the synthesis of all families does beyond Yosys' own flow: netlists stay what the Verilog says."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.rules.equivalence import prove, run_passes
from tests.rules.test_ecp5 import must_run

MANY = """
module many (
    input  wire aclk,
    input  wire [7:0] a,
    input  wire [15:0] b,
    output wire [31:0] sums
);
    genvar p;
    generate
        for (p = 0; p < 4; p = p + 1) begin : one
            (* mapped_once = MAPPED_ONCE *)
            accumulator #(.WIDTH(8)) each (.aclk(aclk), .a(a), .b(b[p*4 +: 4]), .sum(sums[p*8 +: 8]));
        end
    endgenerate
endmodule
"""
ACCUMULATOR = """
module accumulator #(parameter WIDTH = 4) (
    input  wire aclk,
    input  wire [WIDTH-1:0] a,
    input  wire [3:0] b,
    output reg  [WIDTH-1:0] sum
);
    reg [WIDTH-1:0] held;
    always @(posedge aclk) begin
        held <= a ^ {b, b};
        sum <= sum + held;
    end
endmodule
"""
MEMORY = """
module memory (
    input  wire aclk,
    input  wire [ADDRESS_WIDTH-1:0] address,
    output reg  [WIDTH-1:0] word
);
    (* ram_style = "block" *)
    reg [WIDTH-1:0] words [0:DEPTH-1];
    initial $readmemh("words.mem", words);
    always @(posedge aclk) word <= words[address];
endmodule
"""
SLICES = """
module slices (
    input  wire aclk,
    input  wire [11:0] addresses,
    output wire [14:0] values
);
    genvar p;
    generate
        for (p = 0; p < 3; p = p + 1) begin : one
            (* ram_style = "registers" *)
            reg [23:0] words [0:15];
            initial $readmemh("words.mem", words);
            reg [4:0] value;
            always @(posedge aclk) value <= words[addresses[p*4 +: 4]][p*7 +: 5];
            assign values[p*5 +: 5] = value;
        end
    endgenerate
endmodule
"""
LOGIC = """
module logic_of_all_kinds (
    input  wire aclk,
    input  wire [8:0] a,
    input  wire [8:0] b,
    input  wire enable,
    output reg  [9:0] sum,
    output reg  larger, few, all_of_many, one_of_many, inverted
);
    always @(posedge aclk) begin
        sum <= a + b;
        larger <= $signed(a) > $signed(b);
        few <= b < 9'd37;
        inverted <= ~a[0];
        if (enable) all_of_many <= &{a, b};
        if (!enable) one_of_many <= 1'b0;
        else one_of_many <= TABLE >> a[7:0];
    end
endmodule
"""
COMPARISONS = """
module comparisons (
    input  wire aclk,
    input  wire [8:0] a,
    input  wire [8:0] b,
    output reg  [LAST:0] results
);
    always @(posedge aclk) begin
LINES
    end
endmodule
"""
DELAY = """
module delay (
    input  wire aclk,
    input  wire [2:0] a,
    output wire [2:0] b
);
    reg [2:0] kept [0:11];
    integer i;
    always @(posedge aclk) begin
        kept[0] <= a;
        for (i = 1; i < 12; i = i + 1) kept[i] <= kept[i-1];
    end
    assign b = kept[11];
endmodule
"""
QUEUE = """
module queue (
    input  wire aclk,
    input  wire write,
    input  wire [4:0] there,
    input  wire [4:0] here,
    input  wire [7:0] value,
    output wire [7:0] word
);
    reg [7:0] words [0:31];
    always @(posedge aclk) if (write) words[there] <= value;
    assign word = words[here];
endmodule
"""
CELLS = {"xc7": "+/xilinx/cells_sim.v", "xcup": "+/xilinx/cells_sim.v", "ecp5": "+/ecp5/cells_sim.v"}
SOURCES = ["many.v", "accumulator.v"]


@pytest.mark.parametrize("mapped_once", ["0", "1"])
@pytest.mark.parametrize("family", CELLS)
def test_what_is_mapped_once_is_proved_to_be_its_verilog(tmp_path: Path, family: str, mapped_once: str) -> None:
    folder = must_run(
        f"{family}_synth",
        tmp_path / "core",
        {"top": "many", "sources": SOURCES, "dsp_options": ["--no-dsp"]},
        {"many.v": MANY.replace("MAPPED_ONCE", mapped_once), "accumulator.v": ACCUMULATOR},
    )
    netlist = (folder / "netlist.il").read_text()
    assert netlist.count("\nmodule ") == 1
    assert "keep_hierarchy" not in netlist
    assert prove(folder, "many", SOURCES, CELLS[family]) == ""
    (folder / "accumulator.v").write_text(ACCUMULATOR.replace("sum + held", "sum - held"))
    assert "unproven" in prove(folder, "many", SOURCES, CELLS[family])


@pytest.mark.parametrize("family", CELLS)
def test_narrowed_memories_are_proved_to_be_their_verilog(tmp_path: Path, family: str) -> None:
    drawn = random.Random(7)
    words = "".join(f"{drawn.getrandbits(24):06x}\n" for _ in range(16))
    parameters = {"top": "slices", "sources": ["slices.v"], "dsp_options": ["--no-dsp"]}
    folder = must_run(f"{family}_synth", tmp_path / "core", parameters, {"slices.v": SLICES, "words.mem": words})
    assert json.loads((folder / "resources.json").read_text())["FF"] == 15
    assert prove(folder, "slices", ["slices.v"], CELLS[family]) == ""
    (folder / "words.mem").write_text(words.replace("a", "b"))
    assert "unproven" in prove(folder, "slices", ["slices.v"], CELLS[family])


@pytest.mark.parametrize("family", CELLS)
def test_logic_is_proved_to_be_its_verilog(tmp_path: Path, family: str) -> None:
    table = f"256'h{random.Random(3).getrandbits(256):x}"
    parameters = {"top": "logic_of_all_kinds", "sources": ["logic.v"], "dsp_options": ["--no-dsp"]}
    verilog = LOGIC.replace("TABLE", table)
    folder = must_run(f"{family}_synth", tmp_path / "core", parameters, {"logic.v": verilog})
    assert json.loads((folder / "resources.json").read_text())["FF"] == 15
    # A table of eight inputs is wider than a LUT: multiplexers join several, where there are any.
    assert ("MUXF8" in (folder / "netlist.il").read_text()) == (family != "ecp5")
    assert prove(folder, "logic_of_all_kinds", ["logic.v"], CELLS[family]) == ""
    (folder / "logic.v").write_text(verilog.replace("9'd37", "9'd38"))
    assert "unproven" in prove(folder, "logic_of_all_kinds", ["logic.v"], CELLS[family])


def comparison_verilog(seed: int, comparisons: int = 12) -> str:
    """Comparisons of all kinds, widths and signs; some operands have constant bits."""
    drawn = random.Random(seed)

    def operand(name: str, signed: bool) -> str:
        constant = drawn.choice((0, 0, 0.3, 0.8))
        bits = [
            drawn.choice(("1'b0", "1'b1")) if drawn.random() < constant else f"{name}[{position}]"
            for position in range(drawn.randint(1, 9))
        ]
        return f"{'$signed' if signed else '$unsigned'}({{{', '.join(bits)}}})"

    lines = []
    for number in range(comparisons):
        signs = drawn.choice(((True, True), (True, True), (False, False), (True, False)))
        left, right = operand("a", signs[0]), operand("b", signs[1])
        lines.append(f"        results[{number}] <= {left} {drawn.choice(('<', '<=', '>', '>='))} {right};")
    return COMPARISONS.replace("LAST", str(comparisons - 1)).replace("LINES", "\n".join(lines))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("family", CELLS)
def test_comparisons_are_proved_to_be_their_verilog(tmp_path: Path, family: str, seed: int) -> None:
    parameters = {"top": "comparisons", "sources": ["comparisons.v"], "dsp_options": ["--no-dsp"]}
    verilog = comparison_verilog(seed)
    folder = must_run(f"{family}_synth", tmp_path / "core", parameters, {"comparisons.v": verilog})
    assert prove(folder, "comparisons", ["comparisons.v"], CELLS[family]) == ""
    (folder / "comparisons.v").write_text(verilog.replace(" >= ", " > "))
    assert "unproven" in prove(folder, "comparisons", ["comparisons.v"], CELLS[family])


@pytest.mark.parametrize("family", CELLS)
@pytest.mark.parametrize(("top", "verilog", "most", "registers"), [("delay", DELAY, 3, 36), ("queue", QUEUE, 12, 0)])
def test_memories_of_luts(tmp_path: Path, family: str, top: str, verilog: str, most: int, registers: int) -> None:
    parameters = {"top": top, "sources": ["core.v"], "dsp_options": ["--no-dsp"]}
    folder = must_run(f"{family}_synth", tmp_path / "core", parameters, {"core.v": verilog})
    counts = json.loads((folder / "resources.json").read_text())
    if family == "ecp5" and top == "delay":  # no shift registers
        assert (counts["LUT"], counts["FF"]) == (0, registers)
    elif family == "ecp5":
        assert (counts["TRELLIS_DPR16X4"], counts["FF"]) == (4, 0)
    else:
        assert 0 < counts["LUT"] <= most
        assert counts["FF"] == 0


@pytest.mark.parametrize(
    ("family", "width", "depth"),
    [
        ("xcup", 72, 512),
        ("xcup", 72, 500),
        ("xcup", 9, 4096),
        ("xcup", 100, 1300),
        ("xc7", 36, 1024),
        ("xc7", 5, 3000),
        ("ecp5", 36, 512),
        ("ecp5", 18, 1000),
        ("ecp5", 4, 5000),
        ("ecp5", 100, 700),
    ],
)
def test_block_memories_hold_what_yosys_alone_puts_there(tmp_path: Path, family: str, width: int, depth: int) -> None:
    drawn = random.Random(width)
    text = "".join(f"{drawn.getrandbits(width):x}\n" for _ in range(depth))
    verilog = (
        MEMORY.replace("ADDRESS_WIDTH", str((depth - 1).bit_length()))
        .replace("WIDTH", str(width))
        .replace("DEPTH", str(depth))
    )
    parameters = {"top": "memory", "sources": ["memory.v"], "dsp_options": ["--no-dsp"]}
    folder = must_run(f"{family}_synth", tmp_path / "core", parameters, {"memory.v": verilog, "words.mem": text})
    plain = run_passes(
        folder,
        "read_verilog memory.v",
        "synth_ecp5 -top memory"
        if family == "ecp5"
        else f"synth_xilinx -family {family} -top memory -noiopad -noclkbuf -flatten",
        "write_rtlil plain.il",
    )
    assert plain.returncode == 0, plain.stdout[-2000:]
    found = block_memories(folder / "netlist.il")
    assert found
    assert found == block_memories(folder / "plain.il")


def block_memories(netlist: Path) -> Counter[tuple[str, ...]]:
    """The block memories of a netlist, each its type and its parameters."""
    cells = re.findall(r"\n  cell (\\(?:RAMB|DP16)\S+) .*?\n(.*?)\n  end", netlist.read_text(), re.DOTALL)
    return Counter(
        (kind, *sorted(line.strip() for line in body.splitlines() if "parameter" in line)) for kind, body in cells
    )
