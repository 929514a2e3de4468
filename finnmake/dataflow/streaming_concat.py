"""StreamingConcat: the vectors of several streams one behind the other, and StreamingSplit: the same backwards.

Joined along the innermost dimension: the channels of an image, as it crosses a stream pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_integer_type
from finnmake.dataflow.layer import IntegerArray, Stream, VerilogLiteral, structural_datatype, verilog_numbers
from finnmake.dataflow.multi_stream_layer import MultiStreamLayer
from finnmake.errors import FoldingError, ModelError


@dataclass(frozen=True, eq=False)
class _ChannelBlocks(MultiStreamLayer):
    """What concatenation and split have in common.

    Attributes:
        ChannelsPerStream: channels of each of the narrow streams, in their order, as text: ``"3,5,8"``.
        SIMD: channels in a word; must divide each of them.
        inputDataType: of the elements, of all streams.
        numInputVectors: vectors (pixels) per frame.
    """

    ChannelsPerStream: str
    SIMD: int
    inputDataType: str
    numInputVectors: int = 1

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each narrow stream."""
        return tuple(int(number) for number in self.ChannelsPerStream.split(","))

    def check(self) -> None:
        check_integer_type(self, "inputDataType", 64)
        if self.numInputVectors < 1:
            raise ModelError(f"numInputVectors is {self.numInputVectors}", where=self.op_type, remedy="Use 1 or more.")
        numbers = self.ChannelsPerStream.split(",")
        if len(numbers) < 2 or not all(number.isdecimal() and int(number) > 0 for number in numbers):
            raise ModelError(
                f"ChannelsPerStream is {self.ChannelsPerStream!r}",
                where=self.op_type,
                remedy='Give the channels of two or more streams with commas between them: "16,32".',
            )
        if self.SIMD < 1 or any(number % self.SIMD for number in self.channels):
            legal = [d for d in range(1, min(self.channels) + 1) if not any(number % d for number in self.channels)]
            raise FoldingError(
                f"SIMD = {self.SIMD} does not divide all of ChannelsPerStream = {self.ChannelsPerStream}",
                where=self.op_type,
                remedy=f"Legal values of SIMD: {', '.join(map(str, legal))}.",
            )

    def _stream(self, channels: int) -> Stream:
        words = self.numInputVectors * channels // self.SIMD
        return Stream(structural_datatype(self.inputDataType), self.SIMD, words)

    def _narrow_streams(self) -> tuple[Stream, ...]:
        return tuple(self._stream(number) for number in self.channels)

    def _wide_stream(self) -> Stream:
        return self._stream(sum(self.channels))

    def interval_cycles(self) -> int:
        return self._wide_stream().words_per_frame

    def first_output_latency(self) -> int:
        """The output register."""
        return 1

    @property
    def _words(self) -> list[int]:
        """Words of a vector in each narrow stream."""
        return [number // self.SIMD for number in self.channels]

    def verilog_parameters(self) -> Mapping[str, int | str | VerilogLiteral]:
        return {
            "STREAMS": len(self.channels),
            "WIDTH": self._wide_stream().width,
            "BITS": (bits := max(self._words).bit_length()),
            "WORDS": verilog_numbers(self._words, bits),
        }

    def cpp_template_arguments(self) -> list[str]:
        return [str(number) for number in (self._wide_stream().width, self.numInputVectors, *self._words)]


@dataclass(frozen=True, eq=False)
class StreamingConcat(_ChannelBlocks):
    """Concatenates the channels of two or more streams, of any sizes: all of a vector's from the first, then the next.

    See ``_ChannelBlocks`` for the attributes.
    """

    op_type: ClassVar[str] = "StreamingConcat"
    kernel: ClassVar[str] = "streaming_concat"
    verilog_files: ClassVar[tuple[str, ...]] = (
        "common/stream_register.v",
        "common/stream_turn.v",
        "streaming_concat/streaming_concat.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = ("include/synthesis.hpp", "streaming_concat/streaming_concat.hpp")

    def input_streams(self) -> tuple[Stream, ...]:
        return self._narrow_streams()

    def output_streams(self) -> tuple[Stream, ...]:
        return (self._wide_stream(),)

    def execute_streams(self, frames: Sequence[IntegerArray]) -> tuple[IntegerArray, ...]:
        batch = len(frames[0])
        vectors = [
            np.asarray(values, dtype=np.int64).reshape(batch, self.numInputVectors, number)
            for values, number in zip(frames, self.channels, strict=True)
        ]
        return (np.concatenate(vectors, axis=-1).reshape(batch, -1),)


@dataclass(frozen=True, eq=False)
class StreamingSplit(_ChannelBlocks):
    """Splits the channels of a stream to two or more streams, of any sizes.

    See ``_ChannelBlocks`` for the attributes.
    """

    op_type: ClassVar[str] = "StreamingSplit"
    kernel: ClassVar[str] = "streaming_split"
    verilog_files: ClassVar[tuple[str, ...]] = (
        "common/stream_register.v",
        "common/stream_turn.v",
        "streaming_split/streaming_split.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = ("include/synthesis.hpp", "streaming_split/streaming_split.hpp")

    def input_streams(self) -> tuple[Stream, ...]:
        return (self._wide_stream(),)

    def output_streams(self) -> tuple[Stream, ...]:
        return self._narrow_streams()

    def execute_streams(self, frames: Sequence[IntegerArray]) -> tuple[IntegerArray, ...]:
        (values,) = frames
        vectors = np.asarray(values, dtype=np.int64).reshape(len(values), self.numInputVectors, -1)
        parts = np.split(vectors, np.cumsum(self.channels)[:-1], axis=-1)
        return tuple(np.ascontiguousarray(part).reshape(len(values), -1) for part in parts)
