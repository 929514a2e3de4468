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


def test_a_linked_design_is_the_stitched_one_to_the_cycle(bench: Bench, tmp_path: Path) -> None:
    network = IntegerGraph((1, 6))
    branch = network.threshold(network.input)
    model = network.model(network.add(branch, branch))
    for kind in (InferAddStreamsLayer(), InferThresholdingLayer(), InferDuplicateStreamsLayer()):
        model = model.transform(kind)
    model = model.transform(ApplyFolding({"Thresholding_0": {"PE": 2}, "DuplicateStreams_0": {"PE": 3}}))
    model = model.transform(InsertDWC()).transform(InsertFIFO())
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


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("module top", "module other", "holds another module than top"),
        ("assign m_axis_tdata = stream_0_tdata;", "assign m_axis_tdata = ~stream_0_tdata;", "more than instances"),
        (".WEIGHTS_FILE", ".DEPTH(3), .WEIGHTS_FILE", "parameters that are no names"),
    ],
)
def test_what_is_no_stitched_design_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    copy_rule(VERILATOR_RULE, tmp_path)
    (tmp_path / "stitched.v").write_text(TOP.replace(old, new))
    command = [sys.executable, "link.py", "--top", "top", "--output", "model.so", "stitched.v"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert message in done.stderr
