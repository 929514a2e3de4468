"""VectorVectorActivation: a depthwise convolution's products, with thresholds or without.

Its windows come from a ConvolutionInputGenerator in depthwise order: of PE channels all taps, then of the next ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_folding, check_integer_type, parameter
from finnmake.dataflow.dot_product import dot_product_cycles, element_kind
from finnmake.dataflow.layer import IntegerArray, Layer, MemoryImage, Stream, cpp_datatype, structural_datatype
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
)
from finnmake.errors import ModelError
from finnmake.graph.datatype import AnyDataType


@dataclass(frozen=True, eq=False)
class VectorVectorActivation(Layer):
    """Sums of products channel by channel, with PE multipliers.

    Attributes:
        Channels: of a pixel.
        PE: channels per word; divides Channels.
        Kernel: taps of a window, rows and columns, as text: ``"3,3"``.
        Dim: windows in a frame, down and to the right, as text.
        inputDataType: of the inputs, at most 8 bits.
        weightDataType: of the weights, at most 8 bits.
        accDataType: of the accumulator.
        outputDataType: equals accDataType with noActivation.
        noActivation: True where the accumulator is the output.
        numSteps: thresholds per channel, 0 with noActivation.
        ActVal: output where no threshold is reached.
        resType: what multiplies: ``lut``, ``dsp`` or ``auto``.
        ram_style: what holds the weights: ``auto``, ``distributed`` or ``block``.

    ``parameters["weights"]``: int64 (taps, Channels). ``parameters["thresholds"]``: int64 (Channels, numSteps), rows
    ascending.
    """

    Channels: int
    PE: int
    Kernel: str
    Dim: str
    inputDataType: str
    weightDataType: str
    accDataType: str
    outputDataType: str
    noActivation: bool = False
    numSteps: int = 0
    ActVal: int = 0
    resType: str = "auto"
    ram_style: str = "auto"

    op_type: ClassVar[str] = "VectorVectorActivation"
    kernel: ClassVar[str] = "vector_vector_activation"
    verilog_files: ClassVar[tuple[str, ...]] = (
        *THRESHOLD_VERILOG_FILES,
        "common/adder_tree.v",
        "common/full_count.v",
        "common/output_queue.v",
        "common/popcount.v",
        "common/resize.v",
        "matrix_vector_activation/dot_product.v",
        "vector_vector_activation/vector_vector_activation.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = (
        "include/datatypes.hpp",
        "include/thresholds.hpp",
        "vector_vector_activation/vector_vector_activation.hpp",
    )

    # -- checks ------------------------------------------------------------------------------------------------------
    def check(self) -> None:
        check_folding(self, "PE", "Channels")
        for name in ("Kernel", "Dim"):
            texts = str(getattr(self, name)).split(",")
            if len(texts) != 2 or not all(text.isdecimal() and int(text) > 0 for text in texts):
                raise ModelError(
                    f"{name} is {getattr(self, name)!r}",
                    where=self.op_type,
                    remedy='Give two numbers of 1 or more, for rows and columns: "3,3".',
                )
        for field_name, legal in (("resType", ("auto", "lut", "dsp")), ("ram_style", ("auto", "distributed", "block"))):
            if getattr(self, field_name) not in legal:
                raise ModelError(
                    f"{field_name} is {getattr(self, field_name)!r}",
                    where=self.op_type,
                    remedy=f"Legal values: {', '.join(legal)}.",
                )
        check_integer_type(self, "inputDataType", 8)
        weight = check_integer_type(self, "weightDataType", 8)
        accumulator = check_integer_type(self, "accDataType", 48)
        output = check_integer_type(self, "outputDataType", 48)
        if accumulator.name == "BIPOLAR":
            raise ModelError("accDataType is BIPOLAR", where=self.op_type, remedy="Use a two's complement type.")
        if not self.noActivation:
            check_activation(self, self.numSteps, self.ActVal, output)
        elif self.numSteps or output != accumulator:
            raise ModelError(
                f"noActivation with numSteps = {self.numSteps}, accDataType {accumulator.name} and outputDataType "
                f"{output.name}",
                where=self.op_type,
                remedy="Without activation the accumulator is the output: set numSteps to 0 and use one type.",
            )
        self._check_parameters(weight, accumulator)

    def _check_parameters(self, weight: AnyDataType, accumulator: AnyDataType) -> None:
        if "weights" in self.parameters:
            weights = self.parameters["weights"]
            if weights.shape != (self.taps, self.Channels):
                raise ModelError(
                    f"weights have shape {weights.shape}",
                    where=self.op_type,
                    remedy=f"(taps, Channels) is ({self.taps}, {self.Channels}).",
                )
            if weights.dtype.kind not in "iu" or not weight.allowed_array(weights):
                raise ModelError(
                    f"weights are not all {weight.name}",
                    where=self.op_type,
                    remedy="Use a weight datatype that holds every weight.",
                )
            minimum, maximum = self.accumulator_range()
            if minimum < accumulator.min() or maximum > accumulator.max():
                raise ModelError(
                    f"accumulators {minimum} … {maximum} do not fit accDataType {accumulator.name}",
                    where=self.op_type,
                    remedy="Use a wider accumulator datatype.",
                )
        if "thresholds" in self.parameters and not self.noActivation:
            check_thresholds(self, self.parameters["thresholds"], [(self.Channels, self.numSteps)])

    def accumulator_range(self) -> tuple[int, int]:
        """Smallest and largest sum that the weights make of any input, over all channels."""
        weights = parameter(self, "weights").astype(np.int64)
        source = structural_datatype(self.inputDataType)
        low, high = weights * int(source.min()), weights * int(source.max())
        return int(np.minimum(low, high).sum(axis=0).min()), int(np.maximum(low, high).sum(axis=0).max())

    @property
    def _accumulator_range(self) -> tuple[int, int]:
        """Sums that can occur, as far as the structure tells: independent of the weights' values."""
        accumulator = structural_datatype(self.accDataType)
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        products = [int(x * w) for x in (source.min(), source.max()) for w in (weight.min(), weight.max())]
        minimum, maximum = self.taps * min(products), self.taps * max(products)
        if accumulator.signed():
            minimum = min(minimum, -1)  # so that thresholds are signed where the accumulator is
        return max(minimum, int(accumulator.min())), min(maximum, int(accumulator.max()))

    # -- streams and time --------------------------------------------------------------------------------------------
    @property
    def taps(self) -> int:
        """Pixels of a window."""
        return _product(self.Kernel)

    @property
    def windows(self) -> int:
        """Windows of a frame."""
        return _product(self.Dim)

    def input_stream(self) -> Stream:
        words = self.windows * self.taps * (self.Channels // self.PE)
        return Stream(structural_datatype(self.inputDataType), self.PE, words)

    def output_stream(self) -> Stream:
        words = self.windows * (self.Channels // self.PE)
        return Stream(structural_datatype(self.outputDataType), self.PE, words)

    def interval_cycles(self) -> int:
        return self.windows * self.taps * (self.Channels // self.PE)

    def first_output_latency(self) -> int:
        """The first fold's other words; memory and operand register 2, product, accumulator, thresholds, queue 1."""
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        product, accumulate = dot_product_cycles(source, weight, 1), int(self.taps > 1)
        return self.taps - 1 + 2 + product + accumulate + multi_threshold_cycles(self.numSteps) + 1

    @property
    def multiplies_with_dsp(self) -> bool:
        """True where synthesis should use hard multipliers: always with ``dsp``, from 4 by 4 bits on with ``auto``."""
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        return self.resType == "dsp" or (self.resType == "auto" and min(source.bitwidth(), weight.bitwidth()) >= 4)

    # -- function ----------------------------------------------------------------------------------------------------
    def output_image(self) -> tuple[int, int, int]:
        """A pixel of Channels for each window."""
        rows, columns = self.Dim.split(",")
        return int(rows), int(columns), self.Channels

    def execute(self, frames: IntegerArray) -> IntegerArray:
        weights = parameter(self, "weights").astype(np.int64)
        folds = self.Channels // self.PE
        words = np.asarray(frames, dtype=np.int64).reshape(-1, folds, self.taps, self.PE)
        factors = weights.reshape(self.taps, folds, self.PE).transpose(1, 0, 2)
        sums: IntegerArray = (words * factors).sum(axis=2).reshape(-1, self.Channels)
        if not self.noActivation:
            thresholds = parameter(self, "thresholds").astype(np.int64)
            sums = activate(sums, thresholds, self.ActVal, structural_datatype(self.outputDataType))
        return sums.reshape(len(frames), -1)

    # -- code --------------------------------------------------------------------------------------------------------
    @property
    def _threshold_type(self) -> AnyDataType:
        return threshold_datatype(*self._accumulator_range)

    def verilog_parameters(self) -> dict[str, int | str]:
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        accumulator, output = structural_datatype(self.accDataType), structural_datatype(self.outputDataType)
        threshold_width = 1 if self.noActivation else self._threshold_type.bitwidth()
        folds = self.Channels // self.PE
        return {
            "CHANNELS": self.Channels,
            "PE": self.PE,
            "TAPS": self.taps,
            "INPUT_WIDTH": source.bitwidth(),
            "INPUT_KIND": element_kind(source),
            "WEIGHT_WIDTH": weight.bitwidth(),
            "WEIGHT_KIND": element_kind(weight),
            "ACCUMULATOR_WIDTH": accumulator.bitwidth(),
            "ACCUMULATOR_SIGNED": int(accumulator.signed()),
            "NUM_STEPS": self.numSteps,
            "THRESHOLD_WIDTH": threshold_width,
            "OUTPUT_WIDTH": output.bitwidth(),
            "OUTPUT_OFFSET": 0 if self.noActivation else output_offset(self.ActVal, output),
            "WEIGHTS_RAM_STYLE": rom_style(self.ram_style, self.taps * folds, self.PE * weight.bitwidth()),
            "FIRST_BLOCK_STAGE": first_block_stage(self.numSteps, folds, threshold_width),
            "THRESHOLDS_RAM_STYLE": rom_style("auto", folds, self.PE * self.numSteps * threshold_width),
            "USE_DSP": "yes" if self.multiplies_with_dsp else "no",
        }

    def cpp_template_arguments(self) -> list[str]:
        output = structural_datatype(self.outputDataType)
        names = (self.inputDataType, self.weightDataType, self.accDataType, self.outputDataType)
        threshold = self._threshold_type if not self.noActivation else structural_datatype("BINARY")
        return [
            *(str(number) for number in (self.Channels, self.PE, self.taps)),
            *(cpp_datatype(structural_datatype(name)) for name in names),
            cpp_datatype(threshold),
            str(self.numSteps),
            str(0 if self.noActivation else output_offset(self.ActVal, output)),
            str(self.windows),
        ]

    def memory_images(self) -> dict[str, MemoryImage]:
        """``weights``: element ``pe`` of word ``fold * taps + tap``; thresholds if there is an activation."""
        weights = parameter(self, "weights").astype(np.int64)
        words = weights.reshape(self.taps, -1, self.PE).transpose(1, 0, 2).reshape(-1, self.PE)
        images = {"weights": MemoryImage(np.ascontiguousarray(words), structural_datatype(self.weightDataType))}
        if not self.noActivation:
            images |= threshold_images(parameter(self, "thresholds"), self.PE, *self._accumulator_range)
        return images

    def cpp_memory_arguments(self) -> list[str]:
        return ["weights"] if self.noActivation else ["weights", threshold_arguments(self.numSteps)]


def _product(text: str) -> int:
    rows, columns = text.split(",")
    return int(rows) * int(columns)
