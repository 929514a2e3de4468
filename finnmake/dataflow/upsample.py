"""UpsampleNearestNeighbour: every pixel several times, in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_folding, check_integer_type
from finnmake.dataflow.layer import IntegerArray, Stream, structural_datatype
from finnmake.dataflow.stream_reorder import Loop, StreamReorder
from finnmake.errors import ModelError


@dataclass(frozen=True, eq=False)
class UpsampleNearestNeighbour(StreamReorder):
    """Enlarges an image (rows, columns, channels) by whole factors: each pixel becomes a rectangle of equal pixels.

    Attributes:
        HI: rows of the input.
        WI: columns of the input.
        HO: rows of the output, a multiple of HI.
        WO: columns of the output, a multiple of WI.
        NumChannels: channels of a pixel.
        SIMD: channels in a word.
        inputDataType: of the elements.
    """

    HI: int
    WI: int
    HO: int
    WO: int
    NumChannels: int
    SIMD: int
    inputDataType: str

    op_type: ClassVar[str] = "UpsampleNearestNeighbour"

    def check(self) -> None:
        check_folding(self, "SIMD", "NumChannels")
        check_integer_type(self, "inputDataType", 64)
        for source, target in (("HI", "HO"), ("WI", "WO")):
            small, large = int(getattr(self, source)), int(getattr(self, target))
            if small < 1 or large < small or large % small:
                raise ModelError(
                    f"{target} = {large} is no multiple of {source} = {small}",
                    where=self.op_type,
                    remedy="Only whole factors of 1 and more are possible.",
                )

    @property
    def blocks(self) -> int:
        """Rows: one is held."""
        return self.HI

    def element_stream(self) -> Stream:
        words = self.HI * self.WI * self.NumChannels // self.SIMD
        return Stream(structural_datatype(self.inputDataType), self.SIMD, words)

    def loops(self) -> tuple[Loop, ...]:
        pixel = self.NumChannels // self.SIMD
        return (Loop(self.HO // self.HI, 0), Loop(self.WI, pixel), Loop(self.WO // self.WI, 0), Loop(pixel, 1))

    def execute(self, frames: IntegerArray) -> IntegerArray:
        images = np.asarray(frames, dtype=np.int64).reshape(-1, self.HI, self.WI, self.NumChannels)
        larger = images.repeat(self.HO // self.HI, axis=1).repeat(self.WO // self.WI, axis=2)
        return larger.reshape(len(images), -1)
