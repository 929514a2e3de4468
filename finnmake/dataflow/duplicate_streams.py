"""DuplicateStreams: the same words to several streams, where a graph forks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_folding, check_integer_type
from finnmake.dataflow.layer import IntegerArray, Stream, structural_datatype
from finnmake.dataflow.multi_stream_layer import MultiStreamLayer
from finnmake.errors import ModelError


@dataclass(frozen=True, eq=False)
class DuplicateStreams(MultiStreamLayer):
    """Gives every word to each of two or more outputs; takes one when all of them have a place for it.

    Attributes:
        NumChannels: channels of a vector.
        PE: channels in a word.
        NumOutputStreams: how many times a word goes out, 2 or more.
        inputDataType: of the elements, of all streams.
        numInputVectors: vectors per frame.
    """

    NumChannels: int
    PE: int
    NumOutputStreams: int
    inputDataType: str
    numInputVectors: int = 1

    op_type: ClassVar[str] = "DuplicateStreams"
    kernel: ClassVar[str] = "duplicate_streams"
    verilog_files: ClassVar[tuple[str, ...]] = (
        "common/stream_register.v",
        "duplicate_streams/duplicate_streams.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = ("include/synthesis.hpp", "duplicate_streams/duplicate_streams.hpp")

    def check(self) -> None:
        check_folding(self, "PE", "NumChannels")
        check_integer_type(self, "inputDataType", 64)
        for name, least in (("NumOutputStreams", 2), ("numInputVectors", 1)):
            if getattr(self, name) < least:
                raise ModelError(f"{name} is {getattr(self, name)}", where=self.op_type, remedy=f"Use {least} or more.")

    def _stream(self) -> Stream:
        words = self.numInputVectors * self.NumChannels // self.PE
        return Stream(structural_datatype(self.inputDataType), self.PE, words)

    def input_streams(self) -> tuple[Stream, ...]:
        return (self._stream(),)

    def output_streams(self) -> tuple[Stream, ...]:
        return (self._stream(),) * self.NumOutputStreams

    def interval_cycles(self) -> int:
        return self._stream().words_per_frame

    def first_output_latency(self) -> int:
        """The output register."""
        return 1

    def execute_streams(self, frames: Sequence[IntegerArray]) -> tuple[IntegerArray, ...]:
        (values,) = frames
        return (np.asarray(values, dtype=np.int64).reshape(len(values), -1),) * self.NumOutputStreams

    def verilog_parameters(self) -> dict[str, int | str]:
        return {"STREAMS": self.NumOutputStreams, "WIDTH": self._stream().width}

    def cpp_template_arguments(self) -> list[str]:
        numbers = (self._stream().width, self._stream().words_per_frame, *range(self.NumOutputStreams))
        return [str(number) for number in numbers]
