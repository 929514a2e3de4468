"""Many cores in one simulation: compiling one costs more than running it, and most of that is the same for all.

    bench.check(layer, frames)           # one core: see harness.py
    Bundle(bench, layers).check()        # the same of all, each with streams and stalls of its own

The cores stand side by side in one top module; no core is connected to another. Each has the clock cycles that it would
have alone: inputs are offered to all from the same cycle on, and what one does moves no signal of another.
What fails is said with the name of its core.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finnmake.dataflow.layer import IntegerArray, Layer, MemoryImage, Stream
from finnmake.dataflow.packing import PackedWords, memory_text
from finnmake.errors import VerificationError
from finnmake.runtime.cppsim import CppSimulation
from finnmake.runtime.rtlsim import RtlSimulation, StreamResult
from tests.hls_library.harness import (
    CXX_RULE,
    STALLS,
    VERILATOR_RULE,
    Bench,
    check_cycles,
    check_words,
    copy_sources,
    core_verilog,
    layer_name,
    pack_streams,
    random_streams,
    run_script,
)

SIZE = 12
"""Cores in a bundle: the compiler's time grows faster than its text."""

CPP_CHECKS = """
template <typename Core>
static void run_core(const char* core, const Core& run) {
    try {
        run();
    } catch (const std::exception& error) {
        throw std::runtime_error(std::string(core) + ": " + error.what());
    }
}
static void expect_words(const char* core, const char* what, std::size_t found, std::size_t expected) {
    if (found != expected)
        throw std::runtime_error(std::string(core) + ": " + std::to_string(found) + what + std::to_string(expected));
}
"""


def bundles(layers: Sequence[Layer], size: int = SIZE) -> list[tuple[Layer, ...]]:
    """The layers in bundles of at most ``size``, neighbours apart, so that the large ones are not all in one."""
    count = -(-len(layers) // size)
    return [tuple(layers[start::count]) for start in range(count)]


@dataclass(frozen=True)
class Member:
    """A core of a bundle.

    Attributes:
        instance: its name in the bundle.
        layer: with its parameters.
        first_input: number of its first input stream in the bundle.
        first_output: number of its first output stream.
    """

    instance: str
    layer: Layer
    first_input: int
    first_output: int

    def inputs(self) -> dict[str, Stream]:
        """Its input streams by their names in the bundle."""
        return {f"in{self.first_input + port}": stream for port, stream in enumerate(self.layer.input_streams())}

    def outputs(self) -> dict[str, Stream]:
        """Its output streams by their names in the bundle."""
        return {f"out{self.first_output + port}": stream for port, stream in enumerate(self.layer.output_streams())}

    def images(self) -> dict[str, MemoryImage]:
        """Its memories by their names in the bundle."""
        return {f"{self.instance}_{name}": image for name, image in self.layer.memory_images().items()}

    def verilog(self) -> str:
        """The instance."""
        ports = [".aclk(aclk)", ".aresetn(aresetn)"]
        for names, streams in (
            (self.layer.input_ports(), self.inputs()),
            (self.layer.output_ports(), self.outputs()),
        ):
            for port, stream in zip(names, streams, strict=True):
                ports += [f".{port}_{signal}({stream}_{signal})" for signal in ("tdata", "tvalid", "tready")]
        files = ", ".join(f'.{n.upper()}_FILE("{self.instance}_{n}.mem")' for n in self.layer.memory_images())
        parameters = f" #({files})" if files else ""
        return f"    {self.layer.core_name()}{parameters} {self.instance} ({', '.join(ports)});"

    def cpp(self) -> list[str]:
        """Statements that run it, and look at what it leaves."""
        images = self.layer.memory_images()
        memories = [
            re.sub(r"\w+", lambda word: f"{self.instance}_{word[0]}" if word[0] in images else word[0], text)
            for text in self.layer.cpp_memory_arguments()
        ]
        arguments = ", ".join([*self.inputs(), *self.outputs(), *memories, "frames"])
        template = ", ".join(self.layer.cpp_template_arguments())
        name = f'"{layer_name(self.layer)}"'
        return [
            f"    run_core({name}, [&] {{ {self.layer.kernel}<{template}>({arguments}); }});",
            *(f'    expect_words({name}, " input words are left, not ", {port}.size(), 0);' for port in self.inputs()),
            *(
                f'    expect_words({name}, " output words came, not ", {port}.size(), frames * {s.words_per_frame}u);'
                for port, s in self.outputs().items()
            ),
        ]


@dataclass(frozen=True)
class Bundle:
    """Cores that are built and run together.

    Attributes:
        bench: gives the folder and Verilator's runtime.
        layers: with their parameters; two may be equal in structure.
    """

    bench: Bench
    layers: tuple[Layer, ...]

    @property
    def name(self) -> str:
        """Of the top: a digest of the cores."""
        cores = " ".join(layer.core_name() for layer in self.layers)
        return f"bundle_{hashlib.sha256(cores.encode()).hexdigest()[:16]}"

    def members(self) -> Iterator[Member]:
        """The cores with the numbers of their streams."""
        inputs = outputs = 0
        for index, layer in enumerate(self.layers):
            yield Member(f"core_{index}", layer, inputs, outputs)
            inputs += len(layer.input_streams())
            outputs += len(layer.output_streams())

    def images(self) -> dict[str, MemoryImage]:
        """The memories of all cores."""
        return {name: image for member in self.members() for name, image in member.images().items()}

    # -- texts --------------------------------------------------------------------------------------------------------
    def verilog(self) -> str:
        """The top module."""
        ports = ["input wire aclk", "input wire aresetn"]
        for member in self.members():
            for streams, forth, back in ((member.inputs(), "input", "output"), (member.outputs(), "output", "input")):
                for name, stream in streams.items():
                    ports += [
                        f"{forth} wire [{stream.width - 1}:0] {name}_tdata",
                        f"{forth} wire {name}_tvalid",
                        f"{back} wire {name}_tready",
                    ]
        instances = [member.verilog() for member in self.members()]
        body = [",\n".join(f"    {port}" for port in ports), ");", *instances, "endmodule"]
        return "\n".join([f"module {self.name} (", *body]) + "\n"

    def cpp(self) -> str:
        """The C++ top."""
        kernels = sorted({f'#include "{layer.kernel}.hpp"' for layer in self.layers})
        members = list(self.members())
        inputs = {name: stream for member in members for name, stream in member.inputs().items()}
        outputs = {name: stream for member in members for name, stream in member.outputs().items()}
        arguments = ", ".join(f"hls::stream<ap_uint<{s.width}>>& {name}" for name, s in (inputs | outputs).items())
        ports = [
            ", ".join(f"finnmake::Port<{stream.width}, {stream.words_per_frame}>" for stream in streams.values())
            for streams in (inputs, outputs)
        ]
        lines = [
            '#include "ap_int.h"',
            '#include "hls_stream.h"',
            *kernels,
            '#include "simulation.hpp"',
            *(f"FINNMAKE_MEMORY({name}, {image.width}, {image.depth})" for name, image in self.images().items()),
            CPP_CHECKS,
            f"void {self.name}({arguments}, unsigned frames) {{",
            *(line for member in members for line in member.cpp()),
            "}",
            f"FINNMAKE_SIMULATE({self.name}, finnmake::Inputs<{ports[0]}>, finnmake::Outputs<{ports[1]}>)",
        ]
        return "\n".join(lines) + "\n"

    # -- building -----------------------------------------------------------------------------------------------------
    def _scratch(self, kind: str, rule: Path, files: Sequence[str]) -> Path:
        folder = self.bench.folder / f"{self.name}-{kind}"
        copy_sources(folder, rule, files)
        for name, image in self.images().items():
            (folder / f"{name}.mem").write_text(memory_text(image))
        return folder

    def rtl(self) -> RtlSimulation:
        """The RTL simulation, linted before it is built."""
        sources = sorted({name for layer in self.layers for name in layer.verilog_files})
        folder = self._scratch("rtl", VERILATOR_RULE, sources)
        if not (folder / "model.so").exists():
            cores = {f"{layer.core_name()}.v": core_verilog(layer) for layer in self.layers}
            for name, text in ({f"{self.name}.v": self.verilog()} | cores).items():
                (folder / name).write_text(text)
            files = [f"{self.name}.v", *cores, *sources]
            run_script(folder, "lint.py", "--top", self.name, "--output", "lint.txt", *files)
            shutil.copy(self.bench.runtime(), folder / "verilated.a")
            run_script(folder, "build.py", "--top", self.name, "--output", "model.so", *files)
        return RtlSimulation(folder / "model.so", folder)

    # -- running ------------------------------------------------------------------------------------------------------
    def _packed(self, frames: Sequence[Sequence[IntegerArray]]) -> list[PackedWords]:
        return [words for layer, own in zip(self.layers, frames, strict=True) for words in pack_streams(own, layer)]

    def _words(self, frames: Sequence[Sequence[IntegerArray]]) -> list[int]:
        batch = len(frames[0][0])
        return [batch * stream.words_per_frame for layer in self.layers for stream in layer.output_streams()]

    def _compare(self, words: Sequence[PackedWords], frames: Sequence[Sequence[IntegerArray]]) -> None:
        for member, own in zip(self.members(), frames, strict=True):
            last = member.first_output + len(member.layer.output_streams())
            check_words(member.layer, words[member.first_output : last], own)

    def _named(self, message: str) -> str:
        """A simulation's message about streams, with the cores that they belong to."""
        incomplete = re.findall(r"(\w+): (\d+) of (\d+) (?:in|out)put words", message)
        streams = {name for name, moved, count in incomplete if moved != count} or set(
            re.findall(r"\bout\d+(?=:|_t)", message)
        )
        cores = [m.layer for m in self.members() if streams & (m.inputs() | m.outputs()).keys()]
        return " and ".join(layer_name(layer) for layer in cores) + f": {message}"

    def run_rtl(
        self, frames: Sequence[Sequence[IntegerArray]], input_stall: float = 0, output_stall: float = 0, seed: int = 0
    ) -> StreamResult:
        """Runs frames through all cores at once and compares numbers; looks for words too many."""
        longest = max(layer.first_output_latency() + layer.interval_cycles() for layer in self.layers)
        with self.rtl() as simulation:
            try:
                result = simulation.run_streams(
                    self._packed(frames),
                    self._words(frames),
                    input_stall=input_stall,
                    output_stall=output_stall,
                    seed=seed,
                    surplus_cycles=longest + 8,
                    max_idle_cycles=20 * longest + 1000,
                )
            except VerificationError as error:
                raise AssertionError(self._named(error.what)) from error
        self._compare(result.all_outputs, frames)
        return result

    def check_rtl(self, frames: Sequence[Sequence[IntegerArray]]) -> None:
        """Numbers and exact cycles without stalls, then numbers under three patterns of stalls."""
        result = self.run_rtl(frames)
        for member in self.members():
            check_cycles(member.layer, result, len(frames[0][0]), member.first_input, member.first_output)
        for seed, (input_stall, output_stall) in enumerate(STALLS):
            self.run_rtl(frames, input_stall, output_stall, seed)

    def check_cpp(self, frames: Sequence[Sequence[IntegerArray]]) -> None:
        """Numbers of the C++."""
        headers = sorted({name for layer in self.layers for name in layer.cpp_files})
        folder = self._scratch("cpp", CXX_RULE, [*headers, "include/ap_int.h", "include/hls_stream.h"])
        if not (folder / "model.so").exists():
            (folder / "top.cpp").write_text(self.cpp())
            kernels = [word for layer in self.layers for word in ("--include", layer.kernel)]
            run_script(folder, "build.py", "--output", "model.so", *kernels, "top.cpp")
        memories = {name: folder / f"{name}.mem" for name in self.images()}
        simulation = CppSimulation(folder / "model.so")
        self._compare(simulation.run_streams(self._packed(frames), self._words(frames), memories), frames)

    def check(self, batch: int = 10, seed: int = 0) -> None:
        """Everything of all cores with random frames: lint, RTL, C++."""
        frames = [random_streams(layer, batch, seed) for layer in self.layers]
        self.check_rtl(frames)
        self.check_cpp(frames)
