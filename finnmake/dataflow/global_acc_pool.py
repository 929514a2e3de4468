"""GlobalAccPool: the sum of each channel over an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_folding, check_integer_type
from finnmake.dataflow.layer import IntegerArray, Layer, Stream, cpp_datatype, structural_datatype
from finnmake.errors import ModelError


@dataclass(frozen=True, eq=False)
class GlobalAccPool(Layer):
    """Sums an image (pixels, channels) over its pixels: a global average pool but for the division.

    Attributes:
        NumChannels: of a pixel.
        PE: channels per word; divides NumChannels.
        numInputVectors: pixels of a frame.
        inputDataType: of the elements.
        outputDataType: of the sums; it must hold all that can occur.
    """

    NumChannels: int
    PE: int
    numInputVectors: int
    inputDataType: str
    outputDataType: str

    op_type: ClassVar[str] = "GlobalAccPool"
    kernel: ClassVar[str] = "global_acc_pool"
    verilog_files: ClassVar[tuple[str, ...]] = (
        "common/resize.v",
        "common/stream_register.v",
        "global_acc_pool/global_acc_pool.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = (
        "include/datatypes.hpp",
        "include/synthesis.hpp",
        "global_acc_pool/global_acc_pool.hpp",
    )

    def check(self) -> None:
        check_folding(self, "PE", "NumChannels")
        if self.numInputVectors < 1:
            raise ModelError(f"numInputVectors is {self.numInputVectors}", where=self.op_type, remedy="Use 1 or more.")
        source = check_integer_type(self, "inputDataType", 32)
        output = check_integer_type(self, "outputDataType", 48)
        if "BIPOLAR" in (source.name, output.name):
            raise ModelError("a sum of BIPOLAR", where=self.op_type, remedy="Use two's complement types.")
        low, high = (int(bound) * self.numInputVectors for bound in (source.min(), source.max()))
        if not (output.min() <= low and high <= output.max()):
            raise ModelError(
                f"sums {low} … {high} do not fit outputDataType {output.name}",
                where=self.op_type,
                remedy="Use a wider output datatype.",
            )

    @property
    def _folds(self) -> int:
        return self.NumChannels // self.PE

    def input_stream(self) -> Stream:
        return Stream(structural_datatype(self.inputDataType), self.PE, self.numInputVectors * self._folds)

    def output_stream(self) -> Stream:
        return Stream(structural_datatype(self.outputDataType), self.PE, self._folds)

    def interval_cycles(self) -> int:
        return self.numInputVectors * self._folds

    def first_output_latency(self) -> int:
        """All pixels but the last, whose first word makes the first sum; a register."""
        return (self.numInputVectors - 1) * self._folds + 1

    def output_image(self) -> tuple[int, int, int]:
        """One pixel."""
        return 1, 1, self.NumChannels

    def execute(self, frames: IntegerArray) -> IntegerArray:
        pixels = np.asarray(frames, dtype=np.int64).reshape(len(frames), self.numInputVectors, self.NumChannels)
        sums: IntegerArray = pixels.sum(axis=1)
        return sums

    def verilog_parameters(self) -> dict[str, int | str]:
        source = structural_datatype(self.inputDataType)
        return {
            "PE": self.PE,
            "FOLDS": self._folds,
            "PIXELS": self.numInputVectors,
            "INPUT_WIDTH": source.bitwidth(),
            "INPUT_SIGNED": int(source.signed()),
            "OUTPUT_WIDTH": structural_datatype(self.outputDataType).bitwidth(),
        }

    def cpp_template_arguments(self) -> list[str]:
        types = [cpp_datatype(structural_datatype(name)) for name in (self.inputDataType, self.outputDataType)]
        return [str(self.PE), str(self._folds), str(self.numInputVectors), *types]
