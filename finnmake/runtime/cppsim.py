"""C++ simulation of one core: whole batches per call.

The rule ``cxx_build`` (``rules/cxx``) compiles a generated top. The top is also what an HLS tool reads, so it looks
like this (one core with two memories; a core without memories has no such lines)::

    #include "ap_int.h"
    #include "hls_stream.h"
    #include "matrix_vector_activation.hpp"
    #ifdef FINNMAKE_SIMULATION
    #include "simulation.hpp"
    FINNMAKE_MEMORY(weights, 6272, 64)
    FINNMAKE_MEMORY(thresholds, 1536, 1)
    #else
    #include "weights.inc"
    #include "thresholds.inc"
    #endif

    void NAME(finnmake::Stream<98>& s_axis, finnmake::Stream<128>& m_axis, unsigned frames) {
    #pragma HLS interface mode=axis port=s_axis
    #pragma HLS interface mode=axis port=m_axis
    #ifndef FINNMAKE_SIMULATION
        const finnmake::Rom<6272, 32> weights = {{weights_chunk_0, weights_chunk_1, ...}};
        const finnmake::Rom<1536, 32> thresholds = {{thresholds_chunk_0, ...}};
    #endif
        matrix_vector_activation<784, 64, ...>(s_axis, m_axis, weights, {thresholds}, frames);
    }

    #ifdef FINNMAKE_SIMULATION
    FINNMAKE_SIMULATE(NAME, finnmake::Inputs<finnmake::Port<98, 8>>, finnmake::Outputs<finnmake::Port<128, 1>>)
    #endif

The arguments of ``FINNMAKE_SIMULATE`` are the function and, for each of its streams, width and words per frame. In
simulation the memories are loaded from the ``$readmemh`` files that the Verilog uses, at every run: the shared object
depends on structure only. ``weights.inc`` holds the same words as constants, for HLS.
"""

from __future__ import annotations

import ctypes
import itertools
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finnmake.dataflow.packing import PackedWords
from finnmake.errors import ToolError, VerificationError
from finnmake.runtime.rtlsim import checked_inputs, load_shared_object, unload

_MESSAGE_BYTES = 1024


class _Words(ctypes.Structure):
    """``finnmake::Words`` of ``rules/cxx/simulation.hpp``."""

    _fields_ = (("bytes", ctypes.c_void_p), ("count", ctypes.c_uint64), ("moved", ctypes.c_uint64))


class _RunArguments(ctypes.Structure):
    """``finnmake::RunArguments`` of ``rules/cxx/simulation.hpp``."""

    _fields_ = (
        ("inputs", ctypes.POINTER(_Words)),
        ("outputs", ctypes.POINTER(_Words)),
        ("memory_names", ctypes.POINTER(ctypes.c_char_p)),
        ("memory_files", ctypes.POINTER(ctypes.c_char_p)),
        ("memory_count", ctypes.c_uint64),
        ("message", ctypes.c_char * _MESSAGE_BYTES),
    )


class CppSimulation:
    """A core's C++, compiled.

    Args:
        shared_object: what the rule ``cxx_build`` made.

    Raises:
        ToolError: the file cannot be loaded or is no such simulation.
    """

    def __init__(self, shared_object: Path) -> None:
        self._path = shared_object
        self._library = load_shared_object(shared_object)
        try:
            self._library.finnmake_cpp_run.argtypes = (ctypes.POINTER(_RunArguments),)
            self.input_widths = _widths(self._library.finnmake_input_widths)
            self.output_widths = _widths(self._library.finnmake_output_widths)
        except AttributeError as error:
            unload(self._library)
            raise ToolError("not a simulation that rule cxx_build made", where=str(shared_object)) from error
        self._finalizer = weakref.finalize(self, unload, self._library)

    def run(self, inputs: PackedWords, output_words: int, memories: Mapping[str, Path] | None = None) -> PackedWords:
        """`run_streams` for a core with one input and one output stream."""
        return self.run_streams([inputs], [output_words], memories)[0]

    def run_streams(
        self, inputs: Sequence[PackedWords], output_words: Sequence[int], memories: Mapping[str, Path] | None = None
    ) -> tuple[PackedWords, ...]:
        """Runs whole frames through the core.

        Args:
            inputs: for each input stream (words, ceil(its width / 8)), uint8: a whole number of frames.
            output_words: how many words must come from each output stream.
            memories: the ``$readmemh`` file of each of the core's memories.

        Returns:
            For each output stream (its output_words, ceil(its width / 8)), uint8.

        Raises:
            VerificationError: another number of words came, or inputs were left over.
            ToolError: another number of streams, input words of another width, a part of a frame, a memory file missing
                or malformed, or a read of an empty stream.
        """
        where = str(self._path)
        inputs = checked_inputs(inputs, self.input_widths, len(output_words), len(self.output_widths), where)
        outputs = tuple(
            np.zeros((count, (width + 7) // 8), dtype=np.uint8)
            for count, width in zip(output_words, self.output_widths, strict=True)
        )
        files = memories or {}
        strings = ctypes.c_char_p * max(1, len(files))
        arguments = _RunArguments(
            inputs=_stream_words(inputs),
            outputs=_stream_words(outputs),
            memory_names=strings(*(name.encode() for name in files)),
            memory_files=strings(*(str(path).encode() for path in files.values())),
            memory_count=len(files),
        )
        status = self._library.finnmake_cpp_run(ctypes.byref(arguments))
        if status == 1:
            came = ", ".join(str(arguments.outputs[index].moved) for index in range(len(outputs)))
            wanted = ", ".join(map(str, output_words))
            left = sum(len(words) - arguments.inputs[index].moved for index, words in enumerate(inputs))
            raise VerificationError(
                f"{came} words came instead of {wanted}, {left} of {sum(map(len, inputs))} input words were left",
                where=where,
            )
        if status != 0:
            raise ToolError(f"the simulation failed: {arguments.message.decode(errors='replace')}", where=where)
        return outputs


def _widths(function: Any) -> tuple[int, ...]:
    """A list of widths that ends with a zero."""
    function.restype = ctypes.POINTER(ctypes.c_uint32)
    return tuple(itertools.takewhile(bool, function()))


def _stream_words(streams: Sequence[PackedWords]) -> ctypes.Array[_Words]:
    return (_Words * len(streams))(*(_Words(words.ctypes.data, len(words), 0) for words in streams))
