"""ConvolutionInputGenerator: the windows of a convolution or pooling, one behind the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_choice, check_folding, check_integer_type, check_pair, pair
from finnmake.dataflow.layer import IntegerArray, Layer, Stream, VerilogLiteral, structural_datatype, verilog_numbers
from finnmake.dataflow.sliding_window_schedule import SlidingWindowSchedule, WindowLoop
from finnmake.errors import FoldingError, ModelError

_LEAST_BLOCK_RAM_BITS = 2048


@dataclass(frozen=True, eq=False)
class ConvolutionInputGenerator(Layer):
    """Slides a window over an image (rows, columns, channels) without padding; a sequence is an image of one row.

    A window is its pixels row by row, and a pixel its words of SIMD channels. With ``depthwise`` a window's first SIMD
    channels of all its pixels come first, then the next ones. With ``parallel_window`` a window is one word, and a
    frame takes a cycle a pixel of the image.

    Attributes:
        ConvKernelDim: rows and columns of the window, as text: ``"3,3"``.
        IFMChannels: channels of a pixel.
        IFMDim: rows and columns of the image, as text.
        Stride: pixels from window to window, down and to the right, as text.
        Dilation: pixels from tap to tap, down and to the right, as text.
        SIMD: channels in a word.
        inputDataType: of the elements.
        depthwise: the channels' words are the outer order of a window, not the inner one.
        ram_style: what holds the image's rows: ``auto``, ``distributed``, ``block`` or, on devices that have it,
            ``ultra``.
        parallel_window: all pixels of a window side by side; SIMD must be all channels then.
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
    parallel_window: bool = False

    op_type: ClassVar[str] = "ConvolutionInputGenerator"
    kernel: ClassVar[str] = "convolution_input_generator"
    verilog_files: ClassVar[tuple[str, ...]] = (
        "common/stream_register.v",
        "convolution_input_generator/parallel_windows.v",
        "convolution_input_generator/serial_windows.v",
        "convolution_input_generator/convolution_input_generator.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = (
        "include/synthesis.hpp",
        "convolution_input_generator/parallel_windows.hpp",
        "convolution_input_generator/serial_windows.hpp",
        "convolution_input_generator/convolution_input_generator.hpp",
    )

    def check(self) -> None:
        check_folding(self, "SIMD", "IFMChannels")
        if self.parallel_window and self.IFMChannels != self.SIMD:
            raise FoldingError(
                f"parallel_window with SIMD {self.SIMD} of {self.IFMChannels} channels",
                where=self.op_type,
                remedy=f"Set SIMD to {self.IFMChannels}, or parallel_window to 0.",
            )
        check_integer_type(self, "inputDataType", 64)
        for name in ("ConvKernelDim", "IFMDim", "Stride", "Dilation"):
            check_pair(self, name)
        check_choice(self, "ram_style", ("auto", "distributed", "block", "ultra"))
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
        datatype = structural_datatype(self.inputDataType)
        if self.parallel_window:
            return Stream(datatype, prod(pair(self.ConvKernelDim)) * self.SIMD, prod(self.windows))
        return Stream(datatype, self.SIMD, self.schedule().words_out)

    def interval_cycles(self) -> int:
        return self.schedule().words_in if self.parallel_window else self.schedule().interval_cycles

    def first_output_latency(self) -> int:
        """A word is read the cycle after it has entered, and leaves the cycle after that: no row is awaited.

        In parallel a window is complete with its last pixel, which passes three registers.
        """
        if not self.parallel_window:
            return 2
        taps = zip(pair(self.ConvKernelDim), pair(self.Dilation), strict=True)
        down, right = ((kernel - 1) * dilation for kernel, dilation in taps)
        return down * pair(self.IFMDim)[1] + right + 3

    def output_image(self) -> tuple[int, int, int]:
        """A pixel is a window."""
        down, right = self.windows
        kernel = pair(self.ConvKernelDim)
        return down, right, kernel[0] * kernel[1] * self.IFMChannels

    def execute(self, frames: IntegerArray) -> IntegerArray:
        # In parallel, too, the elements of a window are in this order: SIMD is all channels then.
        words = np.asarray(frames, dtype=np.int64).reshape(len(frames), -1, self.SIMD)
        return words[:, self.schedule().addresses()].reshape(len(frames), -1)

    def memory_depth(self) -> int:
        """Words of the memory: a circular one; in parallel a word a column of the image."""
        return pair(self.IFMDim)[1] if self.parallel_window else self.schedule().depth()

    def memory_width(self) -> int:
        """Bits of a word of the memory; in parallel those of the column's pixels above the newest."""
        rows = (pair(self.ConvKernelDim)[0] - 1) * pair(self.Dilation)[0] if self.parallel_window else 1
        return rows * self.input_stream().width

    def memory_style(self) -> str:
        """What holds the words: ``distributed``, ``block`` or ``ultra``."""
        if self.ram_style != "auto":
            return self.ram_style
        bits = self.memory_depth() * self.memory_width()
        return "block" if bits >= _LEAST_BLOCK_RAM_BITS else "distributed"

    def verilog_parameters(self) -> Mapping[str, int | str | VerilogLiteral]:
        streams = {"WIDTH": self.input_stream().width, "OUTPUT_WIDTH": self.output_stream().width}
        if self.parallel_window:
            return {"PARALLEL": 1, **streams, **self._geometry(), "RAM_STYLE": self.memory_style()}
        schedule, depth = self.schedule(), self.memory_depth()
        loops, moves = schedule.counting(), schedule.moves()
        count_bits = max(1, max(loop.size - 1 for loop in loops).bit_length())
        bits = (depth + max(max(abs(move.distance), move.freed) for move in moves)).bit_length() + 1
        modulus = 1 << bits
        return {
            "PARALLEL": 0,
            **streams,
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

    def _geometry(self) -> dict[str, int]:
        """What the kernel of parallel windows is told of image and windows, in the order of its C++ arguments."""
        (rows, columns), (kernel_rows, kernel_columns) = pair(self.IFMDim), pair(self.ConvKernelDim)
        (stride_down, stride_right), (dilation_down, dilation_right) = pair(self.Stride), pair(self.Dilation)
        return {
            "ROWS": rows,
            "COLUMNS": columns,
            "KERNEL_ROWS": kernel_rows,
            "KERNEL_COLUMNS": kernel_columns,
            "STRIDE_DOWN": stride_down,
            "STRIDE_RIGHT": stride_right,
            "DILATION_DOWN": dilation_down,
            "DILATION_RIGHT": dilation_right,
        }

    def cpp_template_arguments(self) -> list[str]:
        streams = [str(self.input_stream().width), str(self.output_stream().width)]
        if self.parallel_window:
            return ["true", *streams, *(str(number) for number in self._geometry().values())]
        schedule = self.schedule()
        moves = schedule.moves()
        numbers = [self.memory_depth(), schedule.words_in, schedule.words_out]
        for loop, move in zip(schedule.counting(), moves, strict=False):
            numbers += [loop.size, move.distance, move.freed]
        return ["false", *streams, *(str(number) for number in (*numbers, moves[-1].distance, moves[-1].freed))]
