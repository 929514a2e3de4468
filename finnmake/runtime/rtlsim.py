"""RTL simulation of one core, or of a stitched design: whole batches through AXI4-Stream ports in one call.

The shared object is built by the rule ``verilator_build`` (``rules/verilator``) from structure only; memory files are
read when a simulation is constructed. For interactive work ``pyverilator.PyVerilator(shared_object)`` opens the same
file.
"""

from __future__ import annotations

import _ctypes
import ctypes
import itertools
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from finnmake.dataflow.packing import PackedWords
from finnmake.errors import ToolError, VerificationError

MAX_IDLE_CYCLES = 1_000_000
"""Cycles without a transfer after which what says nothing of its own time counts as stuck."""

_RESET_CYCLES = 4
_MESSAGE_BYTES = 1024


@dataclass(frozen=True, eq=False)
class StreamResult:
    """What one run did on every stream, in the order of the ports.

    Cycle 0 is the first after reset; the cycle of a word is the one at whose rising edge ``tvalid`` and ``tready`` are
    high.

    Attributes:
        all_outputs: for each output stream (its words, bytes per word), uint8: packed words.
        all_input_cycles: for each input stream (its words,), int64: cycle of each word.
        all_output_cycles: for each output stream (its words,), int64: cycle of each word.
        cycles: cycles simulated after reset.
    """

    all_outputs: tuple[PackedWords, ...]
    all_input_cycles: tuple[NDArray[np.int64], ...]
    all_output_cycles: tuple[NDArray[np.int64], ...]
    cycles: int

    @property
    def outputs(self) -> PackedWords:
        """Packed words of the first output stream."""
        return self.all_outputs[0]

    @property
    def input_cycles(self) -> NDArray[np.int64]:
        """Cycle of each word of the first input stream."""
        return self.all_input_cycles[0]

    @property
    def output_cycles(self) -> NDArray[np.int64]:
        """Cycle of each word of the first output stream."""
        return self.all_output_cycles[0]

    def first_output_latency(self) -> int:
        """Cycles from the first input word to the first output word, of whichever streams."""
        first_input = min(int(cycles[0]) for cycles in self.all_input_cycles)
        return min(int(cycles[0]) for cycles in self.all_output_cycles) - first_input

    def output_intervals(self, words_per_frame: int, port: int = 0) -> NDArray[np.int64]:
        """Cycles between the last output words of one frame and the next, shape (frames - 1,)."""
        return np.diff(self.all_output_cycles[port][words_per_frame - 1 :: words_per_frame])

    def input_intervals(self, words_per_frame: int, port: int = 0) -> NDArray[np.int64]:
        """Cycles between the first input words of one frame and the next, shape (frames - 1,)."""
        return np.diff(self.all_input_cycles[port][::words_per_frame])


class _Words(ctypes.Structure):
    """``finnmake::Words`` of ``rules/verilator/stream_driver.cpp``."""

    _fields_ = (
        ("bytes", ctypes.c_void_p),
        ("cycles", ctypes.c_void_p),
        ("count", ctypes.c_uint64),
        ("moved", ctypes.c_uint64),
    )


class _RunArguments(ctypes.Structure):
    """``finnmake_run_arguments`` of ``rules/verilator/stream_driver.cpp``."""

    _fields_ = (
        ("inputs", ctypes.POINTER(_Words)),
        ("outputs", ctypes.POINTER(_Words)),
        ("trace_file", ctypes.c_char_p),
        ("input_stall", ctypes.c_uint64),
        ("output_stall", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("max_idle_cycles", ctypes.c_uint64),
        ("surplus_cycles", ctypes.c_uint64),
        ("reset_cycles", ctypes.c_uint64),
        ("throttled", ctypes.c_uint64),
        ("burst", ctypes.c_uint64),
        ("cycles", ctypes.c_uint64),
        ("message", ctypes.c_char * _MESSAGE_BYTES),
    )


def load_shared_object(shared_object: Path) -> ctypes.CDLL:
    """Loads a simulation with its symbols kept to itself; `unload` releases it.

    The loader takes a file of a name it knows for the one it has loaded. A copy under a name of its own is therefore
    loaded: a simulation that was rebuilt in the meantime is the new one, and two of one file share nothing.

    Raises:
        ToolError: a file that is not there or that this machine cannot load.
    """
    try:
        content = shared_object.read_bytes()
        with tempfile.NamedTemporaryFile(prefix="finnmake-", suffix=".so") as copy:
            copy.write(content)
            copy.flush()
            return ctypes.CDLL(copy.name, mode=ctypes.RTLD_LOCAL)
    except OSError as error:
        raise ToolError(f"cannot load the simulation: {error}", where=str(shared_object)) from error


def unload(library: ctypes.CDLL) -> None:
    """Releases what `load_shared_object` loaded; no function of it may be called afterwards."""
    _ctypes.dlclose(library._handle)


def _release(library: ctypes.CDLL, handle: int) -> None:
    library.destruct(handle)
    unload(library)


def stall_threshold(name: str, probability: float) -> int:
    """A probability as the drivers take it, times 2^32.

    Raises:
        VerificationError: outside of 0 … 1.
    """
    if not 0 <= probability <= 1:
        raise VerificationError(f"{name} = {probability} is not a probability", remedy="Choose 0 to 1.")
    return round(probability * 2**32)


def checked_inputs(
    inputs: Sequence[PackedWords], widths: Sequence[int], outputs: int, output_ports: int, where: str
) -> tuple[PackedWords, ...]:
    """The inputs as a driver takes them: contiguous bytes.

    Args:
        inputs: for each input stream.
        widths: of the core's input streams.
        outputs: output streams that the caller thinks there are.
        output_ports: output streams that the core has.
        where: names the simulation.

    Raises:
        ToolError: another number of streams, or words of another width.
    """
    if len(inputs) != len(widths) or outputs != output_ports:
        raise ToolError(
            f"the core has {len(widths)} input and {output_ports} output streams, not {len(inputs)} and {outputs}",
            where=where,
        )
    arrays = tuple(np.ascontiguousarray(words, dtype=np.uint8) for words in inputs)
    for array, width in zip(arrays, widths, strict=True):
        word_bytes = (width + 7) // 8
        if array.ndim != 2 or array.shape[1] != word_bytes:
            raise ToolError(f"input words must have the shape (words, {word_bytes}), not {array.shape}", where=where)
    return arrays


def _widths(library: ctypes.CDLL, name: str) -> tuple[int, ...]:
    """A list of widths that ends with a zero."""
    first = ctypes.pointer(ctypes.c_uint32.in_dll(library, name))
    return tuple(itertools.takewhile(bool, (first[index] for index in itertools.count())))


def _stream_names(library: ctypes.CDLL, direction: str) -> tuple[str, ...]:
    """Names of the streams of one direction, in the order of the runs' arguments: ``in2`` before ``in10``."""
    count = ctypes.c_uint32.in_dll(library, f"_pyverilator_num_{direction}s").value
    ports = [(name or b"").decode() for name in (ctypes.c_char_p * count).in_dll(library, f"_pyverilator_{direction}s")]
    names = [name.removesuffix("_tdata") for name in ports if name.endswith("_tdata")]
    return tuple(sorted(names, key=lambda name: (len(name), name)))


def _stream_words(streams: Sequence[PackedWords], cycles: Sequence[NDArray[np.int64]]) -> ctypes.Array[_Words]:
    entries = (_Words(w.ctypes.data, c.ctypes.data, len(w), 0) for w, c in zip(streams, cycles, strict=True))
    return (_Words * len(streams))(*entries)


class RtlSimulation:
    """One instance of a simulated core. Also a context manager; `close` releases it.

    Args:
        shared_object: what the rule ``verilator_build`` made.
        working_directory: folder that the core's memory file names are relative to.
        random_state: registers without a reset value start with contents drawn from this number; 0 means zeros.

    Raises:
        ToolError: the file cannot be loaded, is no such simulation, or a memory file is missing or malformed.
    """

    def __init__(self, shared_object: Path, working_directory: Path, *, random_state: int = 1) -> None:
        self._path = shared_object
        self._library = load_shared_object(shared_object)
        try:
            library = self._library
            library.finnmake_construct.restype = ctypes.c_void_p
            library.finnmake_construct.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
            library.finnmake_run.argtypes = (ctypes.c_void_p, ctypes.POINTER(_RunArguments))
            library.destruct.argtypes = (ctypes.c_void_p,)
            self.input_widths = _widths(library, "finnmake_input_widths")
            self.output_widths = _widths(library, "finnmake_output_widths")
            self._input_names = _stream_names(library, "input")
            self._output_names = _stream_names(library, "output")
            self._has_trace = bool(ctypes.c_uint32.in_dll(library, "finnmake_has_trace").value)
        except (AttributeError, ValueError) as error:
            unload(self._library)
            raise ToolError("not a simulation that rule verilator_build made", where=str(shared_object)) from error
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        self._handle: int | None = library.finnmake_construct(
            f"{working_directory.resolve()}/".encode(), random_state, message, _MESSAGE_BYTES
        )
        if self._handle is None:
            unload(library)
            raise ToolError(
                f"the simulation does not start: {message.value.decode(errors='replace')}",
                where=str(shared_object),
                remedy=f"Memory files are looked for in {working_directory}.",
            )
        self._finalizer = weakref.finalize(self, _release, library, self._handle)

    def close(self) -> None:
        """Releases the simulated core; it cannot run afterwards."""
        self._finalizer()
        self._handle = None

    def __enter__(self) -> RtlSimulation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def run(
        self,
        inputs: PackedWords,
        output_words: int,
        *,
        input_stall: float = 0,
        output_stall: float = 0,
        seed: int = 0,
        max_idle_cycles: int = MAX_IDLE_CYCLES,
        surplus_cycles: int = 0,
        trace: Path | None = None,
    ) -> StreamResult:
        """`run_streams` for a core with one input and one output stream."""
        return self.run_streams(
            [inputs],
            [output_words],
            input_stall=input_stall,
            output_stall=output_stall,
            seed=seed,
            max_idle_cycles=max_idle_cycles,
            surplus_cycles=surplus_cycles,
            trace=trace,
        )

    def run_streams(
        self,
        inputs: Sequence[PackedWords],
        output_words: Sequence[int],
        *,
        input_stall: float = 0,
        output_stall: float = 0,
        seed: int = 0,
        max_idle_cycles: int = MAX_IDLE_CYCLES,
        surplus_cycles: int = 0,
        throttled: int | None = None,
        burst: int = 1,
        trace: Path | None = None,
    ) -> StreamResult:
        """Resets the core, sends all input words and takes ``output_words`` words of each output stream.

        ``tready`` of a stream stays low once they have come. The run ends when all inputs are taken and all outputs
        have come.

        Args:
            inputs: for each input stream (words, ceil(its width / 8)), uint8.
            output_words: how many words must come from each output stream.
            input_stall: probability per cycle that no new word is offered, for each input stream by itself.
            output_stall: probability per cycle that ``tready`` is low, for each output stream by itself.
            seed: of the stalls.
            max_idle_cycles: cycles without any transfer after which the core counts as stuck.
            surplus_cycles: cycles to go on after the end, looking for words too many; 0 does not look.
            throttled: number of a stream, inputs first, that moves only when the core stands still: nothing moves, and
                no register changes.
            burst: words that it then moves.
            trace: file for a value change dump; needs a simulation built with ``trace``.

        Raises:
            VerificationError: words missing, words too many, or a word offered and taken back.
            ToolError: another number of streams, input words of another width, no trace built in, a simulation that is
                closed, or ``$stop``.
        """
        where = str(self._path)
        if self._handle is None:
            raise ToolError("the simulation is closed", where=where)
        inputs = checked_inputs(inputs, self.input_widths, len(output_words), len(self.output_widths), where)
        if trace is not None and not self._has_trace:
            raise ToolError("this simulation has no trace", where=where, remedy="Build it with the option --trace.")
        outputs = tuple(
            np.zeros((count, (width + 7) // 8), dtype=np.uint8)
            for count, width in zip(output_words, self.output_widths, strict=True)
        )
        input_cycles = tuple(np.zeros(len(words), dtype=np.int64) for words in inputs)
        output_cycles = tuple(np.zeros(count, dtype=np.int64) for count in output_words)
        arguments = _RunArguments(
            inputs=_stream_words(inputs, input_cycles),
            outputs=_stream_words(outputs, output_cycles),
            trace_file=None if trace is None else str(trace).encode(),
            input_stall=stall_threshold("input_stall", input_stall),
            output_stall=stall_threshold("output_stall", output_stall),
            seed=seed,
            max_idle_cycles=max_idle_cycles,
            surplus_cycles=surplus_cycles,
            reset_cycles=_RESET_CYCLES,
            throttled=0 if throttled is None else throttled + 1,
            burst=burst,
        )
        status = self._library.finnmake_run(self._handle, ctypes.byref(arguments))
        if status != 0:
            self._raise_for(status, arguments)
        return StreamResult(outputs, input_cycles, output_cycles, int(arguments.cycles))

    def _raise_for(self, status: int, arguments: _RunArguments) -> NoReturn:
        where = str(self._path)
        message = arguments.message.decode(errors="replace")
        inputs = list(zip(self._input_names, arguments.inputs[: len(self.input_widths)], strict=True))
        outputs = list(zip(self._output_names, arguments.outputs[: len(self.output_widths)], strict=True))
        counts = (
            *(f"{name}: {words.moved} of {words.count} input words were taken" for name, words in inputs),
            *(f"{name}: {words.moved} of {words.count} output words came" for name, words in outputs),
        )
        if status == 1:
            raise VerificationError(
                f"nothing moved for {arguments.max_idle_cycles} cycles, {arguments.cycles} cycles in all; "
                + ", ".join(counts),
                where=where,
                remedy="Deadlock: a FIFO is too small, or more output words are expected than the core makes.",
            )
        if status == 2:
            raise VerificationError(f"AXI4-Stream is violated: {message}", where=where)
        if status == 3:
            expected = dict(outputs)[message].count
            raise VerificationError(f"{message}: the core makes more than the {expected} words expected", where=where)
        raise ToolError(f"the simulation failed: {message}", where=where)
