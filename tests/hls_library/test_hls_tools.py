"""Cores by the HLS tools themselves, where they are installed: the Verilog against NumPy, cycles printed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from finnmake.codegen.constants import constants_text
from finnmake.dataflow.layer import Layer
from finnmake.runtime.rtlsim import RtlSimulation
from tests.hls_library.harness import (
    LIBRARY,
    ROOT,
    VERILATOR_RULE,
    Bench,
    check_words,
    copy_rule,
    core_cpp,
    output_words,
    pack_streams,
    random_frames,
    run_script,
)
from tests.hls_library.random_layers import random_mvau

MODULE = "core_by_a_tool"
LAYER = random_mvau((64, 64), (16, 8), ("UINT2", "INT2"), (3, "UINT2"))


def make(folder: Path, layer: Layer, engine: str, option: str, *more: str) -> None:
    """Runs the script of a rule as an action does."""
    (folder / "top.cpp").write_text(core_cpp(layer))
    for name, image in layer.memory_images().items():
        (folder / f"{name}.inc").write_text(constants_text(name, image))
    for name in layer.cpp_files:
        shutil.copy(LIBRARY / name, folder)
    copy_rule(ROOT / "rules" / engine, folder)
    shutil.copy(ROOT / "rules" / "hls" / "wrapper.py", folder)
    streams = [
        *(f"in:{name}:{stream.width}" for name, stream in layer.input_ports().items()),
        *(f"out:{name}:{stream.width}" for name, stream in layer.output_ports().items()),
    ]
    program = shutil.which(engine)
    assert program is not None
    arguments = ["--function", layer.core_name(), "--module", MODULE, "--clock-period", "20", "--frames", "2"]
    run_script(folder, "core.py", option, program, *more, *arguments, "--streams", *streams)


@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("bambu", ("--bambu", "--front-end", "I386_CLANG16")),
        ("vitis_hls", ("--vitis-hls", "--part", "xczu3eg-sbva484-1-e")),
    ],
    ids=["bambu", "vitis_hls"],
)
def test_a_tool_makes_a_core(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str, options: tuple[str, ...]
) -> None:
    if shutil.which(engine) is None:
        pytest.skip(f"{engine} is not on PATH")
    option, *more = options
    made = tmp_path / "made"
    made.mkdir()
    make(made, LAYER, engine, option, more[0], more[1])
    copy_rule(VERILATOR_RULE, tmp_path)
    archive = bench.runtime()
    shutil.copy(archive, tmp_path / archive.name)
    shutil.copy(made / "out" / "core.v", tmp_path)
    shutil.copytree(made / "out" / "memories", tmp_path / MODULE)
    run_script(tmp_path, "build.py", "--top", MODULE, "--output", "model.so", "core.v")
    # Calls of two frames: the wrapper starts the core again, twice.
    frames = random_frames(LAYER, 6)
    for input_stall, output_stall in ((0, 0), (0.5, 0.5), (0.9, 0.1), (0.1, 0.9)):
        with RtlSimulation(tmp_path / "model.so", tmp_path) as simulation:
            result = simulation.run_streams(
                pack_streams([frames], LAYER),
                output_words(LAYER, 6),
                input_stall=input_stall,
                output_stall=output_stall,
                surplus_cycles=100,
                max_idle_cycles=10_000,
            )
        check_words(LAYER, result.all_outputs, [frames])
        if input_stall == output_stall == 0:
            intervals = result.output_intervals(LAYER.output_stream().words_per_frame).tolist()
            with capsys.disabled():
                print(
                    f"\n{engine}: {min(intervals)} to {max(intervals)} cycles a vector, rtl {LAYER.interval_cycles()}"
                )
