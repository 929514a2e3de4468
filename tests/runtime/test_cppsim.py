"""The C++ rule, its driver, and the headers that stand in for the HLS tools' own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from finnmake.errors import ToolError, VerificationError
from finnmake.runtime.cppsim import CppSimulation
from tests.hls_library.harness import LIBRARY
from tests.runtime.conftest import BuildCpp

# Two words a frame; each comes out xor entry (word & 3) of a memory.
TOP = """
#include "ap_int.h"
#include "hls_stream.h"
#ifdef FINNMAKE_SIMULATION
#include "simulation.hpp"
FINNMAKE_MEMORY(table, 100, 4)
#endif
void top(hls::stream<ap_uint<100>>& s_axis, hls::stream<ap_uint<100>>& m_axis, unsigned frames) {
    for (unsigned i = 0; i < WORDS * frames; ++i) {
#pragma HLS pipeline II = 1
        const ap_uint<100> word = s_axis.read();
        m_axis.write(word ^ table[word.range(1, 0).to_uint()]);
    }
}
#ifdef FINNMAKE_SIMULATION
FINNMAKE_SIMULATE(top, finnmake::Inputs<finnmake::Port<100, 2>>, finnmake::Outputs<finnmake::Port<100, 2>>)
#endif
"""
TABLE = [1, 1 << 99, 0, (1 << 100) - 1]


def words_of(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    words = np.random.default_rng(count).integers(0, 256, (count, 13), dtype=np.uint8)
    words[:, 12] &= 15
    return words


@pytest.fixture(scope="session")
def model(build_cpp: BuildCpp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_cpp(tmp_path_factory.mktemp("model"), TOP.replace("WORDS", "2"))


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    path = tmp_path / "table.mem"
    path.write_text("".join(f"{entry:025X}\n" for entry in TABLE))
    return path


def test_whole_batches_with_memories_read_at_run_time(model: Path, memory: Path) -> None:
    words = words_of(40)
    table = np.array([list(entry.to_bytes(13, "little")) for entry in TABLE], dtype=np.uint8)
    simulation = CppSimulation(model)
    np.testing.assert_array_equal(simulation.run(words, 40, {"table": memory}), words ^ table[words[:, 0] & 3])
    memory.write_text("0\n" * 4)
    np.testing.assert_array_equal(simulation.run(words, 40, {"table": memory}), words)


def test_wrong_use_is_one_message(model: Path, memory: Path, tmp_path: Path) -> None:
    simulation = CppSimulation(model)
    with pytest.raises(VerificationError, match="4 words came instead of 5"):
        simulation.run(words_of(4), 5, {"table": memory})
    with pytest.raises(ToolError, match="whole number of frames"):
        simulation.run(words_of(3), 3, {"table": memory})
    with pytest.raises(ToolError, match="no file is given for memory table"):
        simulation.run(words_of(4), 4)
    with pytest.raises(ToolError, match="cannot be read"):
        simulation.run(words_of(4), 4, {"table": tmp_path / "none.mem"})
    with pytest.raises(ToolError, match="shape"):
        simulation.run(words_of(4)[:, :5], 4, {"table": memory})
    for text, message in (
        ("0\n" * 3, "does not have 4 words"),
        ("0\n" * 5, "does not have 4 words"),
        ("0\n0\nxy\n0\n", "hex digit"),
        ("0\n0\n0\n1" + "0" * 25, "word 3 has more than 100 bits"),
    ):
        memory.write_text(text)
        with pytest.raises(ToolError, match=message):
            simulation.run(words_of(4), 4, {"table": memory})


def test_reading_an_empty_stream_is_an_error(build_cpp: BuildCpp, tmp_path: Path, memory: Path) -> None:
    model = build_cpp(tmp_path / "greedy", TOP.replace("WORDS", "3"))
    with pytest.raises(ToolError, match="stream, which is empty"):
        CppSimulation(model).run(words_of(4), 4, {"table": memory})


def test_the_same_text_gives_the_same_bytes_in_another_folder(model: Path, build_cpp: BuildCpp, tmp_path: Path) -> None:
    again = build_cpp(tmp_path / "elsewhere", TOP.replace("WORDS", "2"))
    assert again.read_bytes() == model.read_bytes()


def test_a_warning_fails_the_build(build_cpp: BuildCpp, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unused variable"):
        build_cpp(tmp_path, TOP.replace("WORDS", "2").replace("#pragma HLS", "int unused;\n#pragma HLS"))


def test_ap_int_and_stream(tmp_path: Path) -> None:
    program = tmp_path / "shim"
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{LIBRARY / 'include'}"]
    source = Path(__file__).with_name("ap_int_test.cpp")
    built = subprocess.run(
        ["g++", *flags, str(source), "-o", str(program)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    result = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
