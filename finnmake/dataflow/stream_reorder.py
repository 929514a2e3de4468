"""What layers have in common that give the words of a stream in another order: Upsample, DepthToSpace, Shuffle."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from finnmake.dataflow.layer import Layer, Stream, VerilogLiteral, verilog_numbers

_LEAST_BLOCK_RAM_BITS = 2048


@dataclass(frozen=True)
class Loop:
    """One of the nested loops in which a block is read.

    Attributes:
        size: how often it counts.
        stride: words between two counts; 0 reads the same words again.
    """

    size: int
    stride: int


@dataclass(frozen=True, eq=False)
class StreamReorder(Layer):
    """Writes a block of words, then reads it in nested loops, while the next block is written."""

    kernel: ClassVar[str] = "stream_reorder"
    verilog_files: ClassVar[tuple[str, ...]] = ("stream_reorder/stream_reorder.v",)
    cpp_files: ClassVar[tuple[str, ...]] = ("include/synthesis.hpp", "stream_reorder/stream_reorder.hpp")

    @property
    @abstractmethod
    def blocks(self) -> int:
        """Blocks of a frame."""

    @abstractmethod
    def loops(self) -> tuple[Loop, ...]:
        """The loops in which a block is read, the outermost first."""

    @abstractmethod
    def element_stream(self) -> Stream:
        """The input stream."""

    def input_stream(self) -> Stream:
        return self.element_stream()

    def output_stream(self) -> Stream:
        source = self.input_stream()
        return Stream(source.datatype, source.elements_per_word, self.blocks * self._reads)

    @property
    def block_words(self) -> int:
        """Words of a block."""
        return self.input_stream().words_per_frame // self.blocks

    @property
    def _reads(self) -> int:
        return prod(loop.size for loop in self.loops())

    def interval_cycles(self) -> int:
        """Blocks times what takes longer, to write one or to read one."""
        return self.blocks * max(self.block_words, self._reads)

    def first_output_latency(self) -> int:
        """A block is written; the read of its first word follows the cycle after, and a register."""
        return self.block_words + 1

    def _inner_loops(self) -> tuple[Loop, ...]:
        """The innermost first, without those that count once; one at least."""
        return tuple(loop for loop in reversed(self.loops()) if loop.size > 1) or (Loop(1, 0),)

    def verilog_parameters(self) -> Mapping[str, int | str | VerilogLiteral]:
        loops = self._inner_loops()
        count_bits = max(1, max(loop.size - 1 for loop in loops).bit_length())
        address_bits = (2 * self.block_words - 1).bit_length()
        steps = []
        inside = 0
        for loop in loops:
            steps.append((loop.stride - inside) % (1 << address_bits))
            inside += (loop.size - 1) * loop.stride
        width = self.input_stream().width
        return {
            "WIDTH": width,
            "BLOCK": self.block_words,
            "LOOPS": len(loops),
            "COUNT_BITS": count_bits,
            "ADDRESS_BITS": address_bits,
            "LAST": verilog_numbers([loop.size - 1 for loop in loops], count_bits),
            "STEPS": verilog_numbers(steps, address_bits),
            "RAM_STYLE": "block" if 2 * self.block_words * width >= _LEAST_BLOCK_RAM_BITS else "distributed",
        }

    def cpp_template_arguments(self) -> list[str]:
        pattern = [number for loop in self._inner_loops() for number in (loop.size, loop.stride)]
        return [str(n) for n in (self.input_stream().width, self.block_words, self._reads, self.blocks, *pattern)]
