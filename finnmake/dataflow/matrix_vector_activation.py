"""MatrixVectorActivation: a matrix-vector product, output-stationary, with thresholds or without.

The input vector is kept for replay while the first fold takes it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_choice, check_folding
from finnmake.dataflow.layer import IntegerArray, Stream, structural_datatype
from finnmake.dataflow.vector_activation import VectorActivation
from finnmake.errors import ModelError

MEM_MODES = ("internal_embedded", "internal_decoupled", "external")


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixVectorActivation(VectorActivation):
    """Matrix-vector product; see `VectorActivation` for what it shares with VectorVectorActivation.

    Attributes:
        MW: inputs per vector (matrix width); SIMD, the inputs per word, divides it.
        MH: outputs per vector (matrix height); PE divides it.
        binaryXnorMode: inputs and weights are BINARY (0/1 stands for -1/+1); the accumulator counts equal bits.
        numInputVectors: vectors per frame.
        mem_mode: where weights come from. ``internal_embedded``: a memory of the core. ``internal_decoupled``: the same
            memory as a stream of its own inside of the core, with registers between memory and multipliers.
            ``external``: a second input stream, ``in1``, of the memory's words, all of them for each vector; the layer
            has no parameter ``weights`` then.

    ``parameters["weights"]``: int64 (MW, MH). ``parameters["thresholds"]``: int64 (MH, numSteps), ascending per row.
    """

    MW: int
    MH: int
    binaryXnorMode: bool = False
    numInputVectors: int = 1
    mem_mode: str = "internal_embedded"

    op_type: ClassVar[str] = "MatrixVectorActivation"
    kernel: ClassVar[str] = "matrix_vector_activation"
    cpp_files: ClassVar[tuple[str, ...]] = (
        "include/datatypes.hpp",
        "include/read_ahead.hpp",
        "include/streamed_weights.hpp",
        "include/synthesis.hpp",
        "include/thresholds.hpp",
        "matrix_vector_activation/matrix_vector_activation.hpp",
    )

    @property
    def terms(self) -> int:
        """Inputs per vector."""
        return self.MW

    @property
    def rows(self) -> int:
        """Outputs per vector."""
        return self.MH

    @property
    def vectors(self) -> int:
        """Vectors per frame."""
        return self.numInputVectors

    @property
    def inputs_per_word(self) -> int:
        """SIMD: all outputs of a fold take the same."""
        return self.SIMD

    @property
    def outputs_share_inputs(self) -> bool:
        """Each input goes to all outputs."""
        return True

    @property
    def input_words(self) -> int:
        """Words of the vector."""
        return self.steps

    def check(self) -> None:
        check_folding(self, "SIMD", "MW")
        check_folding(self, "PE", "MH")
        if self.numInputVectors < 1:
            raise ModelError(f"numInputVectors is {self.numInputVectors}", where=self.op_type, remedy="Use 1 or more.")
        check_choice(self, "mem_mode", MEM_MODES)
        if self.binaryXnorMode and not self.inputDataType == self.weightDataType == "BINARY":
            raise ModelError(
                f"binaryXnorMode with inputs {self.inputDataType} and weights {self.weightDataType}",
                where=self.op_type,
                remedy="Both must be BINARY, 0 and 1 standing for -1 and +1.",
            )
        super().check()

    def weight_stream(self) -> Stream:
        """The words of weights as a stream: PE x SIMD elements, a word for each step of each vector."""
        words = self.numInputVectors * self.steps * self.folds
        return Stream(structural_datatype(self.weightDataType), self.PE * self.SIMD, words)

    def input_streams(self) -> tuple[Stream, ...]:
        return (self.input_stream(),) if self.weights_are_parameters else (self.input_stream(), self.weight_stream())

    def execute_streams(self, frames: Sequence[IntegerArray]) -> tuple[IntegerArray, ...]:
        if self.weights_are_parameters:
            return super().execute_streams(frames)
        vectors, words = frames[0].reshape(-1, 1, self.MW), frames[1].astype(np.int64)
        folded = words.reshape(-1, self.folds, self.steps, self.PE, self.SIMD)
        weights = folded.transpose(0, 2, 4, 1, 3).reshape(-1, self.MW, self.MH)
        if (weights == weights[0]).all():
            return (self.activated(self.sums(vectors, weights[0])).reshape(len(frames[0]), -1),)
        sums = [self.sums(vector, matrix) for vector, matrix in zip(vectors, weights, strict=True)]
        return (self.activated(np.concatenate(sums)).reshape(len(frames[0]), -1),)

    @property
    def weights_are_parameters(self) -> bool:
        """False with external weights."""
        return self.mem_mode != "external"

    def accumulator_range(self) -> tuple[int, int]:
        if not self.weights_are_parameters:  # whatever weights come
            return self._range_of_types()
        return (0, self.MW) if self.binaryXnorMode else super().accumulator_range()

    def _range_of_types(self) -> tuple[int, int]:
        return (0, self.MW) if self.binaryXnorMode else super()._range_of_types()

    def sums(self, frames: IntegerArray, weights: IntegerArray) -> IntegerArray:
        vectors = frames.reshape(-1, self.MW)
        if self.binaryXnorMode:
            return (self._matmul(2 * vectors - 1, 2 * weights - 1) + self.MW) // 2
        return self._matmul(vectors, weights)

    def _matmul(self, vectors: IntegerArray, weights: IntegerArray) -> IntegerArray:
        """Exact product; in floating point where every partial sum is an integer that the mantissa holds."""
        largest = int(np.abs(vectors).max(initial=0)) * int(np.abs(weights).max(initial=0)) * self.MW
        for kind, exact in ((np.float32, 1 << 24), (np.float64, 1 << 53)):
            if largest < exact:
                return np.asarray(vectors.astype(kind) @ weights.astype(kind)).astype(np.int64)
        return np.asarray(vectors @ weights, dtype=np.int64)

    def verilog_parameters(self) -> dict[str, int | str]:
        return {
            "MW": self.MW,
            "MH": self.MH,
            **super().verilog_parameters(),
            "XNOR_MODE": int(self.binaryXnorMode),
            "MEM_MODE": MEM_MODES.index(self.mem_mode),
        }

    def cpp_template_arguments(self) -> list[str]:
        return [
            *(str(number) for number in (self.MW, self.MH, self.SIMD, self.PE)),
            *self._cpp_types(),
            "true" if self.binaryXnorMode else "false",
            str(self.numInputVectors),
        ]
