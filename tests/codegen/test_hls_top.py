"""The C++ tops as an HLS tool reads them: memories as constants, no simulation driver."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from finnmake.codegen.core import CoreTemplates, render_core
from finnmake.dataflow.elementwise_binary import ElementwiseMul, ElementwiseSub
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import IntegerArray, Layer, MemoryImage, Stream
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.packing import memory_words
from finnmake.dataflow.streaming_concat import StreamingConcat, StreamingSplit
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.dataflow.thresholding import Thresholding

ROOT = Path(__file__).parents[2]
LIBRARY, TEMPLATES = ROOT / "hls_library", ROOT / "finnmake" / "codegen" / "templates"
RANDOM = np.random.default_rng(0)

LAYERS = (
    # Memory words of more than one machine word, thresholds with negative values.
    MatrixVectorActivation(
        MW=36,
        MH=6,
        SIMD=12,
        PE=3,
        inputDataType="INT2",
        weightDataType="INT3",
        accDataType="INT10",
        outputDataType="UINT2",
        numSteps=3,
        parameters={
            "weights": RANDOM.integers(-4, 4, (36, 6)),
            "thresholds": np.sort(RANDOM.integers(-40, 40, (6, 3)), axis=1),
        },
    ),
    # Streams and memory words of one bit.
    MatrixVectorActivation(
        MW=3,
        MH=2,
        SIMD=1,
        PE=1,
        inputDataType="BINARY",
        weightDataType="BINARY",
        accDataType="UINT2",
        outputDataType="UINT2",
        binaryXnorMode=True,
        noActivation=True,
        parameters={"weights": np.array([[0, 1], [1, 1], [0, 0]])},
    ),
    Thresholding(
        NumChannels=4,
        PE=2,
        inputDataType="INT4",
        thresholdDataType="INT4",
        outputDataType="BIPOLAR",
        numSteps=1,
        ActVal=-1,
        parameters={"thresholds": np.array([[-8], [-1], [0], [7]])},
    ),
    # No memories.
    LabelSelect(Labels=2, PE=1, inputDataType="BINARY", outputDataType="BINARY"),
    StreamingFIFO("BINARY", elements_per_word=1, words_per_frame=2, depth=2),
    StreamingDataWidthConverter("BINARY", elements_in=1, elements_out=2, elements_per_frame=2),
    # Several streams, with and without memories.
    StreamingConcat("2,6", 2, "INT5"),
    StreamingSplit("2,6,4", 2, "UINT3", 2),
    ElementwiseSub(4, 2, "UINT4", "INT3", "INT6"),
    ElementwiseMul(4, 2, "UINT4", "INT3", "INT7", "const", parameters={"rhs": np.array([-4, 3, 0, 1])}),
)


def words(values: IntegerArray, stream: Stream) -> list[str]:
    """The words of whole frames as hex digits."""
    return memory_words(MemoryImage(values.reshape(-1, stream.elements_per_word), stream.datatype))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: f"{layer.op_type}-{layer.input_streams()[0].width}")
def test_a_top_is_whole_without_the_simulation(layer: Layer, tmp_path: Path) -> None:
    templates = CoreTemplates(TEMPLATES / "core.v.j2", TEMPLATES / "configured.v.j2", TEMPLATES / "top.cpp.j2")
    for name, text in render_core(layer, templates).items():
        (tmp_path / name).write_text(text)
    generator = np.random.default_rng(1)
    frames, lines = [], []
    for name, stream in layer.input_ports().items():
        low, high = int(stream.datatype.min()), int(stream.datatype.max())
        frames.append(generator.integers(low, high, (3, stream.elements_per_frame), endpoint=True))
        lines += [f"hls::stream<ap_uint<{stream.width}>> {name};"]
        lines += [f'{name}.write(ap_uint<{stream.width}>("0x{word}"));' for word in words(frames[-1], stream)]
    lines += [f"hls::stream<ap_uint<{stream.width}>> {name};" for name, stream in layer.output_ports().items()]
    lines += [f"{layer.core_name()}({', '.join([*layer.input_ports(), *layer.output_ports()])}, 3);"]
    lines += [f"while (!{name}.empty()) std::puts({name}.read().to_hex().c_str());" for name in layer.output_ports()]
    (tmp_path / "main.cpp").write_text(
        '#include <cstdio>\n#include "top.cpp"\nint main() {\n    ' + "\n    ".join(lines) + "\n}\n"
    )
    headers = [f"-I{LIBRARY / folder}" for folder in ("include", layer.kernel)]
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unknown-pragmas"]
    built = subprocess.run(
        ["g++", *flags, *headers, "main.cpp", "-o", "main"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    ran = subprocess.run(["./main"], cwd=tmp_path, capture_output=True, text=True, check=True)
    pairs = zip(layer.execute_streams(frames), layer.output_streams(), strict=True)
    assert ran.stdout.split() == [word for values, stream in pairs for word in words(values, stream)]
