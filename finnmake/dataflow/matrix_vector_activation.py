"""MatrixVectorActivation: a matrix-vector product, output-stationary, with thresholds or without.

Folding: SIMD inputs and PE outputs side by side; ``SF = MW / SIMD`` cycles make one word of outputs and
``NF = MH / PE`` such folds make one vector. The input vector is kept for replay while the first fold takes it in.
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
class MatrixVectorActivation(Layer):
    """Matrix-vector product with PE times SIMD multipliers.

    Attributes:
        MW: inputs per vector (matrix width).
        MH: outputs per vector (matrix height).
        SIMD: inputs per word; divides MW.
        PE: outputs per word; divides MH.
        inputDataType: of the inputs, at most 8 bits.
        weightDataType: of the weights, at most 8 bits.
        accDataType: of the accumulator.
        outputDataType: equals accDataType with noActivation.
        binaryXnorMode: inputs and weights are BINARY (0/1 stands for -1/+1); the accumulator counts equal bits.
        noActivation: True where the accumulator is the output.
        numSteps: thresholds per output, 0 with noActivation.
        ActVal: output where no threshold is reached.
        numInputVectors: vectors per frame.
        resType: what multiplies: ``lut``, ``dsp`` or ``auto``.
        ram_style: what holds the weights: ``auto``, ``distributed`` or ``block``.

    ``parameters["weights"]``: int64 (MW, MH). ``parameters["thresholds"]``: int64 (MH, numSteps), ascending per row.
    """

    MW: int
    MH: int
    SIMD: int
    PE: int
    inputDataType: str
    weightDataType: str
    accDataType: str
    outputDataType: str
    binaryXnorMode: bool = False
    noActivation: bool = False
    numSteps: int = 0
    ActVal: int = 0
    numInputVectors: int = 1
    resType: str = "auto"
    ram_style: str = "auto"

    op_type: ClassVar[str] = "MatrixVectorActivation"
    kernel: ClassVar[str] = "matrix_vector_activation"
    verilog_files: ClassVar[tuple[str, ...]] = (
        *THRESHOLD_VERILOG_FILES,
        "common/adder_tree.v",
        "common/full_count.v",
        "common/output_queue.v",
        "common/popcount.v",
        "common/resize.v",
        "matrix_vector_activation/dot_product.v",
        "matrix_vector_activation/input_replay.v",
        "matrix_vector_activation/matrix_vector_activation.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = (
        "include/datatypes.hpp",
        "include/thresholds.hpp",
        "matrix_vector_activation/matrix_vector_activation.hpp",
    )

    # -- checks ------------------------------------------------------------------------------------------------------
    def check(self) -> None:
        check_folding(self, "SIMD", "MW")
        check_folding(self, "PE", "MH")
        if self.numInputVectors < 1:
            raise ModelError(f"numInputVectors is {self.numInputVectors}", where=self.op_type, remedy="Use 1 or more.")
        for field_name, legal in (("resType", ("auto", "lut", "dsp")), ("ram_style", ("auto", "distributed", "block"))):
            if getattr(self, field_name) not in legal:
                raise ModelError(
                    f"{field_name} is {getattr(self, field_name)!r}",
                    where=self.op_type,
                    remedy=f"Legal values: {', '.join(legal)}.",
                )
        source = check_integer_type(self, "inputDataType", 8)
        weight = check_integer_type(self, "weightDataType", 8)
        accumulator = check_integer_type(self, "accDataType", 48)
        output = check_integer_type(self, "outputDataType", 48)
        if self.binaryXnorMode and not (source.name == "BINARY" and weight.name == "BINARY"):
            raise ModelError(
                f"binaryXnorMode with inputs {source.name} and weights {weight.name}",
                where=self.op_type,
                remedy="Both must be BINARY, 0 and 1 standing for -1 and +1.",
            )
        if accumulator.name == "BIPOLAR":
            raise ModelError("accDataType is BIPOLAR", where=self.op_type, remedy="Use a two's complement type.")
        if self.noActivation:
            if self.numSteps:
                raise ModelError(
                    f"numSteps = {self.numSteps} with noActivation", where=self.op_type, remedy="Set numSteps to 0."
                )
            if output != accumulator:
                raise ModelError(
                    f"outputDataType {output.name} differs from accDataType {accumulator.name} with noActivation",
                    where=self.op_type,
                    remedy="Without activation the accumulator is the output: use one type.",
                )
        else:
            check_activation(self, self.numSteps, self.ActVal, output)
        self._check_parameters(weight, accumulator)

    def _check_parameters(self, weight: AnyDataType, accumulator: AnyDataType) -> None:
        if "weights" in self.parameters:
            weights = self.parameters["weights"]
            if weights.shape != (self.MW, self.MH):
                raise ModelError(
                    f"weights have shape {weights.shape}",
                    where=self.op_type,
                    remedy=f"(MW, MH) is ({self.MW}, {self.MH}).",
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
            check_thresholds(self, self.parameters["thresholds"], [(self.MH, self.numSteps)])

    def accumulator_range(self) -> tuple[int, int]:
        """Smallest and largest accumulator that the weights make of any input, over all outputs.

        Exact: for each output there is an input that reaches either end. Sums of a part of an output's products stay
        within, too, as every input datatype has 0 or both signs.
        """
        if self.binaryXnorMode:
            return 0, self.MW
        weights = parameter(self, "weights").astype(np.int64)
        source = structural_datatype(self.inputDataType)
        low, high = weights * int(source.min()), weights * int(source.max())
        return int(np.minimum(low, high).sum(axis=0).min()), int(np.maximum(low, high).sum(axis=0).max())

    @property
    def _accumulator_range(self) -> tuple[int, int]:
        """Accumulators that can occur, as far as the structure tells: independent of the weights' values."""
        accumulator = structural_datatype(self.accDataType)
        if self.binaryXnorMode:
            minimum, maximum = 0, self.MW
        else:
            source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
            products = [int(x * w) for x in (source.min(), source.max()) for w in (weight.min(), weight.max())]
            minimum, maximum = self.MW * min(products), self.MW * max(products)
        if accumulator.signed():
            minimum = min(minimum, -1)  # so that thresholds are signed where the accumulator is
        return max(minimum, int(accumulator.min())), min(maximum, int(accumulator.max()))

    # -- streams -----------------------------------------------------------------------------------------------------
    def input_stream(self) -> Stream:
        words = self.numInputVectors * (self.MW // self.SIMD)
        return Stream(structural_datatype(self.inputDataType), self.SIMD, words)

    def output_stream(self) -> Stream:
        words = self.numInputVectors * (self.MH // self.PE)
        return Stream(structural_datatype(self.outputDataType), self.PE, words)

    # -- time --------------------------------------------------------------------------------------------------------
    def interval_cycles(self) -> int:
        return self.numInputVectors * (self.MW // self.SIMD) * (self.MH // self.PE)

    def first_output_latency(self) -> int:
        """``SF - 1 + pipeline_cycles``: the last word of the first fold, then the pipeline."""
        return self.MW // self.SIMD - 1 + self.pipeline_cycles

    @property
    def pipeline_cycles(self) -> int:
        """Cycles from the last input word of a fold to its output word.

        Memory read 1, operand register 1, ``dot_product.v`` (see ``dot_product_cycles``), accumulator 1 (none where
        SF = 1), ``multi_threshold.v`` (see ``multi_threshold_cycles``; 0 for up to three thresholds), output queue 1.
        """
        accumulate = int(self.MW > self.SIMD)
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        dot_product = dot_product_cycles(source, weight, self.SIMD)
        return 2 + dot_product + accumulate + multi_threshold_cycles(self.numSteps) + 1

    @property
    def multiplies_with_dsp(self) -> bool:
        """True where synthesis should use hard multipliers: always with ``dsp``, from 4 by 4 bits on with ``auto``."""
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        return self.resType == "dsp" or (self.resType == "auto" and min(source.bitwidth(), weight.bitwidth()) >= 4)

    # -- function ------------------------------------------------------------------------------------------------------
    def execute(self, frames: IntegerArray) -> IntegerArray:
        weights = parameter(self, "weights").astype(np.int64)
        vectors = np.asarray(frames, dtype=np.int64).reshape(-1, self.MW)
        accumulators = self._accumulate(vectors, weights)
        if not self.noActivation:
            thresholds = parameter(self, "thresholds").astype(np.int64)
            accumulators = activate(accumulators, thresholds, self.ActVal, structural_datatype(self.outputDataType))
        return accumulators.reshape(len(frames), -1)

    def _accumulate(self, vectors: IntegerArray, weights: IntegerArray) -> IntegerArray:
        if self.binaryXnorMode:
            bipolar = self._matmul(2 * vectors - 1, 2 * weights - 1)
            return (bipolar + self.MW) // 2
        return self._matmul(vectors, weights)

    def _matmul(self, vectors: IntegerArray, weights: IntegerArray) -> IntegerArray:
        """Exact product; in floating point where every partial sum is an integer that the mantissa holds."""
        largest = int(np.abs(vectors).max(initial=0)) * int(np.abs(weights).max(initial=0)) * self.MW
        for kind, exact in ((np.float32, 1 << 24), (np.float64, 1 << 53)):
            if largest < exact:
                return np.asarray(vectors.astype(kind) @ weights.astype(kind)).astype(np.int64)
        return np.asarray(vectors @ weights, dtype=np.int64)

    # -- code ----------------------------------------------------------------------------------------------------------
    def verilog_parameters(self) -> dict[str, int | str]:
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        accumulator, output = structural_datatype(self.accDataType), structural_datatype(self.outputDataType)
        threshold_width = 1 if self.noActivation else self._threshold_type.bitwidth()
        folds = self.MH // self.PE
        return {
            "MW": self.MW,
            "MH": self.MH,
            "SIMD": self.SIMD,
            "PE": self.PE,
            "INPUT_WIDTH": source.bitwidth(),
            "INPUT_KIND": element_kind(source),
            "WEIGHT_WIDTH": weight.bitwidth(),
            "WEIGHT_KIND": element_kind(weight),
            "XNOR_MODE": int(self.binaryXnorMode),
            "ACCUMULATOR_WIDTH": accumulator.bitwidth(),
            "ACCUMULATOR_SIGNED": int(accumulator.signed()),
            "NUM_STEPS": self.numSteps,
            "THRESHOLD_WIDTH": threshold_width,
            "OUTPUT_WIDTH": output.bitwidth(),
            "OUTPUT_OFFSET": 0 if self.noActivation else output_offset(self.ActVal, output),
            "WEIGHTS_RAM_STYLE": rom_style(
                self.ram_style, self.MW // self.SIMD * folds, self.PE * self.SIMD * weight.bitwidth()
            ),
            "FIRST_BLOCK_STAGE": first_block_stage(self.numSteps, folds, threshold_width),
            "THRESHOLDS_RAM_STYLE": rom_style("auto", folds, self.PE * self.numSteps * threshold_width),
            "USE_DSP": "yes" if self.multiplies_with_dsp else "no",
        }

    @property
    def _threshold_type(self) -> AnyDataType:
        return threshold_datatype(*self._accumulator_range)

    def cpp_template_arguments(self) -> list[str]:
        output = structural_datatype(self.outputDataType)
        names = (self.inputDataType, self.weightDataType, self.accDataType, self.outputDataType)
        threshold = self._threshold_type if not self.noActivation else structural_datatype("BINARY")
        return [
            *(str(number) for number in (self.MW, self.MH, self.SIMD, self.PE)),
            *(cpp_datatype(structural_datatype(name)) for name in names),
            cpp_datatype(threshold),
            str(self.numSteps),
            str(0 if self.noActivation else output_offset(self.ActVal, output)),
            "true" if self.binaryXnorMode else "false",
            str(self.numInputVectors),
        ]

    def memory_images(self) -> dict[str, MemoryImage]:
        """``weights``, and thresholds if there is an activation.

        Weights: element ``pe * SIMD + simd`` of word ``nf * SF + sf`` is ``W[sf * SIMD + simd, nf * PE + pe]``.
        Thresholds: see `threshold_images`.
        """
        weights = parameter(self, "weights").astype(np.int64)
        folded = weights.reshape(self.MW // self.SIMD, self.SIMD, self.MH // self.PE, self.PE)
        words = folded.transpose(2, 0, 3, 1).reshape(-1, self.PE * self.SIMD)
        images = {"weights": MemoryImage(np.ascontiguousarray(words), structural_datatype(self.weightDataType))}
        if not self.noActivation:
            thresholds = parameter(self, "thresholds")
            images |= threshold_images(thresholds, self.PE, *self._accumulator_range)
        return images

    def cpp_memory_arguments(self) -> list[str]:
        return ["weights"] if self.noActivation else ["weights", threshold_arguments(self.numSteps)]
