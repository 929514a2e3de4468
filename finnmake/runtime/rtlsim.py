"""RTL simulation of one core, or of a stitched design: whole batches through AXI4-Stream ports in one call.

The shared object is built by the rule ``verilator_build`` (``rules/verilator``) from structure only; memory files are
read when a simulation is constructed. For interactive work ``pyverilator.PyVerilator(shared_object)`` opens the same
file.
"""

from __future__ import annotations

import _ctypes
import ctypes
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from finnmake.dataflow.packing import PackedWords
from finnmake.errors import ToolError, VerificationError

_RESET_CYCLES = 4
_MESSAGE_BYTES = 1024


@dataclass(frozen=True, eq=False)
class StreamResult:
    """What one run did.

    Cycle 0 is the first after reset; the cycle of a word is the one at whose rising edge ``tvalid`` and ``tready`` are
    high.

    Attributes:
        outputs: shape (output words, bytes per word), uint8: packed words.
        input_cycles: shape (input words,), int64: cycle of each input word.
        output_cycles: shape (output words,), int64: cycle of each output word.
        cycles: cycles simulated after reset.
    """

    outputs: PackedWords
    input_cycles: NDArray[np.int64]
    output_cycles: NDArray[np.int64]
    cycles: int

    def first_output_latency(self) -> int:
        """Cycles from the first input word to the first output word."""
        return int(self.output_cycles[0] - self.input_cycles[0])

    def output_intervals(self, words_per_frame: int) -> NDArray[np.int64]:
        """Cycles between the last output words of one frame and the next, shape (frames - 1,)."""
        return np.diff(self.output_cycles[words_per_frame - 1 :: words_per_frame])

    def input_intervals(self, words_per_frame: int) -> NDArray[np.int64]:
        """Cycles between the first input words of one frame and the next, shape (frames - 1,)."""
        return np.diff(self.input_cycles[::words_per_frame])


class _RunArguments(ctypes.Structure):
    """``finnmake_run_arguments`` of ``rules/verilator/stream_driver.cpp``."""

    _fields_ = (
        ("inputs", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("input_cycles", ctypes.c_void_p),
        ("output_cycles", ctypes.c_void_p),
        ("trace_file", ctypes.c_char_p),
        ("input_words", ctypes.c_uint64),
        ("output_words", ctypes.c_uint64),
        ("input_stall", ctypes.c_uint64),
        ("output_stall", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("max_idle_cycles", ctypes.c_uint64),
        ("surplus_cycles", ctypes.c_uint64),
        ("reset_cycles", ctypes.c_uint64),
        ("inputs_taken", ctypes.c_uint64),
        ("outputs_taken", ctypes.c_uint64),
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
            self.input_width = ctypes.c_uint32.in_dll(library, "finnmake_input_width").value
            self.output_width = ctypes.c_uint32.in_dll(library, "finnmake_output_width").value
            self._has_trace = bool(ctypes.c_uint32.in_dll(library, "finnmake_has_trace").value)
        except (AttributeError, ValueError) as error:
            unload(self._library)
            raise ToolError("not a simulation that rule verilator_build made", where=str(shared_object)) from error
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        self._handle: int | None = library.finnmake_construct(
            str(working_directory.resolve()).encode(), random_state, message, _MESSAGE_BYTES
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
        max_idle_cycles: int = 1_000_000,
        surplus_cycles: int = 0,
        trace: Path | None = None,
    ) -> StreamResult:
        """Resets the core, sends all input words and takes ``output_words`` words.

        ``tready`` stays low once they have come. The run ends when all inputs are taken and all outputs have come.

        Args:
            inputs: shape (words, ceil(input width / 8)), uint8.
            output_words: how many words must come.
            input_stall: probability per cycle that no new word is offered.
            output_stall: probability per cycle that ``m_axis_tready`` is low.
            seed: of the stalls.
            max_idle_cycles: cycles without any transfer after which the core counts as stuck.
            surplus_cycles: cycles to go on after the end, looking for words too many; 0 does not look.
            trace: file for a value change dump; needs a simulation built with ``trace``.

        Raises:
            VerificationError: words missing, words too many, or a word offered and taken back.
            ToolError: input words of another width, no trace built in, a simulation that is closed, or ``$stop``.
        """
        where = str(self._path)
        if self._handle is None:
            raise ToolError("the simulation is closed", where=where)
        inputs = np.ascontiguousarray(inputs, dtype=np.uint8)
        word_bytes = (self.input_width + 7) // 8
        if inputs.ndim != 2 or inputs.shape[1] != word_bytes:
            raise ToolError(f"input words must have the shape (words, {word_bytes}), not {inputs.shape}", where=where)
        if trace is not None and not self._has_trace:
            raise ToolError("this simulation has no trace", where=where, remedy="Build it with the option --trace.")
        outputs = np.zeros((output_words, (self.output_width + 7) // 8), dtype=np.uint8)
        input_cycles = np.zeros(inputs.shape[0], dtype=np.int64)
        output_cycles = np.zeros(output_words, dtype=np.int64)
        arguments = _RunArguments(
            inputs=inputs.ctypes.data,
            outputs=outputs.ctypes.data,
            input_cycles=input_cycles.ctypes.data,
            output_cycles=output_cycles.ctypes.data,
            trace_file=None if trace is None else str(trace).encode(),
            input_words=inputs.shape[0],
            output_words=output_words,
            input_stall=stall_threshold("input_stall", input_stall),
            output_stall=stall_threshold("output_stall", output_stall),
            seed=seed,
            max_idle_cycles=max_idle_cycles,
            surplus_cycles=surplus_cycles,
            reset_cycles=_RESET_CYCLES,
        )
        status = self._library.finnmake_run(self._handle, ctypes.byref(arguments))
        self._raise_for(status, arguments)
        return StreamResult(outputs, input_cycles, output_cycles, int(arguments.cycles))

    def _raise_for(self, status: int, arguments: _RunArguments) -> None:
        if status == 0:
            return
        where = str(self._path)
        message = arguments.message.decode(errors="replace")
        counts = (
            f"{arguments.inputs_taken} of {arguments.input_words} input words were taken and "
            f"{arguments.outputs_taken} of {arguments.output_words} output words came"
        )
        if status == 1:
            raise VerificationError(
                f"nothing moved for {arguments.max_idle_cycles} cycles: {counts}, {arguments.cycles} cycles in all",
                where=where,
                remedy="Deadlock: a FIFO is too small, or more output words are expected than the core makes.",
            )
        if status == 2:
            raise VerificationError(f"AXI4-Stream is violated: {message}", where=where)
        if status == 3:
            raise VerificationError(
                f"the core makes more than the {arguments.output_words} words expected", where=where
            )
        raise ToolError(f"the simulation failed: {message}", where=where)
