"""Thresholding: counts per channel how many ascending thresholds a value has reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_choice, check_folding, check_integer_type, parameter
from finnmake.dataflow.layer import (
    IntegerArray,
    Layer,
    MemoryImage,
    MemoryShape,
    Stream,
    cpp_datatype,
    structural_datatype,
)
from finnmake.dataflow.pipelines import first_block_stage, multi_threshold_cycles, rom_style
from finnmake.dataflow.thresholds import (
    THRESHOLD_VERILOG_FILES,
    activate,
    check_activation,
    check_thresholds,
    output_offset,
    threshold_arguments,
    threshold_datatype,
    threshold_images,
    threshold_shapes,
)
from finnmake.errors import ModelError


@dataclass(frozen=True, eq=False)
class Thresholding(Layer):
    """Per-channel (or shared) thresholds on a stream of integers.

    Attributes:
        NumChannels: channels of one vector.
        PE: channels per word.
        inputDataType: of the values compared.
        thresholdDataType: of the thresholds in the model. The memory's own width is the least that the values need.
        outputDataType: of ``ActVal + count``; BIPOLAR for one threshold, encoded 0/1.
        numSteps: thresholds per channel, 1 … 255.
        ActVal: output where no threshold is reached.
        numInputVectors: vectors per frame.
        sharedThresholds: True where one row of thresholds serves all channels.
        ram_style: what holds the thresholds: ``auto``, ``distributed`` or ``block``. UltraRAM cannot: it has no initial
            contents.

    ``parameters["thresholds"]``: int64 (NumChannels, numSteps), or (1, numSteps) if shared; ascending per row.
    """

    NumChannels: int
    PE: int
    inputDataType: str
    thresholdDataType: str
    outputDataType: str
    numSteps: int
    ActVal: int = 0
    numInputVectors: int = 1
    sharedThresholds: bool = False
    ram_style: str = "auto"

    op_type: ClassVar[str] = "Thresholding"
    kernel: ClassVar[str] = "thresholding"
    verilog_files: ClassVar[tuple[str, ...]] = (
        *THRESHOLD_VERILOG_FILES,
        "common/output_queue.v",
        "thresholding/thresholding.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = (
        "include/datatypes.hpp",
        "include/synthesis.hpp",
        "include/thresholds.hpp",
        "thresholding/thresholding.hpp",
    )

    def check(self) -> None:
        check_folding(self, "PE", "NumChannels")
        if self.numInputVectors < 1:
            raise ModelError(f"numInputVectors is {self.numInputVectors}", where=self.op_type, remedy="Use 1 or more.")
        check_choice(self, "ram_style", ("auto", "distributed", "block"))
        check_integer_type(self, "inputDataType", 32)
        threshold_type = check_integer_type(self, "thresholdDataType", 64)
        check_activation(self, self.numSteps, self.ActVal, check_integer_type(self, "outputDataType", 32))
        if "thresholds" in self.parameters:
            thresholds = self.parameters["thresholds"]
            rows = 1 if self.sharedThresholds else self.NumChannels
            check_thresholds(self, thresholds, [(rows, self.numSteps)])
            if not threshold_type.allowed_array(thresholds):
                raise ModelError(
                    f"thresholds {int(thresholds.min())} … {int(thresholds.max())} do not fit thresholdDataType "
                    f"{threshold_type.name}",
                    where=self.op_type,
                    remedy="Use a wider threshold datatype.",
                )

    @property
    def _range(self) -> tuple[int, int]:
        datatype = structural_datatype(self.inputDataType)
        return int(datatype.min()), int(datatype.max())

    @property
    def _folds_of_thresholds(self) -> int:
        return 1 if self.sharedThresholds else self.NumChannels // self.PE

    @property
    def _threshold_word_width(self) -> int:
        channels = 1 if self.sharedThresholds else self.PE
        return channels * self.numSteps * threshold_datatype(*self._range).bitwidth()

    def input_stream(self) -> Stream:
        words = self.numInputVectors * (self.NumChannels // self.PE)
        return Stream(structural_datatype(self.inputDataType), self.PE, words)

    def output_stream(self) -> Stream:
        words = self.numInputVectors * (self.NumChannels // self.PE)
        return Stream(structural_datatype(self.outputDataType), self.PE, words)

    def interval_cycles(self) -> int:
        return self.numInputVectors * (self.NumChannels // self.PE)

    def first_output_latency(self) -> int:
        """Input register, ``multi_threshold.v``, output queue: ``2 + multi_threshold_cycles(numSteps)``.

        That is 2 for up to three thresholds, else 2 and the bits of the count.
        """
        return 2 + multi_threshold_cycles(self.numSteps)

    def execute(self, frames: IntegerArray) -> IntegerArray:
        thresholds = parameter(self, "thresholds").astype(np.int64)
        values = np.asarray(frames, dtype=np.int64).reshape(-1, self.NumChannels)
        outputs = activate(values, thresholds, self.ActVal, structural_datatype(self.outputDataType))
        return outputs.reshape(len(frames), -1)

    def verilog_parameters(self) -> dict[str, int | str]:
        source = structural_datatype(self.inputDataType)
        output = structural_datatype(self.outputDataType)
        return {
            "NUM_CHANNELS": self.NumChannels,
            "PE": self.PE,
            "INPUT_WIDTH": source.bitwidth(),
            "INPUT_SIGNED": int(source.signed() and source.name != "BIPOLAR"),
            "INPUT_BIPOLAR": int(source.name == "BIPOLAR"),
            "THRESHOLD_WIDTH": threshold_datatype(*self._range).bitwidth(),
            "OUTPUT_WIDTH": output.bitwidth(),
            "OUTPUT_OFFSET": output_offset(self.ActVal, output),
            "NUM_STEPS": self.numSteps,
            "SHARED_THRESHOLDS": int(self.sharedThresholds),
            "FIRST_BLOCK_STAGE": first_block_stage(
                self.ram_style, self.numSteps, self._folds_of_thresholds, threshold_datatype(*self._range).bitwidth()
            ),
            "RAM_STYLE": rom_style(self.ram_style, self._folds_of_thresholds, self._threshold_word_width),
        }

    def cpp_template_arguments(self) -> list[str]:
        return [
            str(self.NumChannels),
            str(self.PE),
            cpp_datatype(structural_datatype(self.inputDataType)),
            cpp_datatype(threshold_datatype(*self._range)),
            cpp_datatype(structural_datatype(self.outputDataType)),
            str(self.numSteps),
            str(output_offset(self.ActVal, structural_datatype(self.outputDataType))),
            "true" if self.sharedThresholds else "false",
            str(self.numInputVectors),
        ]

    def memory_images(self) -> dict[str, MemoryImage]:
        thresholds = parameter(self, "thresholds")
        return threshold_images(thresholds, self.PE, *self._range)

    def memory_shapes(self) -> dict[str, MemoryShape]:
        rows = 1 if self.sharedThresholds else self.NumChannels
        return threshold_shapes(rows, self.numSteps, self.PE, *self._range)

    def cpp_memory_arguments(self) -> list[str]:
        return [threshold_arguments(self.numSteps)]
