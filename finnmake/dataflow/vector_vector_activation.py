"""VectorVectorActivation: a depthwise convolution's products, with thresholds or without.

Its windows come from a ConvolutionInputGenerator in depthwise order: of PE channels all taps, then of the next ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_divides, check_folding, check_pair, pair
from finnmake.dataflow.layer import IntegerArray
from finnmake.dataflow.vector_activation import VectorActivation


@dataclass(frozen=True, eq=False, kw_only=True)
class VectorVectorActivation(VectorActivation):
    """Sums of products channel by channel; see `VectorActivation` for what it shares with MatrixVectorActivation.

    A word has SIMD taps of PE channels: element ``simd * PE + pe``.

    Attributes:
        Channels: of a pixel; PE divides it.
        Kernel: taps of a window, rows and columns, as text: ``"3,3"``. SIMD divides their product.
        Dim: windows in a frame, down and to the right, as text.

    ``parameters["weights"]``: int64 (taps, Channels). ``parameters["thresholds"]``: int64 (Channels, numSteps), rows
    ascending.
    """

    Channels: int
    Kernel: str
    Dim: str

    op_type: ClassVar[str] = "VectorVectorActivation"
    kernel: ClassVar[str] = "vector_vector_activation"
    verilog_files: ClassVar[tuple[str, ...]] = (
        *VectorActivation.verilog_files,
        "vector_vector_activation/vector_vector_activation.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = (
        "include/datatypes.hpp",
        "include/synthesis.hpp",
        "include/thresholds.hpp",
        "vector_vector_activation/vector_vector_activation.hpp",
    )

    @property
    def terms(self) -> int:
        """Pixels of a window."""
        return prod(pair(self.Kernel))

    @property
    def rows(self) -> int:
        """Channels."""
        return self.Channels

    @property
    def vectors(self) -> int:
        """Windows of a frame."""
        return prod(pair(self.Dim))

    @property
    def inputs_per_word(self) -> int:
        """SIMD taps of PE channels: no two outputs take the same."""
        return self.SIMD * self.PE

    @property
    def outputs_share_inputs(self) -> bool:
        """Each input goes to one output: no two products share a multiplier."""
        return False

    @property
    def input_words(self) -> int:
        """Words of a window."""
        return self.steps * self.folds

    def check(self) -> None:
        check_folding(self, "PE", "Channels")
        check_pair(self, "Kernel")
        check_pair(self, "Dim")
        check_divides(self, "SIMD", f"taps of Kernel {self.Kernel}", self.terms)
        super().check()

    def output_image(self) -> tuple[int, int, int]:
        """A pixel of Channels for each window."""
        return (*pair(self.Dim), self.Channels)

    def sums(self, frames: IntegerArray, weights: IntegerArray) -> IntegerArray:
        words = frames.reshape(-1, self.folds, self.terms, self.PE)
        factors = weights.reshape(self.terms, self.folds, self.PE).transpose(1, 0, 2)
        return np.asarray((words * factors).sum(axis=2)).reshape(-1, self.Channels)

    def verilog_parameters(self) -> dict[str, int | str]:
        return {"CHANNELS": self.Channels, "TAPS": self.terms, **super().verilog_parameters()}

    def cpp_template_arguments(self) -> list[str]:
        numbers = (self.Channels, self.PE, self.SIMD, self.terms)
        return [*(str(number) for number in numbers), *self._cpp_types(), str(self.vectors)]
