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
    static const ap_uint<6272> weights[64] = {
    #include "weights.inc"
    };
    static const ap_uint<1536> thresholds[1] = {
    #include "thresholds.inc"
    };
    #endif

    void NAME(hls::stream<ap_uint<98>>& s_axis, hls::stream<ap_uint<128>>& m_axis, unsigned frames) {
    #pragma HLS interface axis port=s_axis
    #pragma HLS interface axis port=m_axis
        matrix_vector_activation<784, 64, ...>(s_axis, m_axis, weights, thresholds, frames);
    }

    #ifdef FINNMAKE_SIMULATION
    FINNMAKE_SIMULATE(NAME, 98, 16, 128)
    #endif

The arguments of ``FINNMAKE_SIMULATE`` are the function, the input width, the input words per frame and the output
width. In simulation the memories are loaded from the ``$readmemh`` files that the Verilog uses, at every run: the
shared object depends on structure only. ``weights.inc`` holds the same words as constants, for HLS.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from finnmake.dataflow.packing import PackedWords
from finnmake.errors import ToolError, VerificationError
from finnmake.runtime.rtlsim import load_shared_object, unload

_MESSAGE_BYTES = 1024


class _RunArguments(ctypes.Structure):
    """``finnmake::RunArguments`` of ``rules/cxx/simulation.hpp``."""

    _fields_ = (
        ("inputs", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("memory_names", ctypes.POINTER(ctypes.c_char_p)),
        ("memory_files", ctypes.POINTER(ctypes.c_char_p)),
        ("memory_count", ctypes.c_uint64),
        ("input_words", ctypes.c_uint64),
        ("output_words", ctypes.c_uint64),
        ("outputs_made", ctypes.c_uint64),
        ("inputs_left", ctypes.c_uint64),
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
            self.input_width = ctypes.c_uint32.in_dll(self._library, "finnmake_input_width").value
            self.output_width = ctypes.c_uint32.in_dll(self._library, "finnmake_output_width").value
        except (AttributeError, ValueError) as error:
            unload(self._library)
            raise ToolError("not a simulation that rule cxx_build made", where=str(shared_object)) from error
        self._finalizer = weakref.finalize(self, unload, self._library)

    def run(self, inputs: PackedWords, output_words: int, memories: Mapping[str, Path] | None = None) -> PackedWords:
        """Runs whole frames through the core.

        Args:
            inputs: shape (words, ceil(input width / 8)), uint8: a whole number of frames.
            output_words: how many words must come.
            memories: the ``$readmemh`` file of each of the core's memories.

        Returns:
            Shape (output_words, ceil(output width / 8)), uint8.

        Raises:
            VerificationError: another number of words came, or inputs were left over.
            ToolError: input words of another width, a part of a frame, a memory file missing or malformed, or a read of
                an empty stream.
        """
        where = str(self._path)
        inputs = np.ascontiguousarray(inputs, dtype=np.uint8)
        word_bytes = (self.input_width + 7) // 8
        if inputs.ndim != 2 or inputs.shape[1] != word_bytes:
            raise ToolError(f"input words must have the shape (words, {word_bytes}), not {inputs.shape}", where=where)
        outputs = np.zeros((output_words, (self.output_width + 7) // 8), dtype=np.uint8)
        files = memories or {}
        strings = ctypes.c_char_p * max(1, len(files))
        arguments = _RunArguments(
            inputs=inputs.ctypes.data,
            outputs=outputs.ctypes.data,
            memory_names=strings(*(name.encode() for name in files)),
            memory_files=strings(*(str(path).encode() for path in files.values())),
            memory_count=len(files),
            input_words=inputs.shape[0],
            output_words=output_words,
        )
        status = self._library.finnmake_cpp_run(ctypes.byref(arguments))
        if status == 1:
            raise VerificationError(
                f"{arguments.outputs_made} words came instead of {output_words}, "
                f"{arguments.inputs_left} of {inputs.shape[0]} input words were left",
                where=where,
            )
        if status != 0:
            raise ToolError(f"the simulation failed: {arguments.message.decode(errors='replace')}", where=where)
        return outputs
