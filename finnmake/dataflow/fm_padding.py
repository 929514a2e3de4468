"""FMPadding: zeros, or another number, around an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_folding, check_integer_type
from finnmake.dataflow.layer import (
    IntegerArray,
    Layer,
    Stream,
    VerilogLiteral,
    structural_datatype,
    verilog_numbers,
)
from finnmake.errors import ModelError


@dataclass(frozen=True, eq=False)
class FMPadding(Layer):
    """Puts rows and columns of one number, by default zero, around an image (rows, columns, channels).

    Attributes:
        ImgDim: rows and columns of the input, as text: ``"28,28"``.
        Padding: rows at the top, columns at the left, rows at the bottom, columns at the right, as text: ``"1,1,1,1"``.
        NumChannels: channels of a pixel.
        SIMD: channels in a word.
        inputDataType: of the elements.
        PadValue: what is put around the image; the datatype must have it.
    """

    ImgDim: str
    Padding: str
    NumChannels: int
    SIMD: int
    inputDataType: str
    PadValue: int = 0

    op_type: ClassVar[str] = "FMPadding"
    kernel: ClassVar[str] = "fm_padding"
    verilog_files: ClassVar[tuple[str, ...]] = ("common/stream_register.v", "fm_padding/fm_padding.v")
    cpp_files: ClassVar[tuple[str, ...]] = ("include/synthesis.hpp", "fm_padding/fm_padding.hpp")

    def check(self) -> None:
        check_folding(self, "SIMD", "NumChannels")
        datatype = check_integer_type(self, "inputDataType", 64)
        for name, count, least in (("ImgDim", 2, 1), ("Padding", 4, 0)):
            texts = str(getattr(self, name)).split(",")
            if len(texts) != count or not all(text.isdecimal() and int(text) >= least for text in texts):
                raise ModelError(
                    f"{name} is {getattr(self, name)!r}",
                    where=self.op_type,
                    remedy=f"Give {count} numbers of {least} or more, with commas between them.",
                )
        if not datatype.allowed(self.PadValue):
            raise ModelError(
                f"inputDataType {datatype.name} has no {self.PadValue or 'zero'}",
                where=self.op_type,
                remedy="Pad before the quantiser that makes it, with a number that it has, or do not pad.",
            )

    @property
    def padding(self) -> tuple[int, ...]:
        """Top, left, bottom, right."""
        return tuple(int(text) for text in self.Padding.split(","))

    @property
    def image(self) -> tuple[int, int]:
        """Rows and columns of the input."""
        rows, columns = (int(text) for text in self.ImgDim.split(","))
        return rows, columns

    @property
    def padded_image(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        (rows, columns), (top, left, bottom, right) = self.image, self.padding
        return top + rows + bottom, left + columns + right

    def _stream(self, rows: int, columns: int) -> Stream:
        words = rows * columns * (self.NumChannels // self.SIMD)
        return Stream(structural_datatype(self.inputDataType), self.SIMD, words)

    def input_stream(self) -> Stream:
        return self._stream(*self.image)

    def output_stream(self) -> Stream:
        return self._stream(*self.padded_image)

    def interval_cycles(self) -> int:
        return self.output_stream().words_per_frame

    def first_output_latency(self) -> int:
        """A register at the input, whose first word starts a frame, and one at the output."""
        return 2

    def output_image(self) -> tuple[int, int, int]:
        """The padded image."""
        return (*self.padded_image, self.NumChannels)

    def execute(self, frames: IntegerArray) -> IntegerArray:
        top, left, bottom, right = self.padding
        images = np.asarray(frames, dtype=np.int64).reshape(-1, *self.image, self.NumChannels)
        borders = ((0, 0), (top, bottom), (left, right), (0, 0))
        return np.pad(images, borders, constant_values=self.PadValue).reshape(len(images), -1)

    @property
    def _encoded_pad_value(self) -> int:
        """PadValue as the bits of an element."""
        datatype = structural_datatype(self.inputDataType)
        if datatype.name == "BIPOLAR":
            return (self.PadValue + 1) // 2
        return self.PadValue % (1 << datatype.bitwidth())

    def verilog_parameters(self) -> dict[str, int | str | VerilogLiteral]:
        words = self.NumChannels // self.SIMD
        (rows, columns), (height, width), (top, left, _, _) = self.image, self.padded_image, self.padding
        return {
            "WIDTH": self.input_stream().width,
            "HEIGHT": height,
            "ROW": width * words,
            "TOP": top,
            "BOTTOM": top + rows - 1,
            "LEFT": left * words,
            "RIGHT": (left + columns) * words - 1,
            "PAD": verilog_numbers([self._encoded_pad_value] * self.SIMD, self.input_stream().datatype.bitwidth()),
        }

    def cpp_template_arguments(self) -> list[str]:
        numbers = list(self.verilog_parameters().values())[:-1]
        element = (self.input_stream().datatype.bitwidth(), f"{self._encoded_pad_value}ULL")
        return [str(value) for value in (*numbers, *element)]
