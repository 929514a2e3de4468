"""StreamingFIFO: a queue of words between two layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from finnmake.dataflow.layer import IntegerArray, Layer, Stream, structural_datatype
from finnmake.errors import FoldingError, ModelError

RAM_STYLES = ("auto", "distributed", "block", "ultra")

REGISTER_DEPTH = 4
"""Up to so many words the queue is made of registers: a memory would be no smaller."""

BLOCK_DEPTH, BLOCK_BITS = 128, 8192
"""``auto`` takes block RAM from this depth and this many bits on: about half of one ECP5 block."""

LUT_RAM_WORDS, BLOCK_WORDS = 16, 512
"""Words of the smallest memories: in LUTs 16 on ECP5 and 32 on Xilinx, in block memories 512 at their widest."""


@dataclass(frozen=True, eq=False)
class StreamingFIFO(Layer):
    """A queue that holds exactly ``depth`` words.

    With a depth of 2 or more a word passes in every cycle. With a depth of 1 a word enters only after the one before
    has left, so that a word takes two cycles.

    Attributes:
        datatype: of one element.
        elements_per_word: elements side by side in one word.
        words_per_frame: words that make up one frame.
        depth: words it can hold.
        ram_style: ``auto``, ``distributed``, ``block`` or, on devices that have it, ``ultra``; up to 4 words are always
            registers.
    """

    datatype: str
    elements_per_word: int
    words_per_frame: int
    depth: int
    ram_style: str = "auto"

    op_type: ClassVar[str] = "StreamingFIFO"
    kernel: ClassVar[str] = "streaming_fifo"
    verilog_files: ClassVar[tuple[str, ...]] = ("streaming_fifo/streaming_fifo.v",)
    cpp_files: ClassVar[tuple[str, ...]] = ("include/synthesis.hpp", "streaming_fifo/streaming_fifo.hpp")

    def check(self) -> None:
        if not structural_datatype(self.datatype).is_integer():
            raise ModelError(f"datatype {self.datatype} is not an integer type", where=self.op_type)
        for name in ("elements_per_word", "words_per_frame", "depth"):
            if getattr(self, name) < 1:
                raise FoldingError(
                    f"{name} = {getattr(self, name)}", where=self.op_type, remedy=f"Legal values of {name}: 1 or more."
                )
        if self.ram_style not in RAM_STYLES:
            raise FoldingError(
                f"ram_style = {self.ram_style!r}",
                where=self.op_type,
                remedy=f"Legal values of ram_style: {', '.join(RAM_STYLES)}.",
            )

    def implementation(self) -> str:
        """What holds the words: ``registers``, ``distributed``, ``block`` or ``ultra``."""
        if self.depth <= REGISTER_DEPTH:
            return "registers"
        if self.ram_style != "auto":
            return self.ram_style
        bits = self.depth * self.input_stream().width
        return "block" if self.depth >= BLOCK_DEPTH and bits >= BLOCK_BITS else "distributed"

    def filled_depth(self) -> int:
        """The words that there is room for in the memories that this depth takes anyway, on every device."""
        implementation = self.implementation()
        if implementation == "registers":
            return self.depth
        words = LUT_RAM_WORDS if implementation == "distributed" else BLOCK_WORDS
        filled = replace(self, depth=-(-self.depth // words) * words)
        return filled.depth if filled.implementation() == implementation else self.depth

    def input_stream(self) -> Stream:
        return Stream(structural_datatype(self.datatype), self.elements_per_word, self.words_per_frame)

    def output_stream(self) -> Stream:
        return self.input_stream()

    def interval_cycles(self) -> int:
        return self.words_per_frame * (2 if self.depth == 1 else 1)

    def first_output_latency(self) -> int:
        """One cycle; two through block RAM and UltraRAM, which are read a cycle after they are written."""
        return 2 if self.implementation() in ("block", "ultra") else 1

    def execute(self, frames: IntegerArray) -> IntegerArray:
        return np.asarray(frames, dtype=np.int64).reshape(len(frames), self.input_stream().elements_per_frame)

    def verilog_parameters(self) -> dict[str, int | str]:
        return {
            "WIDTH": self.input_stream().width,
            "DEPTH": self.depth,
            "USE_REGISTERS": int(self.implementation() == "registers"),
            "USE_BLOCK_RAM": int(self.implementation() in ("block", "ultra")),
            "RAM_STYLE": self.implementation(),
        }

    def cpp_template_arguments(self) -> list[str]:
        return [str(self.input_stream().width), str(self.words_per_frame)]
