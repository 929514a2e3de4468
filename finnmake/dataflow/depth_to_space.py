"""DepthToSpace (PixelShuffle): blocks of channels become blocks of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_folding, check_integer_type
from finnmake.dataflow.layer import IntegerArray, Stream, structural_datatype
from finnmake.dataflow.stream_reorder import Loop, StreamReorder
from finnmake.errors import FoldingError, ModelError

MODES = ("DCR", "CRD")


@dataclass(frozen=True, eq=False)
class DepthToSpace(StreamReorder):
    """An image of HI x WI pixels becomes one of HI * blocksize x WI * blocksize with fewer channels, as ONNX has it.

    Attributes:
        HI: rows of the input.
        WI: columns of the input.
        NumChannels: channels of the input, a multiple of blocksize squared.
        blocksize: pixels that a pixel becomes, in each direction.
        SIMD: channels in a word: in mode DCR it divides the output's channels, in mode CRD it is 1.
        inputDataType: of the elements.
        mode: ``DCR``: an input channel is (row in block, column in block, output channel); ``CRD``, which is PyTorch's
            PixelShuffle: (output channel, row in block, column in block).
    """

    HI: int
    WI: int
    NumChannels: int
    blocksize: int
    SIMD: int
    inputDataType: str
    mode: str = "DCR"

    op_type: ClassVar[str] = "DepthToSpace"

    def check(self) -> None:
        check_integer_type(self, "inputDataType", 64)
        if self.mode not in MODES:
            raise ModelError(f"mode is {self.mode!r}", where=self.op_type, remedy="Use DCR or CRD.")
        if min(self.HI, self.WI, self.blocksize) < 1 or self.NumChannels % self.blocksize**2:
            raise ModelError(
                f"{self.HI} x {self.WI} pixels of {self.NumChannels} channels with blocksize = {self.blocksize}",
                where=self.op_type,
                remedy="NumChannels must be a multiple of blocksize squared, and everything 1 or more.",
            )
        check_folding(self, "SIMD", "output_channels")
        if self.mode == "CRD" and self.blocksize > 1 and self.SIMD != 1:
            raise FoldingError(
                f"SIMD = {self.SIMD} in mode CRD",
                where=self.op_type,
                remedy="Legal values of SIMD: 1. Channels that leave side by side do not come side by side.",
            )

    @property
    def output_channels(self) -> int:
        """Channels of the output."""
        return self.NumChannels // self.blocksize**2

    @property
    def blocks(self) -> int:
        """Rows of the input: one is held."""
        return self.HI

    def element_stream(self) -> Stream:
        words = self.HI * self.WI * self.NumChannels // self.SIMD
        return Stream(structural_datatype(self.inputDataType), self.SIMD, words)

    def loops(self) -> tuple[Loop, ...]:
        size, pixel, words = self.blocksize, self.NumChannels // self.SIMD, self.output_channels // self.SIMD
        rows, columns, channels = (size * words, words, 1) if self.mode == "DCR" else (size, 1, size * size)
        return Loop(size, rows), Loop(self.WI, pixel), Loop(size, columns), Loop(words, channels)

    def execute(self, frames: IntegerArray) -> IntegerArray:
        size, channels = self.blocksize, self.output_channels
        block = (size, size, channels) if self.mode == "DCR" else (channels, size, size)
        images = np.asarray(frames, dtype=np.int64).reshape(-1, self.HI, self.WI, *block)
        order = (0, 1, 3, 2, 4, 5) if self.mode == "DCR" else (0, 1, 4, 2, 5, 3)
        return images.transpose(order).reshape(len(images), -1)
