"""A design out of the simulations of its cores does, cycle by cycle, what its Verilog does in one simulation."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from finnmake.dataflow.insert_fifos import InsertFIFO
from finnmake.dataflow.insert_width_converters import InsertDWC
from finnmake.dataflow.packing import npy_to_packed
from finnmake.dataflow.stream_graph import stream_graph
from finnmake.errors import ToolError, VerificationError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.rtlsim import RtlSimulation
from finnmake.transformation.apply_folding import ApplyFolding
from finnmake.transformation.to_hls import (
    InferAddStreamsLayer,
    InferDuplicateStreamsLayer,
    InferThresholdingLayer,
)
from tests.hls_library.harness import VERILATOR_RULE, Bench, copy_rule, run_script
from tests.hls_library.stitched import linked, stitched
from tests.support.integer_graphs import IntegerGraph

TOP = """
module top (
    input  wire aclk,
    input  wire aresetn,
    output wire [11:0] m_axis_tdata
);
    wire [11:0] stream_0_tdata;
    assign m_axis_tdata = stream_0_tdata;
    core #(
        .WEIGHTS_FILE("layer_0_weights.mem")
    ) layer_0 (
        .aclk(aclk),
        .m_axis_tdata(stream_0_tdata)
    );
endmodule
"""


def small_network() -> ModelWrapper:
    """Two branches that meet, with width converters and FIFOs."""
    network = IntegerGraph((1, 6))
    branch = network.threshold(network.input)
    model = network.model(network.add(branch, branch))
    for kind in (InferAddStreamsLayer(), InferThresholdingLayer(), InferDuplicateStreamsLayer()):
        model = model.transform(kind)
    model = model.transform(ApplyFolding({"Thresholding_0": {"PE": 2}, "DuplicateStreams_0": {"PE": 3}}))
    return model.transform(InsertDWC()).transform(InsertFIFO())


def test_a_linked_design_is_the_stitched_one_to_the_cycle(bench: Bench, tmp_path: Path) -> None:
    model = small_network()
    graph = stream_graph(model)
    source, sink = graph.layers[0].input_stream(), graph.layers[-1].output_stream()
    integers = np.random.default_rng(1).integers(-8, 8, (12, 6))
    words = npy_to_packed(integers, source.datatype, source.elements_per_word)
    with stitched(bench, tmp_path / "a", model) as whole, linked(bench, tmp_path / "b", model) as parts:
        for seed, (input_stall, output_stall) in enumerate(((0, 0), (0.4, 0.4), (0.8, 0), (0, 0.8))):
            expected, actual = (
                simulation.run(
                    words,
                    len(integers) * sink.words_per_frame,
                    input_stall=input_stall,
                    output_stall=output_stall,
                    seed=seed,
                    surplus_cycles=50,
                )
                for simulation in (whole, parts)
            )
            assert np.array_equal(actual.outputs, expected.outputs)
            assert np.array_equal(actual.output_cycles, expected.output_cycles)
            assert np.array_equal(actual.input_cycles, expected.input_cycles)
            assert actual.cycles == expected.cycles
    missing = f"{graph.layers[0].core_name()}.so"
    (tmp_path / "b" / missing).unlink()
    with pytest.raises(ToolError, match=missing):
        RtlSimulation(tmp_path / "b" / "model.so", tmp_path / "b")


def test_the_same_design_gives_the_same_bytes_in_another_folder(bench: Bench, tmp_path: Path) -> None:
    folders = (tmp_path / "a", tmp_path / "somewhere else")
    for folder in folders:
        linked(bench, folder, small_network()).close()
    first, second = ((folder / "model.so").read_bytes() for folder in folders)
    assert first == second
    assert str(tmp_path).encode() not in first


def test_pyverilator_opens_a_linked_design(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyverilator = pytest.importorskip("pyverilator", reason="pyverilator-mm is not installed")
    model = small_network()
    graph = stream_graph(model)
    source, sink = graph.layers[0].input_stream(), graph.layers[-1].output_stream()
    words = npy_to_packed(np.array([[-8, 7, 3, -1, 0, 5]]), source.datatype, source.elements_per_word)
    with linked(bench, tmp_path / "design", model) as simulation:
        expected = simulation.run(words, sink.words_per_frame)
    monkeypatch.chdir(tmp_path / "design")
    core = pyverilator.PyVerilator(str(tmp_path / "design" / "model.so"))
    assert f"module {core.module_name} (" in Path("stitched.v").read_text()
    assert dict(core.inputs)["s_axis_tdata"] == source.width
    assert dict(core.outputs) == {"s_axis_tready": 1, "m_axis_tdata": sink.width, "m_axis_tvalid": 1}
    core.io.aresetn = 0
    for _ in range(4):
        core.io.aclk = 0
        core.io.aclk = 1
    core.io.aresetn = 1
    core.io.m_axis_tready = 1
    sent, came = list(words), []
    for _ in range(expected.cycles):
        core.io.s_axis_tvalid = bool(sent)
        core.io.s_axis_tdata = int.from_bytes(sent[0].tobytes(), "little") if sent else 0
        core.io.aclk = 0
        if core.io.m_axis_tvalid:
            came.append(int(core.io.m_axis_tdata))
        taken = bool(sent) and bool(core.io.s_axis_tready)
        core.io.aclk = 1
        sent = sent[taken:]
    assert came == [int.from_bytes(word.tobytes(), "little") for word in expected.outputs]


PORTS = """
    input wire aclk, input wire aresetn,
    input wire [8:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
    output wire [8:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready"""
# Registers on both sides; wires from side to side; what depends on the clock's level; what a reset clears at once; a
# register of the falling edge.
CORES = {
    "registered": f"""module registered ({PORTS});
    reg [8:0] first, second;
    reg [1:0] count;
    assign s_axis_tready = !count[1];
    assign m_axis_tvalid = count != 0;
    assign m_axis_tdata = first;
    wire enter = s_axis_tvalid && s_axis_tready;
    wire leave = m_axis_tvalid && m_axis_tready;
    always @(posedge aclk) begin
        count <= !aresetn ? 2'd0 : count + {{1'b0, enter}} - {{1'b0, leave}};
        if (enter) second <= s_axis_tdata + 9'd3;
        if (leave || count == 0) first <= (count == 2) ? second : s_axis_tdata + 9'd3;
    end
endmodule
""",
    "passing": f"""module passing ({PORTS});
    reg [1:0] turn;
    wire open = turn != 2 && aresetn;
    always @(posedge aclk) turn <= aresetn ? turn + 2'd1 : 2'd0;
    assign s_axis_tready = m_axis_tready && open;
    assign m_axis_tvalid = s_axis_tvalid && open;
    assign m_axis_tdata = s_axis_tdata ^ 9'h155;
endmodule
""",
    "turning": f"""module turning ({PORTS});
    assign s_axis_tready = !m_axis_tready;
    assign m_axis_tvalid = s_axis_tvalid && aresetn && !aclk;
    assign m_axis_tdata = s_axis_tdata;
endmodule
""",
    "cleared": f"""module cleared ({PORTS});
    reg [8:0] word;
    reg full;
    assign s_axis_tready = !full || m_axis_tready;
    assign m_axis_tvalid = full;
    assign m_axis_tdata = word;
    always @(posedge aclk or negedge aresetn) begin
        if (!aresetn) full <= 0;
        else if (s_axis_tready) full <= s_axis_tvalid;
    end
    always @(posedge aclk) if (s_axis_tready) word <= s_axis_tdata + 9'd1;
endmodule
""",
    "halved": f"""module halved ({PORTS});
    reg [8:0] word;
    reg full;
    reg [1:0] turn;
    always @(negedge aclk) turn <= aresetn ? turn + 2'd1 : 2'd0;
    assign s_axis_tready = turn != 2 && !full;
    assign m_axis_tvalid = full;
    assign m_axis_tdata = word;
    always @(posedge aclk) begin
        full <= aresetn && (full ? !m_axis_tready : s_axis_tvalid && s_axis_tready);
        if (s_axis_tvalid && s_axis_tready) word <= s_axis_tdata - 9'd1;
    end
endmodule
""",
}


def chain(cores: Sequence[str]) -> str:
    """A stitched design of one core after the other."""
    lines = [f"module chain ({PORTS});"]
    for number in range(len(cores) + 1):
        lines.append(f"wire [8:0] stream_{number}_tdata;")
        lines.extend(f"wire stream_{number}_{signal};" for signal in ("tvalid", "tready"))
    for number, core in enumerate(cores):
        sides = (("s_axis", number), ("m_axis", number + 1))
        signals = [
            f".{side}_{signal}(stream_{end}_{signal})"
            for side, end in sides
            for signal in ("tdata", "tvalid", "tready")
        ]
        lines.append(f"{core} layer_{number} ({', '.join(['.aclk(aclk)', '.aresetn(aresetn)', *signals])});")
    last = len(cores)
    lines += ["assign stream_0_tdata = s_axis_tdata;", "assign stream_0_tvalid = s_axis_tvalid;"]
    lines += ["assign s_axis_tready = stream_0_tready;", f"assign stream_{last}_tready = m_axis_tready;"]
    lines += [f"assign m_axis_{signal} = stream_{last}_{signal};" for signal in ("tdata", "tvalid")]
    return "\n".join([*lines, "endmodule", ""])


def built_chain(bench: Bench, folder: Path, cores: Sequence[str], text: str) -> tuple[Path, Path]:
    """A stitched design in one simulation, and out of those of its cores."""
    copy_rule(VERILATOR_RULE, folder)
    shutil.copy(bench.runtime(), folder)
    shutil.copy(bench.linked_design(), folder)
    for core in set(cores):
        (folder / f"{core}.v").write_text(CORES[core])
        run_script(folder, "build.py", "--top", core, "--output", f"{core}.so", f"{core}.v")
        (folder / "model.cpp").rename(folder / f"{core}.cpp")
    (folder / "stitched.v").write_text(text)
    verilog = [f"{core}.v" for core in sorted(set(cores))]
    run_script(folder, "build.py", "--top", "chain", "--output", "whole.so", "stitched.v", *verilog)
    run_script(folder, "link.py", "--top", "chain", "--output", "linked.so", "stitched.v")
    return folder / "whole.so", folder / "linked.so"


def test_cores_of_every_kind_are_linked_to_the_cycle(bench: Bench, tmp_path: Path) -> None:
    cores = [
        "registered",
        "passing",
        "passing",
        "registered",
        "halved",
        "cleared",
        "passing",
        "cleared",
        "registered",
        "halved",
    ]
    files = built_chain(bench, tmp_path, cores, chain(cores))
    # What a change of inputs can do at once, and where the functions behind eval() cannot be called.
    written = {core: (tmp_path / f"{core}.cpp").read_text() for core in set(cores)}
    assert "FINNMAKE_COMBINATIONAL_INPUTS(X) \n" in written["registered"]
    passing = "".join(f" X({name})" for name in ("aresetn", "m_axis_tready", "s_axis_tdata", "s_axis_tvalid"))
    assert f"FINNMAKE_COMBINATIONAL_INPUTS(X){passing}\n" in written["passing"]
    direct = {core for core, text in written.items() if "FINNMAKE_DIRECT_REGIONS" in text}
    assert direct == {"registered", "passing"}
    assert {core for core, text in written.items() if "FINNMAKE_RISING_ONLY" not in text} == {"halved"}
    words = np.random.default_rng(2).integers(0, 256, (300, 2), dtype=np.uint8)
    with RtlSimulation(files[0], tmp_path) as whole, RtlSimulation(files[1], tmp_path) as parts:
        for seed, (input_stall, output_stall) in enumerate(((0, 0), (0.5, 0.5), (0.99, 0), (0, 0.99))):
            expected, actual = (
                simulation.run(words, 300, input_stall=input_stall, output_stall=output_stall, seed=seed)
                for simulation in (whole, parts)
            )
            assert np.array_equal(actual.outputs, expected.outputs)
            assert np.array_equal(actual.input_cycles, expected.input_cycles)
            assert np.array_equal(actual.output_cycles, expected.output_cycles)
            assert actual.cycles == expected.cycles
        with pytest.raises(VerificationError, match=r"300 of 300 input words were taken.*300 of 301 output words came"):
            parts.run(words, 301, max_idle_cycles=1000)


def test_a_loop_without_a_register_is_an_error(bench: Bench, tmp_path: Path) -> None:
    text = chain(["turning"]).replace(".m_axis_tready(stream_1_tready)", ".m_axis_tready(stream_0_tready)")
    _, file = built_chain(bench, tmp_path, ["turning"], text)
    with pytest.raises(ToolError, match="does not settle"):
        RtlSimulation(file, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("module top", "module other", "holds another module than top"),
        ("assign m_axis_tdata = stream_0_tdata;", "assign m_axis_tdata = ~stream_0_tdata;", "more than instances"),
        (".WEIGHTS_FILE", ".DEPTH(3), .WEIGHTS_FILE", "parameters that are no names"),
        ("wire aclk", "wire aclk", "has no port m_axis_tready, m_axis_tvalid, s_axis_tdata"),
    ],
)
def test_what_is_no_stitched_design_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    copy_rule(VERILATOR_RULE, tmp_path)
    (tmp_path / "stitched.v").write_text(TOP.replace(old, new))
    command = [sys.executable, "link.py", "--top", "top", "--output", "model.so", "stitched.v"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert message in done.stderr
