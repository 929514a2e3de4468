"""LabelSelect: the indices of the largest elements of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.layer import IntegerArray, Layer, Stream, structural_datatype
from finnmake.errors import FoldingError, ModelError


@dataclass(frozen=True, eq=False)
class LabelSelect(Layer):
    """Indices of the ``K`` largest of ``Labels`` elements, the largest first; among equal ones the lowest index.

    Attributes:
        Labels: elements of a frame.
        PE: elements in an input word; 1 where K is more than 1.
        K: how many indices are wanted, 1 … Labels: one a word.
        inputDataType: of the elements compared, signed or unsigned.
        outputDataType: of the index.
    """

    Labels: int
    PE: int
    inputDataType: str
    outputDataType: str
    K: int = 1

    op_type: ClassVar[str] = "LabelSelect"
    kernel: ClassVar[str] = "label_select"
    verilog_files: ClassVar[tuple[str, ...]] = (
        "common/output_queue.v",
        "common/resize.v",
        "common/stream_register.v",
        "label_select/best_label.v",
        "label_select/best_labels.v",
        "label_select/label_select.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = ("include/synthesis.hpp", "label_select/label_select.hpp")

    def check(self) -> None:
        if self.Labels < 1:
            raise ModelError(f"Labels = {self.Labels}", where=self.op_type, remedy="A frame has 1 or more elements.")
        if self.PE < 1 or self.Labels % self.PE:
            legal = ", ".join(str(d) for d in range(1, self.Labels + 1) if self.Labels % d == 0)
            raise FoldingError(
                f"PE = {self.PE} does not divide Labels = {self.Labels}",
                where=self.op_type,
                remedy=f"Legal values of PE: {legal}.",
            )
        if not 1 <= self.K <= self.Labels:
            raise ModelError(
                f"K = {self.K} of {self.Labels} labels", where=self.op_type, remedy="Use 1 to as many as there are."
            )
        if self.K > 1 and self.PE > 1:
            raise FoldingError(
                f"PE = {self.PE} with K = {self.K}",
                where=self.op_type,
                remedy="Legal values of PE: 1. Several labels are found among elements that come one by one.",
            )
        if not structural_datatype(self.inputDataType).is_integer():
            raise ModelError(f"inputDataType {self.inputDataType} is not an integer type", where=self.op_type)
        output = structural_datatype(self.outputDataType)
        if not output.is_integer() or output.name == "BIPOLAR" or output.max() < self.Labels - 1:
            raise ModelError(
                f"outputDataType {output.name} does not hold the index {self.Labels - 1}",
                where=self.op_type,
                remedy="Use an integer type that does.",
            )

    def input_stream(self) -> Stream:
        return Stream(structural_datatype(self.inputDataType), self.PE, self.Labels // self.PE)

    def output_stream(self) -> Stream:
        return Stream(structural_datatype(self.outputDataType), 1, self.K)

    def interval_cycles(self) -> int:
        return self.Labels // self.PE

    def first_output_latency(self) -> int:
        """The frame's other words, a cycle per level of the tree within a word, one to compare words.

        With several labels: the frame's other words, a cycle to put the last of them in its place, one to hand
        over, and the output register.
        """
        if self.K > 1:
            return self.Labels + 2
        return (self.Labels // self.PE - 1) + (self.PE - 1).bit_length() + 1

    def execute(self, frames: IntegerArray) -> IntegerArray:
        frames = np.asarray(frames, dtype=np.int64).reshape(-1, self.Labels)
        # A stable sort leaves the first of equal elements first; the complement turns the order round without overflow.
        order: IntegerArray = np.argsort(~frames, axis=1, kind="stable")
        return order[:, : self.K].astype(np.int64)

    def verilog_parameters(self) -> dict[str, int | str]:
        source = structural_datatype(self.inputDataType)
        return {
            "LABELS": self.Labels,
            "PE": self.PE,
            "K": self.K,
            "INPUT_WIDTH": source.bitwidth(),
            # BIPOLAR is encoded 0/1, which compares as unsigned.
            "INPUT_SIGNED": int(source.signed() and source.name != "BIPOLAR"),
            "OUTPUT_WIDTH": structural_datatype(self.outputDataType).bitwidth(),
        }

    def cpp_template_arguments(self) -> list[str]:
        values = self.verilog_parameters()
        is_signed = "true" if values["INPUT_SIGNED"] else "false"
        return [
            str(self.Labels),
            str(self.PE),
            str(self.K),
            str(values["INPUT_WIDTH"]),
            is_signed,
            str(values["OUTPUT_WIDTH"]),
        ]
