"""Crop: an image without its outer rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_folding, check_integer_type
from finnmake.dataflow.layer import IntegerArray, Layer, Stream, structural_datatype
from finnmake.errors import ModelError


@dataclass(frozen=True, eq=False)
class Crop(Layer):
    """Drops rows and columns at the edges of an image (rows, columns, channels).

    Attributes:
        Height: rows of the input.
        Width: columns of the input.
        NumChannels: channels of a pixel.
        SIMD: channels in a word.
        inputDataType: of the elements.
        CropNorth: rows dropped at the top.
        CropEast: columns dropped at the right.
        CropSouth: rows dropped at the bottom.
        CropWest: columns dropped at the left.
    """

    Height: int
    Width: int
    NumChannels: int
    SIMD: int
    inputDataType: str
    CropNorth: int = 0
    CropEast: int = 0
    CropSouth: int = 0
    CropWest: int = 0

    op_type: ClassVar[str] = "Crop"
    kernel: ClassVar[str] = "crop"
    verilog_files: ClassVar[tuple[str, ...]] = ("common/stream_register.v", "crop/crop.v")
    cpp_files: ClassVar[tuple[str, ...]] = ("include/synthesis.hpp", "crop/crop.hpp")

    def check(self) -> None:
        check_folding(self, "SIMD", "NumChannels")
        check_integer_type(self, "inputDataType", 64)
        dropped = (self.CropNorth, self.CropEast, self.CropSouth, self.CropWest)
        if min(dropped) < 0 or self.rows_left < 1 or self.columns_left < 1:
            raise ModelError(
                f"dropping {dropped} (north, east, south, west) of {self.Height} x {self.Width} pixels",
                where=self.op_type,
                remedy="A pixel at least must be left, and no number may be negative.",
            )

    @property
    def rows_left(self) -> int:
        """Rows of the output."""
        return self.Height - self.CropNorth - self.CropSouth

    @property
    def columns_left(self) -> int:
        """Columns of the output."""
        return self.Width - self.CropEast - self.CropWest

    @property
    def _words_per_pixel(self) -> int:
        return self.NumChannels // self.SIMD

    def _stream(self, rows: int, columns: int) -> Stream:
        return Stream(structural_datatype(self.inputDataType), self.SIMD, rows * columns * self._words_per_pixel)

    def input_stream(self) -> Stream:
        return self._stream(self.Height, self.Width)

    def output_stream(self) -> Stream:
        return self._stream(self.rows_left, self.columns_left)

    def interval_cycles(self) -> int:
        return self.input_stream().words_per_frame

    def first_output_latency(self) -> int:
        """The words before the first one that is kept, and the output register."""
        return (self.CropNorth * self.Width + self.CropWest) * self._words_per_pixel + 1

    def execute(self, frames: IntegerArray) -> IntegerArray:
        images = np.asarray(frames, dtype=np.int64).reshape(-1, self.Height, self.Width, self.NumChannels)
        rows = slice(self.CropNorth, self.CropNorth + self.rows_left)
        columns = slice(self.CropWest, self.CropWest + self.columns_left)
        return images[:, rows, columns].reshape(len(images), -1)

    def verilog_parameters(self) -> dict[str, int | str]:
        pixel = self._words_per_pixel
        return {
            "WIDTH": self.input_stream().width,
            "HEIGHT": self.Height,
            "ROW": self.Width * pixel,
            "TOP": self.CropNorth,
            "BOTTOM": self.CropNorth + self.rows_left - 1,
            "LEFT": self.CropWest * pixel,
            "RIGHT": (self.CropWest + self.columns_left) * pixel - 1,
        }

    def cpp_template_arguments(self) -> list[str]:
        return [str(value) for value in self.verilog_parameters().values()]
