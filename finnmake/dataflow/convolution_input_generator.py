"""ConvolutionInputGenerator: the windows of a convolution or pooling, one behind the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_choice, check_folding, check_integer_type, check_pair, pair
from finnmake.dataflow.layer import IntegerArray, Layer, Stream, VerilogLiteral, structural_datatype, verilog_numbers
from finnmake.dataflow.sliding_window_schedule import SlidingWindowSchedule, WindowLoop
from finnmake.errors import ModelError

_LEAST_BLOCK_RAM_BITS = 2048


@dataclass(frozen=True, eq=False)
class ConvolutionInputGenerator(Layer):
    """Slides a window over an image (rows, columns, channels) without padding; a sequence is an image of one row.

    A window is its pixels row by row, and a pixel its words of SIMD channels. With ``depthwise`` a window's first SIMD
    channels of all its pixels come first, then the next ones.

    Attributes:
        ConvKernelDim: rows and columns of the window, as text: ``"3,3"``.
        IFMChannels: channels of a pixel.
        IFMDim: rows and columns of the image, as text.
        Stride: pixels from window to window, down and to the right, as text.
        Dilation: pixels from tap to tap, down and to the right, as text.
        SIMD: channels in a word.
        inputDataType: of the elements.
        depthwise: the channels' words are the outer order of a window, not the inner one.
        ram_style: what holds the image's rows: ``auto``, ``distributed`` or ``block``.
    """

    ConvKernelDim: str
    IFMChannels: int
    IFMDim: str
    Stride: str
    Dilation: str
    SIMD: int
    inputDataType: str
    depthwise: bool = False
    ram_style: str = "auto"

    op_type: ClassVar[str] = "ConvolutionInputGenerator"
    kernel: ClassVar[str] = "convolution_input_generator"
    verilog_files: ClassVar[tuple[str, ...]] = ("convolution_input_generator/convolution_input_generator.v",)
    cpp_files: ClassVar[tuple[str, ...]] = ("convolution_input_generator/convolution_input_generator.hpp",)

    def check(self) -> None:
        check_folding(self, "SIMD", "IFMChannels")
        check_integer_type(self, "inputDataType", 64)
        for name in ("ConvKernelDim", "IFMDim", "Stride", "Dilation"):
            check_pair(self, name)
        check_choice(self, "ram_style", ("auto", "distributed", "block"))
        if min(self.windows) < 1:
            raise ModelError(
                f"a window of {self.ConvKernelDim} taps with Dilation {self.Dilation} is larger than the image of "
                f"{self.IFMDim}",
                where=self.op_type,
                remedy="Pad the image.",
            )

    @property
    def windows(self) -> tuple[int, int]:
        """Windows down and to the right."""
        pairs = zip(
            *(pair(text) for text in (self.IFMDim, self.ConvKernelDim, self.Stride, self.Dilation)), strict=True
        )
        down, right = ((size - (kernel - 1) * dilation - 1) // stride + 1 for size, kernel, stride, dilation in pairs)
        return down, right

    @property
    def words_per_pixel(self) -> int:
        """Words of one pixel."""
        return self.IFMChannels // self.SIMD

    def schedule(self) -> SlidingWindowSchedule:
        """The order in which words are read."""
        words, (height, width) = self.words_per_pixel, pair(self.IFMDim)
        kernel, stride, dilation = pair(self.ConvKernelDim), pair(self.Stride), pair(self.Dilation)
        down, right = self.windows
        row = width * words
        channels = WindowLoop(words, 1)
        taps = (WindowLoop(kernel[1], dilation[1] * words), WindowLoop(kernel[0], dilation[0] * row))
        window = (*taps, channels) if self.depthwise else (channels, *taps)
        moves = (stride[1] * words, stride[0] * row)
        places = (WindowLoop(right, moves[0], moves[0]), WindowLoop(down, moves[1], moves[1]))
        return SlidingWindowSchedule(height * row, (*window, *places))

    def input_stream(self) -> Stream:
        return Stream(structural_datatype(self.inputDataType), self.SIMD, self.schedule().words_in)

    def output_stream(self) -> Stream:
        return Stream(structural_datatype(self.inputDataType), self.SIMD, self.schedule().words_out)

    def interval_cycles(self) -> int:
        return self.schedule().interval_cycles

    def first_output_latency(self) -> int:
        """A word is read the cycle after it has entered, and leaves the cycle after that: no row is awaited."""
        return 2

    def output_image(self) -> tuple[int, int, int]:
        """A pixel is a window."""
        down, right = self.windows
        kernel = pair(self.ConvKernelDim)
        return down, right, kernel[0] * kernel[1] * self.IFMChannels

    def execute(self, frames: IntegerArray) -> IntegerArray:
        words = np.asarray(frames, dtype=np.int64).reshape(len(frames), -1, self.SIMD)
        return words[:, self.schedule().addresses()].reshape(len(frames), -1)

    def memory_depth(self) -> int:
        """Words of the circular memory."""
        return self.schedule().depth()

    def memory_style(self) -> str:
        """What holds the words: ``distributed`` or ``block``."""
        if self.ram_style != "auto":
            return self.ram_style
        bits = self.memory_depth() * self.input_stream().width
        return "block" if bits >= _LEAST_BLOCK_RAM_BITS else "distributed"

    def verilog_parameters(self) -> Mapping[str, int | str | VerilogLiteral]:
        schedule, depth = self.schedule(), self.memory_depth()
        loops, moves = schedule.counting(), schedule.moves()
        count_bits = max(1, max(loop.size - 1 for loop in loops).bit_length())
        bits = (depth + max(max(abs(move.distance), move.freed) for move in moves)).bit_length() + 1
        modulus = 1 << bits
        return {
            "WIDTH": self.input_stream().width,
            "DEPTH": depth,
            "LOOPS": len(loops),
            "COUNT_BITS": count_bits,
            "DISTANCE_BITS": bits,
            "LAST": verilog_numbers([loop.size - 1 for loop in loops], count_bits),
            "DISTANCES": verilog_numbers([move.distance % modulus for move in moves], bits),
            "STEPS": verilog_numbers([move.distance % depth for move in moves], bits),
            "FREED": verilog_numbers([move.freed for move in moves], bits),
            "RAM_STYLE": self.memory_style(),
        }

    def cpp_template_arguments(self) -> list[str]:
        schedule = self.schedule()
        moves = schedule.moves()
        numbers = [self.input_stream().width, self.memory_depth(), schedule.words_in, schedule.words_out]
        for loop, move in zip(schedule.counting(), moves, strict=False):
            numbers += [loop.size, move.distance, move.freed]
        return [str(number) for number in (*numbers, moves[-1].distance, moves[-1].freed)]
