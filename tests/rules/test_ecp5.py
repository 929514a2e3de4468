"""The ECP5 rules on a small accelerator behind the UART shell: from Verilog to a checked bitstream."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from finnmake.build.rules import Parameter, load_rules
from finnmake.build.tools import Toolbox
from finnmake.deploy import actions
from finnmake.deploy.board import load_board
from finnmake.deploy.shell import ShellStream, plan_shell, render_shell, shell_description
from finnmake.deploy.timing import read_timing
from finnmake.resources import find_resources

ROOT = Path(__file__).parents[2]
RULES = load_rules(ROOT / "rules")
TOOLBOX = Toolbox(RULES.tools)
BOARD = load_board("ulx3s-85f", ROOT / "boards")
IMPLEMENTATION = BOARD.require_implementation()

CORE = """
module scaled_core (
    input  wire aclk,
    input  wire aresetn,
    input  wire [7:0] s_axis_tdata,
    input  wire s_axis_tvalid,
    output wire s_axis_tready,
    output reg  [11:0] m_axis_tdata,
    output reg  m_axis_tvalid,
    input  wire m_axis_tready
);
    scale #(.WEIGHTS_FILE("weights.mem")) kernel (aclk, aresetn, s_axis_tready && s_axis_tvalid, s_axis_tdata, product);
    wire [11:0] product;
    reg pending;
    assign s_axis_tready = !pending;
    always @(posedge aclk) begin
        if (s_axis_tready && s_axis_tvalid) pending <= 1'b1;
        if (pending && !m_axis_tvalid) begin
            m_axis_tdata <= product;
            m_axis_tvalid <= 1'b1;
        end
        if (m_axis_tvalid && m_axis_tready) begin
            m_axis_tvalid <= 1'b0;
            pending <= 1'b0;
        end
        if (!aresetn) begin
            pending <= 1'b0;
            m_axis_tvalid <= 1'b0;
        end
    end
endmodule
"""
KERNEL = """
module scale #(parameter WEIGHTS_FILE = "there_is_no_default.mem") (
    input  wire aclk,
    input  wire aresetn,
    input  wire enable,
    input  wire [7:0] value,
    output reg  [11:0] product
);
    (* ram_style = "block" *)
    reg [11:0] weights [0:511];
    initial $readmemh(WEIGHTS_FILE, weights);
    reg [11:0] weight;
    reg [8:0] index;
    always @(posedge aclk) begin
        if (enable) weight <= weights[index];
        if (enable) index <= index + 9'd1;
        product <= weight * value[3:0];
        if (!aresetn) index <= 9'd0;
    end
endmodule
"""
STITCHED = """
module stitched (
    input  wire aclk,
    input  wire aresetn,
    input  wire [7:0] s_axis_tdata,
    input  wire s_axis_tvalid,
    output wire s_axis_tready,
    output wire [11:0] m_axis_tdata,
    output wire m_axis_tvalid,
    input  wire m_axis_tready
);
    wire [11:0] data;
    wire valid, ready;
    scaled_core layer_0 (.aclk(aclk), .aresetn(aresetn), .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid),
        .s_axis_tready(s_axis_tready), .m_axis_tdata(data), .m_axis_tvalid(valid), .m_axis_tready(ready));
    scaled_core layer_1 (.aclk(aclk), .aresetn(aresetn), .s_axis_tdata(data[7:0]), .s_axis_tvalid(valid),
        .s_axis_tready(ready), .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid),
        .m_axis_tready(m_axis_tready));
endmodule
"""


def weights(seed: int) -> str:
    return "".join(f"{(position * 2654435761 + seed) >> 7 & 0xFFF:03x}\n" for position in range(512))


def run_rule(
    name: str, folder: Path, parameters: Mapping[str, Parameter], inputs: Mapping[str, Path | str]
) -> subprocess.CompletedProcess[str]:
    """One rule in a scratch folder that holds its inputs only; texts are inputs too."""
    folder.mkdir(parents=True)
    action = RULES[name].action(parameters, {path: Path(path) for path in inputs}, ".")
    for path, source in action.inputs.items():
        content = inputs.get(path)
        if isinstance(content, str):
            (folder / path).write_text(content)
        else:
            assert isinstance(source, Path | str)
            shutil.copy(content or source, folder / path)
    command = action.command
    tool = TOOLBOX.find(command.argv[0])  # type: ignore[union-attr]
    argv = [str(tool.path), *command.argv[1:]]  # type: ignore[union-attr]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def must_run(name: str, folder: Path, parameters: Mapping[str, Parameter], inputs: Mapping[str, Path | str]) -> Path:
    result = run_rule(name, folder, parameters, inputs)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr
    return folder


def synthesise(folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    files = {"core.v": CORE, "scale.v": KERNEL, "weights.mem": weights(1)}
    files |= {name.replace("__", "."): text for name, text in changes.items()}
    sources = [name for name in files if name.endswith(".v")]
    return run_rule(
        "ecp5_synth", folder, {"top": "scaled_core", "sources": sources, "dsp_options": ["--no-dsp"]}, files
    )


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth") / "scratch"
    result = synthesise(folder)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr
    return folder


def test_netlist_is_the_same_elsewhere(core: Path, tmp_path: Path) -> None:
    there = tmp_path / "a rather different place"
    assert synthesise(there).returncode == 0
    for name in ("netlist.il", "resources.json"):
        assert (there / name).read_bytes() == (core / name).read_bytes()
    text = (core / "netlist.il").read_text()
    assert str(tmp_path) not in text
    assert "attribute \\src" not in text


def test_moved_lines_are_the_same_netlist(core: Path, tmp_path: Path) -> None:
    assert synthesise(tmp_path / "s", scale__v="\n// a comment\n\n" + KERNEL).returncode == 0
    assert (tmp_path / "s" / "resources.json").read_bytes() == (core / "resources.json").read_bytes()


def test_parameters_are_in_a_named_memory(core: Path, tmp_path: Path) -> None:
    text = (core / "netlist.il").read_text()
    assert "cell \\DP16KD \\kernel.weights" in text
    assert json.loads((core / "resources.json").read_text())["BRAM"] == 1
    assert synthesise(tmp_path / "s", weights__mem=weights(2)).returncode == 0
    other = (tmp_path / "s" / "netlist.il").read_text()
    changed = [(a, b) for a, b in zip(text.splitlines(), other.splitlines(), strict=True) if a != b]
    assert changed
    assert all("INITVAL" in a and "INITVAL" in b for a, b in changed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"core__v": CORE.replace("weights.mem", "absent.mem")}, "absent.mem"),
        ({"scale__v": "module scale (input wire aclk); nonsense endmodule"}, "ERROR"),
        ({"scale__v": KERNEL.replace("weights[index]", "weights[nowhere]").replace("endmodule", "")}, "ERROR"),
        ({"core__v": CORE.replace("s_axis_tdata, product);", "none, product); wire [7:0] none;")}, "check -assert"),
        ({"core__v": CORE.replace("!pending;", "!pending ^ s_axis_tready;")}, "check -assert"),
    ],
)
def test_a_faulty_core_is_refused(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    result = synthesise(tmp_path / "s", **changes)
    assert result.returncode != 0
    assert "ERROR" in result.stdout + result.stderr
    assert message in result.stdout + result.stderr
    assert not (tmp_path / "s" / "netlist.il").exists()


@dataclass(frozen=True)
class Routed:
    """The folders of the chain."""

    merge: Path
    route: Path
    pack: Path
    unpack: Path
    repack: Path
    shell: dict[str, Any]

    def check_inputs(self) -> dict[str, Path | str]:
        return {
            "design.config": self.route / "design.config",
            "unpacked.config": self.unpack / "unpacked.config",
            "design.bit": self.pack / "design.bit",
            "repacked.bit": self.repack / "repacked.bit",
        }


@pytest.fixture(scope="module")
def routed(core: Path, tmp_path_factory: pytest.TempPathFactory) -> Routed:
    folder = tmp_path_factory.mktemp("chain")
    plan = plan_shell(
        BOARD,
        "stitched",
        ShellStream("UINT8", 8, 0, 255, 1, 4, (4,)),
        ShellStream("UINT12", 12, 0, 4095, 1, 4, (4,)),
        50,
    )
    sources: dict[str, Path | str] = {"shell.v": render_shell(plan), "stitched.v": STITCHED}
    sources |= {Path(name).name: ROOT / "hls_library" / name for name in IMPLEMENTATION.shell_files}
    merge = must_run(
        "ecp5_merge",
        folder / "merge",
        {"top": IMPLEMENTATION.top, "netlists": ["core.il"], "sources": list(sources)},
        {"core.il": core / "netlist.il", **sources},
    )
    route = must_run(
        "ecp5_place_and_route",
        folder / "route",
        {**IMPLEMENTATION.place_and_route, "clock_mhz": "50"},
        {"design.json": merge / "design.json", "board.lpf": IMPLEMENTATION.constraints},
    )
    pack = must_run("ecp5_pack", folder / "pack", {}, {"design.config": route / "design.config"})
    unpack = must_run("ecp5_unpack", folder / "unpack", {}, {"design.bit": pack / "design.bit"})
    repack = must_run("ecp5_repack", folder / "repack", {}, {"unpacked.config": unpack / "unpacked.config"})
    return Routed(merge, route, pack, unpack, repack, shell_description(plan))


def test_merged_design(routed: Routed, core: Path) -> None:
    whole = json.loads((routed.merge / "resources.json").read_text())
    one = json.loads((core / "resources.json").read_text())
    # Two cores and the shell's buffer; nothing of the cores is lost on the way.
    assert whole["BRAM"] == 2 * one["BRAM"] + 1
    assert whole["PLL"] == 1
    assert whole["FF"] > 2 * one["FF"]
    for name in ("design.json", "netlist.v"):
        assert str(routed.merge.parent) not in (routed.merge / name).read_text()
    BOARD.check_room(whole)


def test_timing(routed: Routed) -> None:
    timing = read_timing(json.loads((routed.route / "timing.json").read_text()))
    timing.check(50)
    assert timing.fmax_mhz > 50
    whole = json.loads((routed.merge / "resources.json").read_text())
    assert timing.utilisation["BRAM"] == (whole["BRAM"], BOARD.resources["BRAM"])
    assert timing.utilisation["FF"] == (whole["FF"], BOARD.resources["FF"])
    used, available = timing.utilisation["LUT"]
    assert available == BOARD.resources["LUT"]
    assert used == pytest.approx(whole["LUT"], rel=0.15)


def test_bitstream_holds_the_design(routed: Routed, tmp_path: Path) -> None:
    folder = must_run("ecp5_check", tmp_path / "s", {}, routed.check_inputs())
    report = json.loads((folder / "check.json").read_text())
    assert report["equal"] is True
    assert report["arcs"] > 1000
    assert report["block_rams"] == 3


def replace_line(pattern: Callable[[str], bool], change: Callable[[str], str]) -> Callable[[str], str]:
    """Changes the first line that the pattern takes."""

    def edit(text: str) -> str:
        lines = text.splitlines(keepends=True)
        number = next(number for number, line in enumerate(lines) if pattern(line))
        lines[number] = change(lines[number])
        return "".join(lines)

    return edit


FAULTS: dict[str, Callable[[str], str]] = {
    "arc": replace_line(lambda line: line.startswith("arc: A0 "), lambda line: "arc: A0 F5\n"),
    "lost arc": replace_line(lambda line: line.startswith("arc: A0 "), lambda line: ""),
    "table": replace_line(
        lambda line: "K0.INIT" in line, lambda line: line[:-1].translate(str.maketrans("01", "10")) + "\n"
    ),
    "lost table": replace_line(lambda line: "K0.INIT" in line, lambda line: ""),
    "pll": replace_line(lambda line: line.startswith("word: CLKOP_DIV "), lambda line: "word: CLKOP_DIV 0000001\n"),
    "lost pll": replace_line(lambda line: line.startswith("word: CLKOP_DIV "), lambda line: ""),
    "setting": replace_line(lambda line: "REGSET RESET" in line, lambda line: line.replace("RESET", "SET")),
    "device": replace_line(lambda line: line.startswith(".device"), lambda line: ".device LFE5U-45F\n"),
    "memory": replace_line(
        lambda line: re.fullmatch(r"([0-9a-f]{3}\s)+", line) is not None and line.strip("0 \n") != "",
        lambda line: line.translate(str.maketrans("123456789abcdef", "23456789abcdef1")),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_bitstream_is_found(routed: Routed, tmp_path: Path, fault: str) -> None:
    inputs = routed.check_inputs()
    text = (routed.unpack / "unpacked.config").read_text()
    inputs["unpacked.config"] = FAULTS[fault](text)
    assert inputs["unpacked.config"] != text
    result = run_rule("ecp5_check", tmp_path / "s", {}, inputs)
    assert result.returncode == 1
    assert result.stderr.startswith("ERROR: ")


def test_bits_beside_the_text_are_found(routed: Routed, tmp_path: Path) -> None:
    bits = bytearray((routed.pack / "design.bit").read_bytes())
    bits[len(bits) // 2] ^= 1
    other = tmp_path / "other.bit"
    other.write_bytes(bits)
    result = run_rule("ecp5_check", tmp_path / "s", {}, {**routed.check_inputs(), "design.bit": other})
    assert "another bitstream" in result.stderr
    # The tool's own checksum finds it too.
    assert run_rule("ecp5_unpack", tmp_path / "u", {}, {"design.bit": other}).returncode != 0


def test_deploy_folder(routed: Routed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(BOARD.path, "board.toml")
    shutil.copy(routed.pack / "design.bit", "design.bit")
    shutil.copy(routed.route / "timing.json", "place_and_route.json")
    shutil.copy(routed.merge / "resources.json", "resources.json")
    Path("shell.json").write_text(json.dumps(routed.shell))
    actions.check_room()
    actions.check_timing()
    shutil.copy("out/timing.json", "timing.json")
    shutil.copy(find_resources().driver, "driver.py")
    actions.deploy(name="small")
    folder = Path("out/deploy")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "accelerator.json", "driver.py", "small.bit"]
    assert (folder / "small.bit").read_bytes() == Path("design.bit").read_bytes()
    description = json.loads((folder / "accelerator.json").read_text())
    assert description["board"] == "ulx3s-85f"
    assert description["input"]["word_bytes"] == 1
    assert description["output"]["word_bytes"] == 2
    assert "not been run on a\nboard" in (folder / "README.md").read_text()
