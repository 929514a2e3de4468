"""Cores by the HLS tools themselves, where they are installed: the Verilog against NumPy, cycles printed."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from finnmake.codegen.constants import constants_text
from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.crop import Crop
from finnmake.dataflow.duplicate_streams import DuplicateStreams
from finnmake.dataflow.elementwise_binary import ElementwiseAdd, ElementwiseSub
from finnmake.dataflow.fm_padding import FMPadding
from finnmake.dataflow.global_acc_pool import GlobalAccPool
from finnmake.dataflow.layer import IntegerArray, Layer
from finnmake.dataflow.packing import npy_to_packed, packed_to_npy
from finnmake.dataflow.pool import Pool
from finnmake.dataflow.registry import LAYER_CLASSES
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.dataflow.upsample import UpsampleNearestNeighbour
from finnmake.runtime.rtlsim import RtlSimulation
from tests.hls_library.fifo_graphs import Graph
from tests.hls_library.grids import (
    ARITHMETIC,
    CONVERTERS,
    FIFOS,
    SELECTORS,
    STREAM_ORDER,
    WINDOW_ARITHMETIC,
    WINDOWS,
)
from tests.hls_library.harness import (
    LIBRARY,
    ROOT,
    STALLS,
    VERILATOR_RULE,
    Bench,
    check_words,
    copy_rule,
    core_cpp,
    layer_name,
    output_words,
    pack_streams,
    random_streams,
    run_script,
)
from tests.hls_library.random_layers import (
    depthwise,
    elementwise,
    external,
    grid_mvau,
    grid_thresholding,
    lookup,
    random_mvau,
    random_thresholding,
    requant,
)
from tests.hls_library.stitched import stitched

MODULE = "core_by_a_tool"
OPTIONS = {
    "bambu": ("--bambu", "--front-end", "I386_CLANG16"),
    "vitis_hls": ("--vitis-hls", "--part", "xczu3eg-sbva484-1-e"),
}
LAYER = random_mvau((64, 64), (16, 8), ("UINT2", "INT2"), (3, "UINT2"))

# Ratios that no side divides; narrow words, words of more than 64 bits on one side and on both.
RATIOS = [
    *CONVERTERS[:2],
    *(StreamingDataWidthConverter("INT3", a, b, 5 * a * b) for a, b in ((6, 4), (24, 9), (35, 10), (8, 12))),
    StreamingDataWidthConverter("UINT1", 129, 86, 258),
]

# Words of more than 64 bits, not a multiple of them.
WIDE = [
    ConvolutionInputGenerator("3,3", 33, "5,5", "1,1", "1,1", 33, "INT2", parallel_window=True),
    ConvolutionInputGenerator("3,3", 66, "5,5", "1,1", "1,1", 33, "INT2"),
    FMPadding("3,3", "1,1,1,1", 17, 17, "INT4", -1),
    Pool(33, 33, "2,2", "2,2", "UINT2", "UINT2"),
    GlobalAccPool(33, 33, 4, "UINT2", "UINT4"),
    random_thresholding(25, 25, "UINT3", 3, "UINT2"),
    elementwise(ElementwiseAdd, "INT4", "INT4", (17, 17)),
    lookup(9, 34, 17, "UINT4", "INT4"),
    random_mvau((50, 6), (25, 2), ("UINT3", "INT2"), (3, "UINT2")),
    depthwise(34, 17, "2,2", ("INT2", "INT4"), (3, "INT2"), simd=2),
    requant("INT4", "INT4", 3, "FLOOR", (34, 17)),
]

# Beside these, two or more of every kernel.
EVERY_KERNEL: list[Layer] = [
    *(grid_mvau(name) for name in ("xnor", "bipolar_weights", "unsigned")),
    external(grid_mvau("several_vectors")),
    *(grid_thresholding(name) for name in ("two_steps", "many_steps", "searched_shared")),
    *WINDOWS,
    *WINDOW_ARITHMETIC,
    GlobalAccPool(4, 4, 9, "TERNARY", "INT5"),
    *ARITHMETIC,
    elementwise(ElementwiseAdd, "UINT8", "INT2", (8, 8), constants=8, vectors=3),
    elementwise(ElementwiseSub, "INT4", "INT4", (4, 1)),
    *STREAM_ORDER,
    UpsampleNearestNeighbour(2, 3, 4, 3, 4, 4, "UINT2"),
    Crop(4, 5, 3, 1, "BIPOLAR", 0, 2, 1, 1),
    *FIFOS[1:3],
    *CONVERTERS[2:],
    *SELECTORS,
    *RATIOS,
    *WIDE,
]

# A branch with padding and a window beside a queue, and padding behind their sum.
PADDED = Graph(
    (
        DuplicateStreams(2, 2, 2, "INT4", 16),
        FMPadding("4,4", "1,1,1,1", 2, 2, "INT4", -8),
        ConvolutionInputGenerator("3,3", 2, "6,6", "1,1", "1,1", 2, "INT4", True),
        Pool(2, 2, "3,3", "4,4", "INT4", "INT4"),
        StreamingFIFO("INT4", 2, 16, 16),
        elementwise(ElementwiseAdd, "INT4", "INT4", (2, 2), vectors=16),
        FMPadding("4,4", "2,0,1,1", 2, 2, "INT5"),
    ),
    (((-1, 0),), ((0, 0),), ((1, 0),), ((2, 0),), ((0, 1),), ((3, 0), (4, 0)), ((5, 0),)),
)


def make(folder: Path, layer: Layer, engine: str, module: str = MODULE) -> None:
    """Runs the script of a rule as an action does."""
    option, *more = OPTIONS[engine]
    folder.mkdir()
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
    arguments = ["--function", layer.core_name(), "--module", module, "--clock-period", "20", "--frames", "2"]
    run_script(folder, "core.py", option, program, *more, *arguments, "--streams", *streams)


def check(bench: Bench, folder: Path, layer: Layer, engine: str) -> list[int]:
    """Makes a core and compares its words with the layer's; the cycles of each frame without stalls."""
    if shutil.which(engine) is None:
        pytest.skip(f"{engine} is not on PATH")
    made = folder / "made"
    make(made, layer, engine)
    copy_rule(VERILATOR_RULE, folder)
    archive = bench.runtime()
    shutil.copy(archive, folder / archive.name)
    shutil.copy(made / "out" / "core.v", folder)
    shutil.copytree(made / "out" / "memories", folder / MODULE)
    run_script(folder, "build.py", "--top", MODULE, "--output", "model.so", "core.v")
    # Calls of two frames: the wrapper starts the core again, twice.
    frames = random_streams(layer, 6)
    intervals: list[int] = []
    for seed, (input_stall, output_stall) in enumerate(((0, 0), *STALLS)):
        with RtlSimulation(folder / "model.so", folder) as simulation:
            result = simulation.run_streams(
                pack_streams(frames, layer),
                output_words(layer, 6),
                input_stall=input_stall,
                output_stall=output_stall,
                seed=seed,
                surplus_cycles=100,
                max_idle_cycles=10_000,
            )
        check_words(layer, result.all_outputs, frames)
        if input_stall == output_stall == 0:
            intervals = result.output_intervals(layer.output_streams()[0].words_per_frame).tolist()
    return intervals


@pytest.mark.parametrize("engine", OPTIONS)
def test_a_tool_makes_a_core(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str) -> None:
    intervals = check(bench, tmp_path, LAYER, engine)
    with capsys.disabled():
        print(f"\n{engine}: {min(intervals)} to {max(intervals)} cycles a vector, rtl {LAYER.interval_cycles()}")


@pytest.mark.parametrize("layer", [WINDOWS[8], RATIOS[0]], ids=layer_name)
def test_bambu_makes_a_core_of_odd_words(bench: Bench, tmp_path: Path, layer: Layer) -> None:
    check(bench, tmp_path, layer, "bambu")


@pytest.mark.skipif(shutil.which("bambu") is None, reason="bambu is not on PATH")
def test_padding_by_bambu_around_cores_in_verilog(bench: Bench, tmp_path: Path) -> None:
    made = {}
    for position in (1, 6):
        name = PADDED.layers[position].core_name()
        make(tmp_path / name, PADDED.layers[position], "bambu", name)
        made[name] = (tmp_path / name / "out" / "core.v").read_text()
    source, sink = PADDED.layers[0].input_streams()[0], PADDED.layers[6].output_streams()[0]
    frames = random_streams(PADDED.layers[0], 5)
    before: dict[int, IntegerArray] = {-1: frames[0]}
    for position, (layer, sources) in enumerate(zip(PADDED.layers, PADDED.sources, strict=True)):
        # Both outputs of the fan-out are the same.
        before[position] = layer.execute_streams([before[position] for position, _ in sources])[0]
    words = npy_to_packed(frames[0], source.datatype, source.elements_per_word)
    with stitched(bench, tmp_path / "stitched", PADDED, made) as simulation:
        for seed, (input_stall, output_stall) in enumerate(((0, 0), *STALLS)):
            # The cores go on from frame to frame: words too many are those of a frame that has not come.
            result = simulation.run(
                words,
                5 * sink.words_per_frame,
                input_stall=input_stall,
                output_stall=output_stall,
                seed=seed,
                surplus_cycles=2000,
                max_idle_cycles=10_000,
            )
            outputs = packed_to_npy(result.outputs, sink.datatype, sink.elements_per_word, sink.words_per_frame)
            np.testing.assert_array_equal(outputs, before[6])


def test_every_kernel_is_made_at_least_twice() -> None:
    made = Counter(layer.op_type for layer in EVERY_KERNEL)
    assert made.keys() == LAYER_CLASSES.keys()
    assert min(made.values()) >= 2


@pytest.mark.nightly
@pytest.mark.parametrize("layer", EVERY_KERNEL, ids=layer_name)
def test_bambu_makes_every_kernel(bench: Bench, tmp_path: Path, layer: Layer) -> None:
    check(bench, tmp_path, layer, "bambu")
