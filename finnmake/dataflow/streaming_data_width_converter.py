"""StreamingDataWidthConverter: the same elements in wider or narrower words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.layer import IntegerArray, Layer, Stream, structural_datatype
from finnmake.errors import FoldingError, ModelError


@dataclass(frozen=True, eq=False)
class StreamingDataWidthConverter(Layer):
    """A gearbox between words of any two sizes, for example 28 to 49 elements.

    It works in units of ``gcd(elements_in, elements_out)`` elements. The side with more words moves one in every cycle.

    Attributes:
        datatype: of one element.
        elements_in: elements in an input word.
        elements_out: elements in an output word.
        elements_per_frame: elements of one frame; both word sizes must divide it.
    """

    datatype: str
    elements_in: int
    elements_out: int
    elements_per_frame: int

    op_type: ClassVar[str] = "StreamingDataWidthConverter"
    kernel: ClassVar[str] = "streaming_data_width_converter"
    verilog_files: ClassVar[tuple[str, ...]] = ("streaming_data_width_converter/streaming_data_width_converter.v",)
    cpp_files: ClassVar[tuple[str, ...]] = (
        "include/synthesis.hpp",
        "streaming_data_width_converter/streaming_data_width_converter.hpp",
    )

    def check(self) -> None:
        if not structural_datatype(self.datatype).is_integer():
            raise ModelError(f"datatype {self.datatype} is not an integer type", where=self.op_type)
        if self.elements_per_frame < 1:
            raise ModelError(f"elements_per_frame = {self.elements_per_frame}", where=self.op_type)
        for name in ("elements_in", "elements_out"):
            value = getattr(self, name)
            if value < 1 or self.elements_per_frame % value:
                legal = [d for d in range(1, self.elements_per_frame + 1) if self.elements_per_frame % d == 0]
                raise FoldingError(
                    f"{name} = {value} does not divide elements_per_frame = {self.elements_per_frame}",
                    where=self.op_type,
                    remedy=f"Legal values of {name}: {', '.join(map(str, legal))}.",
                )

    @property
    def unit(self) -> int:
        """Elements that always move together."""
        return math.gcd(self.elements_in, self.elements_out)

    def input_stream(self) -> Stream:
        words = self.elements_per_frame // self.elements_in
        return Stream(structural_datatype(self.datatype), self.elements_in, words)

    def output_stream(self) -> Stream:
        words = self.elements_per_frame // self.elements_out
        return Stream(structural_datatype(self.datatype), self.elements_out, words)

    def interval_cycles(self) -> int:
        return max(self.input_stream().words_per_frame, self.output_stream().words_per_frame)

    def first_output_latency(self) -> int:
        """As many cycles as input words make an output word."""
        return -(-self.elements_out // self.elements_in)

    def execute(self, frames: IntegerArray) -> IntegerArray:
        return np.asarray(frames, dtype=np.int64).reshape(len(frames), self.elements_per_frame)

    def units(self) -> tuple[int, int, int]:
        bits = self.unit * structural_datatype(self.datatype).bitwidth()
        return bits, self.elements_in // self.unit, self.elements_out // self.unit

    def verilog_parameters(self) -> dict[str, int | str]:
        bits, units_in, units_out = self.units()
        return {"UNIT_WIDTH": bits, "UNITS_IN": units_in, "UNITS_OUT": units_out}

    def cpp_template_arguments(self) -> list[str]:
        words = (self.input_stream().words_per_frame, self.output_stream().words_per_frame)
        return [str(number) for number in (*self.units(), *words)]
