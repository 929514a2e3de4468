"""Shuffle: the dimensions of a tensor in another order, as Transpose has it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_integer_type, divisors
from finnmake.dataflow.layer import IntegerArray, Stream, structural_datatype
from finnmake.dataflow.stream_reorder import Loop, StreamReorder
from finnmake.errors import FoldingError, ModelError


@dataclass(frozen=True, eq=False)
class Shuffle(StreamReorder):
    """Transposes a frame. What the leading dimensions that stay in place enclose is held, no more.

    Attributes:
        in_shape: of a frame without its batch dimension, as text: ``"14,14,32"``.
        perm: the input's dimension that each dimension of the output is, as text: ``"2,0,1"``.
        SIMD: elements in a word; where the last dimension does not stay the last, 1.
        inputDataType: of the elements.
    """

    in_shape: str
    perm: str
    SIMD: int
    inputDataType: str

    op_type: ClassVar[str] = "Shuffle"

    def check(self) -> None:
        check_integer_type(self, "inputDataType", 64)
        texts = [*self.in_shape.split(","), *self.perm.split(",")]
        if (
            not all(text.isdecimal() for text in texts)
            or min(self.shape) < 1
            or sorted(self.order) != list(range(len(self.shape)))
        ):
            raise ModelError(
                f"in_shape is {self.in_shape!r} and perm {self.perm!r}",
                where=self.op_type,
                remedy='Give sizes of 1 or more and an order of all dimensions: "14,14,32" and "2,0,1".',
            )
        legal = divisors(self.shape[-1]) if self.order[-1] == len(self.shape) - 1 else [1]
        if self.SIMD not in legal:
            raise FoldingError(
                f"SIMD = {self.SIMD} with in_shape = {self.in_shape} and perm = {self.perm}",
                where=self.op_type,
                remedy=f"Legal values of SIMD: {', '.join(map(str, legal))}.",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the input's dimensions."""
        return tuple(int(size) for size in self.in_shape.split(","))

    @property
    def order(self) -> tuple[int, ...]:
        """The input's dimension that each of the output's is."""
        return tuple(int(axis) for axis in self.perm.split(","))

    @property
    def _kept(self) -> int:
        """Leading dimensions that stay in place."""
        moved = [axis for axis, source in enumerate(self.order) if axis != source]
        return min(moved) if moved else len(self.shape) - 1

    @property
    def blocks(self) -> int:
        """What is transposed one after the other."""
        return prod(self.shape[: self._kept])

    def element_stream(self) -> Stream:
        return Stream(structural_datatype(self.inputDataType), self.SIMD, prod(self.shape) // self.SIMD)

    def loops(self) -> tuple[Loop, ...]:
        sizes = (*self.shape[:-1], self.shape[-1] // self.SIMD)
        return tuple(Loop(sizes[axis], prod(sizes[axis + 1 :])) for axis in self.order[self._kept :])

    def execute(self, frames: IntegerArray) -> IntegerArray:
        tensors = np.asarray(frames, dtype=np.int64).reshape(-1, *self.shape)
        return tensors.transpose(0, *(axis + 1 for axis in self.order)).reshape(len(tensors), -1)
