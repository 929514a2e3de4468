"""A design out of the simulations of its cores does, cycle by cycle, what its Verilog does in one simulation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from finnmake.dataflow.insert_fifos import InsertFIFO
from finnmake.dataflow.insert_width_converters import InsertDWC
from finnmake.dataflow.packing import npy_to_packed
from finnmake.dataflow.stream_graph import stream_graph
from finnmake.errors import ToolError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.rtlsim import RtlSimulation
from finnmake.transformation.apply_folding import ApplyFolding
from finnmake.transformation.to_hls import (
    InferAddStreamsLayer,
    InferDuplicateStreamsLayer,
    InferThresholdingLayer,
)
from tests.hls_library.harness import VERILATOR_RULE, Bench, copy_rule
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
