"""What MatrixVectorActivation and VectorVectorActivation share: sums of products, with thresholds or without.

A vector of outputs is ``rows`` sums of ``terms`` products each. Folding: PE sums side by side, SIMD products of each of
them; ``SF = terms / SIMD`` cycles make one word of outputs and ``NF = rows / PE`` such folds one vector.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_choice, check_integer_type, parameter
from finnmake.dataflow.dot_product import (
    Products,
    dot_product_cycles,
    element_kind,
    multiplies_hard,
    products_of,
)
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
from finnmake.graph.datatype import AnyDataType
from finnmake.transformation.hardware import MOST_BITS


@dataclass(frozen=True, eq=False, kw_only=True)
class VectorActivation(Layer):
    """Sums of products with PE times SIMD multipliers.

    Attributes:
        SIMD: products of a sum side by side.
        PE: outputs per word.
        inputDataType: of the inputs, at most 16 bits.
        weightDataType: of the weights, at most 16 bits.
        accDataType: of the accumulator.
        outputDataType: equals accDataType with noActivation.
        noActivation: True where the accumulator is the output.
        numSteps: thresholds per output, 0 with noActivation.
        ActVal: output where no threshold is reached.
        resType: what multiplies: ``lut``, ``dsp`` or ``auto``, which is ``dsp`` from 4 by 4 bits on. With ``dsp``, two
            products of one input share a multiplier, unless it or the weights have more than 8 bits. Products of one
            bit each are always counted in LUTs.
        ram_style: what holds the weights: ``auto``, ``distributed`` or ``block``. UltraRAM cannot: it has no initial
            contents.

    ``parameters["weights"]``: int64 (terms, rows). ``parameters["thresholds"]``: int64 (rows, numSteps), ascending per
    row.
    """

    SIMD: int = 1
    PE: int
    inputDataType: str
    weightDataType: str
    accDataType: str
    outputDataType: str
    noActivation: bool = False
    numSteps: int = 0
    ActVal: int = 0
    resType: str = "auto"
    ram_style: str = "auto"

    verilog_files: ClassVar[tuple[str, ...]] = (
        *THRESHOLD_VERILOG_FILES,
        "common/adder_tree.v",
        "common/full_count.v",
        "common/output_queue.v",
        "common/popcount.v",
        "common/channel_memory.v",
        "common/decode_element.v",
        "common/resize.v",
        "common/stream_register.v",
        "matrix_vector_activation/dot_product.v",
        "matrix_vector_activation/dot_product_pair.v",
        "matrix_vector_activation/input_replay.v",
        "matrix_vector_activation/input_sum.v",
        "matrix_vector_activation/matrix_vector_activation.v",
        "matrix_vector_activation/product_pair.v",
        "matrix_vector_activation/weight_streamer.v",
    )

    # -- shape -------------------------------------------------------------------------------------------------------
    @property
    @abstractmethod
    def terms(self) -> int:
        """Products in a sum."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """Sums of a vector: outputs."""

    @property
    @abstractmethod
    def vectors(self) -> int:
        """Vectors of a frame."""

    @property
    @abstractmethod
    def inputs_per_word(self) -> int:
        """Elements of an input word."""

    @property
    def steps(self) -> int:
        """Cycles that make one word of outputs (SF)."""
        return self.terms // self.SIMD

    @property
    def folds(self) -> int:
        """Words of outputs in a vector (NF)."""
        return self.rows // self.PE

    # -- checks ------------------------------------------------------------------------------------------------------
    def check(self) -> None:
        check_choice(self, "resType", ("auto", "lut", "dsp"))
        check_choice(self, "ram_style", ("auto", "distributed", "block"))
        check_integer_type(self, "inputDataType", MOST_BITS)
        weight = check_integer_type(self, "weightDataType", MOST_BITS)
        accumulator = check_integer_type(self, "accDataType", 48)
        output = check_integer_type(self, "outputDataType", 48)
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
            if weights.shape != (self.terms, self.rows):
                raise ModelError(
                    f"weights have shape {weights.shape}",
                    where=self.op_type,
                    remedy=f"It must be {(self.terms, self.rows)}: products of a sum, outputs.",
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
            check_thresholds(self, self.parameters["thresholds"], [(self.rows, self.numSteps)])

    def accumulator_range(self) -> tuple[int, int]:
        """Smallest and largest accumulator that the weights make of any input, over all outputs.

        Exact: for each output there is an input that reaches either end. Sums of a part of an output's products stay
        within, too, as every input datatype has 0 or both signs.
        """
        weights = parameter(self, "weights").astype(np.int64)
        source = structural_datatype(self.inputDataType)
        low, high = weights * int(source.min()), weights * int(source.max())
        return int(np.minimum(low, high).sum(axis=0).min()), int(np.maximum(low, high).sum(axis=0).max())

    def _range_of_types(self) -> tuple[int, int]:
        """Smallest and largest sum of any weights and inputs."""
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        products = [int(x * w) for x in (source.min(), source.max()) for w in (weight.min(), weight.max())]
        return self.terms * min(products), self.terms * max(products)

    def _structural_range(self) -> tuple[int, int]:
        """Accumulators that can occur, as far as the structure tells: independent of the weights' values."""
        accumulator = structural_datatype(self.accDataType)
        minimum, maximum = self._range_of_types()
        if accumulator.signed():
            minimum = min(minimum, -1)  # so that thresholds are signed where the accumulator is
        return max(minimum, int(accumulator.min())), min(maximum, int(accumulator.max()))

    # -- streams -----------------------------------------------------------------------------------------------------
    def input_stream(self) -> Stream:
        words = self.vectors * self.input_words
        return Stream(structural_datatype(self.inputDataType), self.inputs_per_word, words)

    @property
    @abstractmethod
    def input_words(self) -> int:
        """Input words of a vector."""

    def output_stream(self) -> Stream:
        return Stream(structural_datatype(self.outputDataType), self.PE, self.vectors * self.folds)

    # -- time --------------------------------------------------------------------------------------------------------
    def interval_cycles(self) -> int:
        return self.vectors * self.steps * self.folds

    def first_output_latency(self) -> int:
        """``SF - 1 + pipeline_cycles``: the last word of the first fold, then the pipeline."""
        return self.steps - 1 + self.pipeline_cycles

    @property
    def pipeline_cycles(self) -> int:
        """Cycles from the last input word of a fold to its output word.

        Memory read 1, operand register 1, ``dot_product.v`` (see ``dot_product_cycles``), accumulator 1 (none where
        SF = 1), ``multi_threshold.v`` (see ``multi_threshold_cycles``; 0 for up to three thresholds), output queue 1.
        """
        dot_product = dot_product_cycles(self.products(), structural_datatype(self.inputDataType), self.SIMD)
        return 2 + dot_product + int(self.steps > 1) + multi_threshold_cycles(self.numSteps) + 1

    def products(self) -> Products:
        """What makes the products."""
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        return products_of(source, weight, self.resType, shared=self.PE > 1 and self.outputs_share_inputs)

    @property
    @abstractmethod
    def outputs_share_inputs(self) -> bool:
        """True where all outputs of a word are made of the same inputs."""

    @property
    def multipliers(self) -> int:
        """Hard multipliers: always with ``dsp``, from 4 by 4 bits on with ``auto``."""
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        hard = multiplies_hard(source, weight, self.resType)
        if self.products() is Products.PAIRS:
            return -(-self.PE // 2) * self.SIMD
        return self.PE * self.SIMD if hard and self.products() is Products.MULTIPLIERS else 0

    # -- function ----------------------------------------------------------------------------------------------------
    @abstractmethod
    def sums(self, frames: IntegerArray, weights: IntegerArray) -> IntegerArray:
        """The accumulators: (batch, input elements per frame), (terms, rows) to (batch times vectors, rows), int64."""

    def execute(self, frames: IntegerArray) -> IntegerArray:
        weights = parameter(self, "weights").astype(np.int64)
        return self.activated(self.sums(np.asarray(frames, dtype=np.int64), weights)).reshape(len(frames), -1)

    def activated(self, sums: IntegerArray) -> IntegerArray:
        """What becomes of accumulators: (vectors, rows), int64."""
        if self.noActivation:
            return sums
        thresholds = parameter(self, "thresholds").astype(np.int64)
        return activate(sums, thresholds, self.ActVal, structural_datatype(self.outputDataType))

    # -- code --------------------------------------------------------------------------------------------------------
    @property
    def _threshold_type(self) -> AnyDataType:
        return structural_datatype("BINARY") if self.noActivation else threshold_datatype(*self._structural_range())

    @property
    def _output_offset(self) -> int:
        return 0 if self.noActivation else output_offset(self.ActVal, structural_datatype(self.outputDataType))

    def verilog_parameters(self) -> dict[str, int | str]:
        source, weight = structural_datatype(self.inputDataType), structural_datatype(self.weightDataType)
        accumulator, output = structural_datatype(self.accDataType), structural_datatype(self.outputDataType)
        threshold_width = self._threshold_type.bitwidth()
        return {
            "SIMD": self.SIMD,
            "PE": self.PE,
            "INPUT_WIDTH": source.bitwidth(),
            "INPUT_KIND": element_kind(source),
            "WEIGHT_WIDTH": weight.bitwidth(),
            "WEIGHT_KIND": element_kind(weight),
            "ACCUMULATOR_WIDTH": accumulator.bitwidth(),
            "ACCUMULATOR_SIGNED": int(accumulator.signed()),
            "NUM_STEPS": self.numSteps,
            "THRESHOLD_WIDTH": threshold_width,
            "OUTPUT_WIDTH": output.bitwidth(),
            "OUTPUT_OFFSET": self._output_offset,
            "WEIGHTS_RAM_STYLE": rom_style(
                self.ram_style, self.steps * self.folds, self.PE * self.SIMD * weight.bitwidth()
            ),
            "FIRST_BLOCK_STAGE": first_block_stage("auto", self.numSteps, self.folds, threshold_width),
            "THRESHOLDS_RAM_STYLE": rom_style("auto", self.folds, self.PE * self.numSteps * threshold_width),
            "USE_DSP": "yes" if self.multipliers else "no",
            "HARD_MULTIPLIERS": int(self.resType == "dsp"),
        }

    def _cpp_types(self) -> list[str]:
        """Template arguments from the inputs' type to what is added to the count."""
        names = (self.inputDataType, self.weightDataType, self.accDataType, self.outputDataType)
        types = [*(structural_datatype(name) for name in names), self._threshold_type]
        return [*(cpp_datatype(datatype) for datatype in types), str(self.numSteps), str(self._output_offset)]

    @property
    def weights_are_parameters(self) -> bool:
        """False where weights come from outside of the core."""
        return True

    def memory_images(self) -> dict[str, MemoryImage]:
        """``weights``, where they are parameters, and thresholds if there is an activation.

        Weights: element ``pe * SIMD + simd`` of word ``nf * SF + sf`` is ``W[sf * SIMD + simd, nf * PE + pe]``.
        Thresholds: see `threshold_images`.
        """
        images = {}
        if self.weights_are_parameters:
            weights = parameter(self, "weights").astype(np.int64)
            folded = weights.reshape(self.steps, self.SIMD, self.folds, self.PE)
            words = folded.transpose(2, 0, 3, 1).reshape(-1, self.PE * self.SIMD)
            images["weights"] = MemoryImage(np.ascontiguousarray(words), structural_datatype(self.weightDataType))
        if not self.noActivation:
            images |= threshold_images(parameter(self, "thresholds"), self.PE, *self._structural_range())
        return images

    def memory_shapes(self) -> dict[str, MemoryShape]:
        weight = structural_datatype(self.weightDataType)
        shapes = {}
        if self.weights_are_parameters:
            shapes["weights"] = MemoryShape(self.folds * self.steps, self.PE * self.SIMD, weight)
        if not self.noActivation:
            shapes |= threshold_shapes(self.folds * self.PE, self.numSteps, self.PE, *self._structural_range())
        return shapes

    def cpp_memory_arguments(self) -> list[str]:
        weights = ["weights"] if self.weights_are_parameters else []
        return weights if self.noActivation else [*weights, threshold_arguments(self.numSteps)]
