"""Builds and runs one layer's core, for the tests of the kernels.

    from tests.hls_library.harness import Bench                 # the fixture `bench` is in conftest.py

    def test_numbers_and_cycles(bench: Bench) -> None:
        bench.check(layer, frames)               # lint, RTL with and without stalls, cycles, C++

A layer with several inputs takes one array of frames for each of them.
Single steps: `bench.lint`, `bench.rtl`, `bench.cpp`, `bench.check_rtl`, `bench.check_cpp`.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finnmake.codegen.core import core_values
from finnmake.codegen.rendering import render
from finnmake.dataflow.layer import IntegerArray, Layer, Stream
from finnmake.dataflow.packing import PackedWords, memory_text, npy_to_packed, packed_to_npy
from finnmake.runtime.cppsim import CppSimulation
from finnmake.runtime.rtlsim import RtlSimulation, StreamResult
from finnmake.runtime.simulations import Simulations

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "hls_library"
TEMPLATES = ROOT / "finnmake" / "codegen" / "templates"
VERILATOR_RULE = ROOT / "rules" / "verilator"
CXX_RULE = ROOT / "rules" / "cxx"

STALLS = ((0.5, 0.5), (0.9, 0.1), (0.1, 0.9))
"""Probabilities of a stall at inputs and outputs; the place of each is the seed."""


def layer_name(layer: Layer) -> str:
    """A layer with its structure, as the tests' names say it."""
    return "-".join([layer.op_type, *(str(value) for value in layer.structure().values())])


def run_script(folder: Path, script: str, *arguments: str) -> None:
    """Runs a rule's script in a scratch folder; its messages are the assertion's text where it fails."""
    result = subprocess.run(
        [sys.executable, script, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{script} failed:\n{result.stdout}{result.stderr}"


def copy_rule(rule: Path, folder: Path) -> None:
    """Puts a rule's files into a scratch folder."""
    for path in rule.iterdir():
        if path.is_file():
            shutil.copy(path, folder / path.name)


def copy_sources(folder: Path, rule: Path, files: Sequence[str]) -> None:
    """Makes a scratch folder with a rule's files and some of the library's."""
    folder.mkdir(parents=True, exist_ok=True)
    copy_rule(rule, folder)
    for name in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(LIBRARY / name, target)


def core_verilog(layer: Layer) -> str:
    """A core as it is generated."""
    return render(TEMPLATES / "core.v.j2", core_values(layer))


def core_cpp(layer: Layer) -> str:
    """The C++ top as it is generated."""
    return render(TEMPLATES / "top.cpp.j2", core_values(layer))


def random_frames(layer: Layer, batch: int, seed: int = 0) -> IntegerArray:
    """Random frames of the only input stream, see `random_streams`."""
    (frames,) = random_streams(layer, batch, seed)
    return frames


def random_streams(layer: Layer, batch: int, seed: int = 0) -> tuple[IntegerArray, ...]:
    """For each input stream random frames over the whole range of the datatype, extremes included."""
    generator = np.random.default_rng(seed)
    return tuple(_random_frames(stream, batch, generator) for stream in layer.input_streams())


def _random_frames(stream: Stream, batch: int, generator: np.random.Generator) -> IntegerArray:
    shape = (batch, stream.elements_per_frame)
    if stream.datatype.name == "BIPOLAR":
        return 2 * generator.integers(0, 2, shape) - 1
    low, high = int(stream.datatype.min()), int(stream.datatype.max())
    values = generator.integers(low, high, shape, endpoint=True, dtype=np.int64)
    extreme = generator.random(shape) < 0.1
    return np.where(extreme, generator.choice(np.array([low, high]), shape), values)


@dataclass(frozen=True)
class Bench:
    """Builds cores below a folder; equal structures are built once.

    Attributes:
        folder: of this test process.
        shared: of all test processes and sessions; holds Verilator's compiled runtime.
    """

    folder: Path
    shared: Path

    def runtime(self) -> Path:
        """Verilator's compiled runtime; test processes and sessions share it."""
        folder = self.shared / _runtime_key()
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / "verilated.a"
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "complete").exists():
                copy_rule(VERILATOR_RULE, folder)
                run_script(folder, "runtime.py", "--output", archive.name)
                (folder / "complete").touch()
        return archive

    def linked_design(self) -> Path:
        """What linked designs share, compiled; once for a test process."""
        folder = self.folder / "linked_design"
        made = folder / "linked_design.o"
        if not made.exists():
            copy_sources(folder, VERILATOR_RULE, ())
            run_script(folder, "linked_design.py", "--output", made.name)
        return made

    def put_runtime(self, simulations: Simulations) -> None:
        """Spares a folder of simulations the compilation of Verilator's runtime."""
        entry = simulations.prepare_verilator_runtime()
        shutil.copy(self.runtime(), entry)

    def _scratch(self, layer: Layer, kind: str, rule: Path, files: tuple[str, ...]) -> Path:
        folder = self.folder / f"{layer.core_name()}-{kind}"
        copy_sources(folder, rule, files)
        return folder

    def _rtl_scratch(self, layer: Layer, kind: str) -> tuple[Path, list[str]]:
        files = layer.verilog_files
        folder = self._scratch(layer, kind, VERILATOR_RULE, files)
        core = f"{layer.core_name()}.v"
        (folder / core).write_text(core_verilog(layer))
        return folder, [core, *files]

    def lint(self, layer: Layer) -> None:
        """``verilator --lint-only -Wall`` of the core."""
        folder, files = self._rtl_scratch(layer, "lint")
        run_script(folder, "lint.py", "--top", layer.core_name(), "--output", "lint.txt", *files)

    def rtl(self, layer: Layer, *options: str) -> RtlSimulation:
        """The core's RTL simulation with the layer's memories; ``options`` go to ``build.py`` (``--trace``)."""
        folder, files = self._rtl_scratch(layer, "rtl" + "".join(options))
        for name, image in layer.memory_images().items():
            (folder / f"{name}.mem").write_text(memory_text(image))
        if not (folder / "model.so").exists():
            archive = self.runtime()
            shutil.copy(archive, folder / archive.name)
            run_script(folder, "build.py", "--top", layer.core_name(), "--output", "model.so", *options, *files)
        return RtlSimulation(folder / "model.so", folder)

    def run_rtl(
        self,
        layer: Layer,
        *frames: IntegerArray,
        input_stall: float = 0,
        output_stall: float = 0,
        seed: int = 0,
    ) -> StreamResult:
        """Runs frames through the RTL and compares numbers; looks for words too many."""
        with self.rtl(layer) as simulation:
            result = simulation.run_streams(
                pack_streams(frames, layer),
                output_words(layer, len(frames[0])),
                input_stall=input_stall,
                output_stall=output_stall,
                seed=seed,
                surplus_cycles=layer.first_output_latency() + layer.interval_cycles() + 8,
                max_idle_cycles=20 * (layer.first_output_latency() + layer.interval_cycles()) + 1000,
            )
        check_words(layer, result.all_outputs, frames)
        return result

    def check_rtl(self, layer: Layer, *frames: IntegerArray) -> None:
        """Numbers and exact cycles without stalls, then numbers under three patterns of stalls."""
        check_cycles(layer, self.run_rtl(layer, *frames), len(frames[0]))
        for seed, (input_stall, output_stall) in enumerate(STALLS):
            self.run_rtl(layer, *frames, input_stall=input_stall, output_stall=output_stall, seed=seed)

    def cpp(self, layer: Layer) -> CppSimulation:
        """The core's C++ simulation."""
        files = (*layer.cpp_files, "include/ap_int.h", "include/hls_stream.h")
        folder = self._scratch(layer, "cpp", CXX_RULE, files)
        if not (folder / "model.so").exists():
            (folder / "top.cpp").write_text(core_cpp(layer))
            run_script(folder, "build.py", "--output", "model.so", "--include", layer.kernel, "top.cpp")
        return CppSimulation(folder / "model.so")

    def check_cpp(self, layer: Layer, *frames: IntegerArray) -> None:
        """Numbers of the C++."""
        simulation = self.cpp(layer)
        memories = {}
        for name, image in layer.memory_images().items():
            memories[name] = self.folder / f"{layer.core_name()}-cpp" / f"{name}.mem"
            memories[name].write_text(memory_text(image))
        count = output_words(layer, len(frames[0]))
        check_words(layer, simulation.run_streams(pack_streams(frames, layer), count, memories), frames)

    def check(self, layer: Layer, *frames: IntegerArray) -> None:
        """Everything: lint, RTL, C++."""
        self.lint(layer)
        self.check_rtl(layer, *frames)
        self.check_cpp(layer, *frames)


def pack_streams(frames: Sequence[IntegerArray], layer: Layer) -> list[PackedWords]:
    """Frames of every input stream as words."""
    pairs = zip(frames, layer.input_streams(), strict=True)
    return [npy_to_packed(values, stream.datatype, stream.elements_per_word) for values, stream in pairs]


def output_words(layer: Layer, batch: int) -> list[int]:
    """Words of a batch on every output stream."""
    return [batch * stream.words_per_frame for stream in layer.output_streams()]


def check_words(layer: Layer, words: Sequence[PackedWords], frames: Sequence[IntegerArray]) -> None:
    """Compares the words of every output stream with the layer's reference."""
    for got, stream, expected in zip(words, layer.output_streams(), layer.execute_streams(frames), strict=True):
        outputs = packed_to_npy(got, stream.datatype, stream.elements_per_word, stream.words_per_frame)
        np.testing.assert_array_equal(outputs, expected, err_msg=layer_name(layer))


def check_cycles(layer: Layer, result: StreamResult, batch: int, first_input: int = 0, first_output: int = 0) -> None:
    """Compares latency and intervals of a run without stalls with what the layer states.

    Args:
        layer: what ran.
        result: of the run.
        batch: frames that ran; from 8 on the interval at the inputs is looked at, too: the first ones fill the core.
        first_input: number of the layer's first input stream among those of the simulation.
        first_output: number of its first output stream.
    """
    inputs = list(enumerate(layer.input_streams(), first_input))
    outputs = list(enumerate(layer.output_streams(), first_output))
    first = [
        min(int(cycles[port][0]) for port, _ in streams)
        for cycles, streams in ((result.all_input_cycles, inputs), (result.all_output_cycles, outputs))
    ]
    latency, stated = first[1] - first[0], layer.first_output_latency()
    assert latency == stated, f"{layer_name(layer)}: the first word comes after {latency} cycles, not {stated}"
    for port, sink in outputs:
        intervals = result.output_intervals(sink.words_per_frame, port)
        stated = layer.interval_cycles()
        assert set(intervals.tolist()) <= {stated}, f"{layer_name(layer)}: a frame in {intervals} cycles, not {stated}"
    if batch >= 8:
        for port, source in inputs:
            last = result.input_intervals(source.words_per_frame, port)[-1]
            stated = layer.interval_cycles()
            assert last == stated, f"{layer_name(layer)}: a frame is taken in {last} cycles, not {stated}"


def _runtime_key() -> str:
    """What the compiled runtime depends on: scripts, Verilator, compiler."""
    digest = hashlib.sha256()
    for name in ("runtime.py", "toolchain.py", "stream_driver.cpp", "streams.hpp", "model.hpp"):
        digest.update((VERILATOR_RULE / name).read_bytes())
    compiler = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True, check=True)
    digest.update(f"{importlib.metadata.version('verilator')} {compiler.stdout}".encode())
    return digest.hexdigest()[:16]
