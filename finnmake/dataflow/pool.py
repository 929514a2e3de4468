"""Pool: the largest, or the average, of each channel in a window.

Its windows come from a ConvolutionInputGenerator in depthwise order: of PE channels all taps, then of the next ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_folding, check_integer_type, check_pair, pair
from finnmake.dataflow.layer import IntegerArray, Layer, Stream, cpp_datatype, structural_datatype
from finnmake.errors import ModelError
from finnmake.graph.datatype import AnyDataType, DataType

FUNCTIONS = ("MaxPool", "QuantAvgPool")


@dataclass(frozen=True, eq=False)
class Pool(Layer):
    """Pools windows channel by channel.

    Attributes:
        Channels: of a pixel.
        PE: channels per word; divides Channels.
        KernelSize: taps of a window, rows and columns, as text: ``"2,2"``.
        OutImgDims: windows in a frame, down and to the right, as text.
        inputDataType: of the elements.
        outputDataType: of the results; the input's for MaxPool.
        Function: ``MaxPool``, or ``QuantAvgPool``: the sum, shifted to the right.
        Shift: bits that the sum loses, rounded down; 0 for MaxPool.
    """

    Channels: int
    PE: int
    KernelSize: str
    OutImgDims: str
    inputDataType: str
    outputDataType: str
    Function: str = "MaxPool"
    Shift: int = 0

    op_type: ClassVar[str] = "Pool"
    kernel: ClassVar[str] = "pool"
    verilog_files: ClassVar[tuple[str, ...]] = ("common/resize.v", "common/stream_register.v", "pool/pool.v")
    cpp_files: ClassVar[tuple[str, ...]] = ("include/datatypes.hpp", "include/synthesis.hpp", "pool/pool.hpp")

    def check(self) -> None:
        check_folding(self, "PE", "Channels")
        check_pair(self, "KernelSize")
        check_pair(self, "OutImgDims")
        source = check_integer_type(self, "inputDataType", 32)
        output = check_integer_type(self, "outputDataType", 48)
        if self.Function not in FUNCTIONS:
            raise ModelError(
                f"Function is {self.Function!r}", where=self.op_type, remedy=f"Legal values: {', '.join(FUNCTIONS)}."
            )
        if self.Function == "MaxPool":
            if output != source or self.Shift:
                raise ModelError(
                    f"MaxPool of {source.name} with outputDataType {output.name} and Shift {self.Shift}",
                    where=self.op_type,
                    remedy="The largest has the input's datatype: use one type, and Shift 0.",
                )
            return
        if source.name == "BIPOLAR":
            raise ModelError("QuantAvgPool of BIPOLAR", where=self.op_type, remedy="Use a two's complement type.")
        if not 0 <= self.Shift < self._accumulator.bitwidth():
            raise ModelError(f"Shift is {self.Shift}", where=self.op_type, remedy="Leave a bit of the sum at least.")
        lowest, highest = (int(bound) >> self.Shift for bound in self._sum_range)
        if not (output.min() <= lowest and highest <= output.max()) or output.name == "BIPOLAR":
            raise ModelError(
                f"results {lowest} … {highest} do not fit outputDataType {output.name}",
                where=self.op_type,
                remedy="Use a wider output datatype, or a larger Shift.",
            )

    @property
    def _sum_range(self) -> tuple[int, int]:
        datatype = structural_datatype(self.inputDataType)
        return int(datatype.min()) * self.taps, int(datatype.max()) * self.taps

    @property
    def _accumulator(self) -> AnyDataType:
        if self.Function == "MaxPool":
            return structural_datatype(self.inputDataType)
        low, high = self._sum_range
        return DataType.smallest_for_range(low, high)

    @property
    def taps(self) -> int:
        """Pixels of a window."""
        return prod(pair(self.KernelSize))

    @property
    def windows(self) -> int:
        """Windows of a frame."""
        return prod(pair(self.OutImgDims))

    def input_stream(self) -> Stream:
        words = self.windows * self.taps * (self.Channels // self.PE)
        return Stream(structural_datatype(self.inputDataType), self.PE, words)

    def output_stream(self) -> Stream:
        words = self.windows * (self.Channels // self.PE)
        return Stream(structural_datatype(self.outputDataType), self.PE, words)

    def interval_cycles(self) -> int:
        return self.input_stream().words_per_frame

    def first_output_latency(self) -> int:
        """A word for each tap; the result leaves the cycle after the last."""
        return self.taps

    def output_image(self) -> tuple[int, int, int]:
        """A pixel of Channels for each window."""
        return (*pair(self.OutImgDims), self.Channels)

    def execute(self, frames: IntegerArray) -> IntegerArray:
        words = np.asarray(frames, dtype=np.int64).reshape(len(frames), -1, self.taps, self.PE)
        largest = self.Function == "MaxPool"
        results: IntegerArray = words.max(axis=2) if largest else np.right_shift(words.sum(axis=2), self.Shift)
        return results.reshape(len(words), -1)

    def verilog_parameters(self) -> dict[str, int | str]:
        source = structural_datatype(self.inputDataType)
        return {
            "PE": self.PE,
            "TAPS": self.taps,
            "SUM": int(self.Function != "MaxPool"),
            "INPUT_WIDTH": source.bitwidth(),
            # BIPOLAR is encoded 0/1, which compares as unsigned.
            "INPUT_SIGNED": int(source.signed() and source.name != "BIPOLAR"),
            "ACCUMULATOR_WIDTH": self._accumulator.bitwidth(),
            "SHIFT": self.Shift,
            "OUTPUT_WIDTH": structural_datatype(self.outputDataType).bitwidth(),
        }

    def cpp_template_arguments(self) -> list[str]:
        source = structural_datatype(self.inputDataType)
        # Nothing but the order of the values counts, and BIPOLAR's 0/1 has it.
        if source.name == "BIPOLAR":
            source = structural_datatype("BINARY")
        accumulator = source if self.Function == "MaxPool" else self._accumulator
        return [
            str(self.PE),
            str(self.taps),
            "false" if self.Function == "MaxPool" else "true",
            cpp_datatype(source),
            cpp_datatype(accumulator),
            str(self.Shift),
            str(structural_datatype(self.outputDataType).bitwidth()),
            str(self.output_stream().words_per_frame),
        ]
