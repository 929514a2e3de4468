"""The scripts of rules/bambu and rules/vitis_hls: what they ask the tools, what they make of their answers."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from finnmake.runtime.rtlsim import RtlSimulation
from tests.hls_library.harness import VERILATOR_RULE, Bench, copy_rule, run_script

RULES = Path(__file__).parents[2] / "rules"


def load(name: str, path: Path) -> ModuleType:
    """A rule's script as a module; it finds ``wrapper`` as in an action's folder."""
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


wrapper = load("wrapper", RULES / "hls" / "wrapper.py")
bambu = load("bambu_core", RULES / "bambu" / "core.py")
vitis = load("vitis_hls_core", RULES / "vitis_hls" / "core.py")

STREAMS = ("in:s_axis:6", "out:m_axis:5")

# What an HLS tool would make of a function that adds 3 to `frames` words of 6 bits and gives 5: written by hand, with
# the ports and the handshakes of the tools. One word is read in one state and written in the next.
BODY = """
    reg [1:0] state;
    reg [31:0] count;
    reg [7:0] sum;
    always @(posedge CLOCK) begin
        if (!RESET) begin
            state <= 2'd0;
        end else case (state)
            2'd0: if (START) begin
                count <= frames;
                state <= 2'd1;
            end
            2'd1: if (s_axis_TVALID) begin
                sum <= s_axis_TDATA + OFFSET;
                state <= 2'd2;
            end
            2'd2: if (m_axis_TREADY) begin
                count <= count - 32'd1;
                state <= count == 32'd1 ? AFTER : 2'd1;
            end
            default: state <= 2'd0;
        endcase
    end
    assign s_axis_TREADY = state == 2'd1 && s_axis_TVALID;
    assign m_axis_TVALID = state == 2'd2;
    assign m_axis_TDATA = sum;
    reg [7:0] OFFSETS [0:0];
    wire [7:0] OFFSET = OFFSETS[0];
    initial $readmemh("./offset.mem", OFFSETS);
"""

BAMBU = """
module add_three(clock, reset, start_port, done_port, frames, s_axis_TDATA, s_axis_TVALID, s_axis_TREADY,
  m_axis_TDATA, m_axis_TVALID, m_axis_TREADY);
  // IN
  input clock;
  input reset;
  input start_port;
  input [31:0] frames;
  input [7:0] s_axis_TDATA;
  input s_axis_TVALID;
  input m_axis_TREADY;
  // OUT
  output done_port;
  output s_axis_TREADY;
  output [7:0] m_axis_TDATA;
  output m_axis_TVALID;
  assign done_port = state == 2'd3;
""" + BODY.replace("CLOCK", "clock").replace("RESET", "reset").replace("START", "start_port").replace("AFTER", "2'd3")

VITIS = """
module add_three (
        ap_clk,
        ap_rst_n,
        ap_start,
        ap_done,
        ap_idle,
        ap_ready,
        s_axis_TDATA,
        s_axis_TVALID,
        s_axis_TREADY,
        m_axis_TDATA,
        m_axis_TVALID,
        m_axis_TREADY,
        frames
);
input   ap_clk;
input   ap_rst_n;
input   ap_start;
output   ap_done;
output   ap_idle;
output   ap_ready;
input  [7:0] s_axis_TDATA;
input   s_axis_TVALID;
output   s_axis_TREADY;
output  [7:0] m_axis_TDATA;
output   m_axis_TVALID;
input   m_axis_TREADY;
input  [31:0] frames;
assign ap_done = state == 2'd2 && m_axis_TREADY && count == 32'd1;
assign ap_ready = ap_done;
assign ap_idle = state == 2'd0;
""" + BODY.replace("CLOCK", "ap_clk").replace("RESET", "ap_rst_n").replace("START", "ap_start").replace("AFTER", "2'd0")


@pytest.mark.parametrize(("tool", "made"), [(bambu, BAMBU), (vitis, VITIS)], ids=["bambu", "vitis_hls"])
def test_a_wrapped_module_is_a_core_that_never_ends(bench: Bench, tmp_path: Path, tool: ModuleType, made: str) -> None:
    copy_rule(VERILATOR_RULE, tmp_path)
    archive = bench.runtime()
    (tmp_path / archive.name).write_bytes(archive.read_bytes())
    memories = tmp_path / "adder"
    memories.mkdir()
    (tmp_path / "offset.mem").write_text("03\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        verilog = wrapper.own_modules(wrapper.place_memories(made + "endmodule\n", "adder", memories), "adder")
    streams = [wrapper.parse_stream(text) for text in STREAMS]
    ports = wrapper.module_ports(made + "endmodule\n", "add_three")
    # Calls of three frames each: the core is started again in the middle of the words.
    around = wrapper.wrapper("adder", "adder__add_three", streams, ports, tool.control(3))
    (tmp_path / "adder.v").write_text(around)
    (tmp_path / "made.v").write_text(verilog)
    # The tool's module is looked at for its ports only, as a lint of it is the tool's business.
    (tmp_path / "waived.vlt").write_text('`verilator_config\nlint_off -file "made.v"\n')
    run_script(tmp_path, "lint.py", "--top", "adder", "--output", "lint.txt", "waived.vlt", "adder.v", "made.v")
    run_script(tmp_path, "build.py", "--top", "adder", "--output", "model.so", "adder.v", "made.v")
    words = np.random.default_rng(0).integers(0, 64, (50, 1)).astype(np.uint8)
    for input_stall, output_stall in ((0, 0), (0.5, 0.5), (0.9, 0.1), (0.1, 0.9)):
        with RtlSimulation(tmp_path / "model.so", tmp_path) as simulation:
            result = simulation.run(
                words, len(words), input_stall=input_stall, output_stall=output_stall, surplus_cycles=50
            )
        np.testing.assert_array_equal(result.outputs, (words + 3) % 32)


def test_a_port_that_is_missing_or_narrow_is_an_error() -> None:
    streams = [wrapper.parse_stream(text) for text in STREAMS]
    ports = wrapper.module_ports(BAMBU + "endmodule\n", "add_three")
    with pytest.raises(ValueError, match="no port start_port"):
        wrapper.wrapper(
            "core", "add_three", streams, {k: v for k, v in ports.items() if k != "start_port"}, bambu.control(1)
        )
    with pytest.raises(ValueError, match="has 8 bits"):
        wrapper.wrapper("core", "add_three", [wrapper.parse_stream("in:s_axis:9")], ports, bambu.control(1))
    with pytest.raises(ValueError, match="no module"):
        wrapper.module_ports(BAMBU, "other")


def test_what_bambu_is_asked() -> None:
    arguments = argparse.Namespace(
        bambu="/opt/bambu", front_end="I386_CLANG16", function="Core_1", clock_period="20.000"
    )
    assert bambu.command(arguments) == [
        "/opt/bambu",
        "top.cpp",
        "--top-fname=Core_1",
        "--generate-interface=INFER",
        "--compiler=I386_CLANG16",
        "--std=c++17",
        "-O2",
        "-I.",
        "--extra-gcc-options=-mllvm -unroll-peel-max-count=0 -mllvm -sink-common-insts=0 -mllvm -hoist-common-insts=0",
        "--clock-period=20.000",
        "--distram-threshold=4096",
        "--reset-type=sync",
        "--reset-level=low",
        "--disable-reg-init-value",
        "-v2",
    ]


def test_the_date_and_the_command_line_leave_bambus_verilog() -> None:
    head = (
        "// Politecnico di Milano\n"
        "// Code created using PandA - Version: PandA 2024.10 - Revision 683d87153-main - Date 2026-11-25T12:44:20\n"
        "// Bambu executed with: /home/x/bambu --top-fname=a top.cpp \n"
        "// modify it under the terms of the GNU Lesser General Public\n"
    )
    body = "`ifdef __ICARUS__\n`endif\nmodule a(clock);\nendmodule\n"
    first = bambu.without_header(head + body)
    assert first == bambu.without_header(head.replace("12:44:20", "11:11:11") + body)
    assert "/home" not in first
    assert first.endswith(body)
    assert "GNU Lesser General Public" in first


def test_the_state_register_starts_by_the_reset() -> None:
    declared = "  reg [4:0] _present_state=S_0, _next_state;\n"
    assert bambu.without_state_value(declared) == "  reg [4:0] _present_state, _next_state;\n"


# Lines of the log of a Bambu 2024.10.
LOG = """
    Number of states: 14
    Total estimated area: 32843
    Total estimated area: 33253
    Estimated number of DSPs: 0
  Total number of flip-flops in function Core_1: 1814
"""


def test_the_figures_of_bambu() -> None:
    assert bambu.figures(LOG) == {"LUT": 33253, "FF": 1814, "DSP": 0, "states": 14}
    assert bambu.figures("") == {"LUT": None, "FF": None, "DSP": None, "states": None}


def test_what_vitis_hls_is_asked() -> None:
    template = (RULES / "vitis_hls" / "run.tcl").read_text()
    values = {"function": "Core_1", "part": "xczu3eg-sbva484-1-e", "clock_period": "5.000"}
    commands = [line for line in vitis.tcl(template, values).splitlines() if not line.startswith("#")]
    assert commands == [
        "open_project -reset project",
        "set_top Core_1",
        'add_files top.cpp -cflags "-std=c++17 -I."',
        "open_solution -reset solution -flow_target vivado",
        "set_part xczu3eg-sbva484-1-e",
        "create_clock -period 5.000 -name default",
        "csynth_design",
        "exit",
    ]
    with pytest.raises(KeyError):
        vitis.tcl(template, {"function": "Core_1"})


# Written by hand after the documentation of Vitis HLS: no tool wrote it.
REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<profile>
  <section name="General Information" level="0"/>
  <ReportVersion><Version>2022.2</Version></ReportVersion>
  <UserAssignments>
    <unit>ns</unit><ProductFamily>zynquplus</ProductFamily><Part>xczu3eg-sbva484-1-e</Part>
    <TopModelName>Core_1</TopModelName><TargetClockPeriod>5.00</TargetClockPeriod>
  </UserAssignments>
  <PerformanceEstimates>
    <PipelineType>none</PipelineType>
    <SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>3.650</EstimatedClockPeriod></SummaryOfTimingAnalysis>
    <SummaryOfOverallLatency>
      <Best-caseLatency>undef</Best-caseLatency><Worst-caseLatency>4099</Worst-caseLatency>
      <Interval-min>undef</Interval-min><Interval-max>4100</Interval-max>
    </SummaryOfOverallLatency>
  </PerformanceEstimates>
  <AreaEstimates>
    <Resources><BRAM_18K>8</BRAM_18K><FF>1234</FF><LUT>4321</LUT><DSP>16</DSP><URAM>0</URAM></Resources>
    <AvailableResources><BRAM_18K>432</BRAM_18K></AvailableResources>
  </AreaEstimates>
</profile>
"""


def test_the_report_of_vitis_hls() -> None:
    assert vitis.read_report(REPORT) == {
        "tool": "2022.2",
        "part": "xczu3eg-sbva484-1-e",
        "call_latency_cycles": 4099,
        "call_interval_cycles": 4100,
        "estimated_clock_period_ns": 3.65,
        "LUT": 4321,
        "FF": 1234,
        "BRAM_18K": 8,
        "DSP": 16,
        "URAM": 0,
    }
    older = REPORT.replace("<DSP>16</DSP>", "<DSP48E>17</DSP48E>").replace("4099", "undef")
    assert vitis.read_report(older)["DSP"] == 17
    assert vitis.read_report(older)["call_latency_cycles"] is None
    with pytest.raises(ElementTree.ParseError):
        vitis.read_report('<!DOCTYPE a [<!ENTITY b "c">]><profile/>')


def test_a_memory_file_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"array_ref_7\.mem"):
        wrapper.place_memories('x #(.MEMORY_INIT_file("array_ref_7.mem")) y ();', "core", tmp_path)


def test_modules_of_two_cores_have_names_of_their_own() -> None:
    verilog = 'module reg_SE(clock);\nendmodule\nmodule top(clock);\n reg_SE r (clock); // "core/top.mem"\nendmodule\n'
    assert wrapper.own_modules(verilog, "core") == (
        "module core__reg_SE(clock);\nendmodule\nmodule core__top(clock);\n"
        ' core__reg_SE r (clock); // "core/top.mem"\nendmodule\n'
    )
