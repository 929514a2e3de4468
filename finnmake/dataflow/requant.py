"""Requant: per channel multiply, add, round and clip in fixed point, where thresholds would be too many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_choice, check_folding, check_integer_type, parameter
from finnmake.dataflow.dot_product import element_kind, multiplies_hard
from finnmake.dataflow.layer import (
    IntegerArray,
    Layer,
    MemoryImage,
    MemoryShape,
    Stream,
    cpp_datatype,
    structural_datatype,
)
from finnmake.dataflow.pipelines import rom_style
from finnmake.errors import ModelError
from finnmake.graph.datatype import DataType
from finnmake.graph.fixed_point import ROUNDINGS, rounded_product

_MOST_BITS = 62


@dataclass(frozen=True, eq=False)
class Requant(Layer):
    """``clip(round((value * multiplier + bias) / 2**shift))`` with a multiplier and a bias for each channel.

    Attributes:
        NumChannels: channels of a vector.
        PE: channels in a word.
        inputDataType: of the values.
        multiplierDataType: signed, of the multipliers.
        biasDataType: signed, of the biases.
        outputDataType: of the results, which are clipped to its range; signed or unsigned.
        shift: bits of the fraction.
        rounding: ``HALF_EVEN``, as ONNX and NumPy round, ``HALF_UP`` or ``FLOOR``.
        numInputVectors: vectors per frame.
        ram_style: of the constants: ``auto``, ``distributed`` or ``block``.
        resType: what multiplies: ``lut``, ``dsp`` or ``auto``, which is ``dsp`` from 4 by 4 bits on.

    ``parameters["multipliers"]``, ``parameters["biases"]``: int64 (NumChannels,) or (1,).
    """

    NumChannels: int
    PE: int
    inputDataType: str
    multiplierDataType: str
    biasDataType: str
    outputDataType: str
    shift: int
    rounding: str = "HALF_EVEN"
    numInputVectors: int = 1
    ram_style: str = "auto"
    resType: str = "auto"

    op_type: ClassVar[str] = "Requant"
    kernel: ClassVar[str] = "requant"
    verilog_files: ClassVar[tuple[str, ...]] = (
        "common/channel_memory.v",
        "common/rom.v",
        "common/decode_element.v",
        "common/output_queue.v",
        "common/resize.v",
        "requant/requant.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = ("include/datatypes.hpp", "include/synthesis.hpp", "requant/requant.hpp")

    def check(self) -> None:
        check_folding(self, "PE", "NumChannels")
        if self.numInputVectors < 1:
            raise ModelError(f"numInputVectors is {self.numInputVectors}", where=self.op_type, remedy="Use 1 or more.")
        if self.rounding not in ROUNDINGS:
            raise ModelError(
                f"rounding is {self.rounding!r}", where=self.op_type, remedy=f"Use one of {', '.join(ROUNDINGS)}."
            )
        check_choice(self, "ram_style", ("auto", "distributed", "block"))
        check_choice(self, "resType", ("auto", "lut", "dsp"))
        check_integer_type(self, "inputDataType", 31)
        output = check_integer_type(self, "outputDataType", 32)
        if output.name in ("BIPOLAR", "TERNARY"):
            raise ModelError(f"outputDataType is {output.name}", where=self.op_type, remedy="Use a thresholding.")
        for name, field_name in (("multipliers", "multiplierDataType"), ("biases", "biasDataType")):
            datatype = check_integer_type(self, field_name, 31 if name == "multipliers" else 48)
            if not datatype.name.startswith("INT"):
                raise ModelError(f"{field_name} is {datatype.name}", where=self.op_type, remedy="Use a signed type.")
            values = self.parameters.get(name)
            if values is None:
                continue
            if values.shape not in [(self.NumChannels,), (1,)] or not datatype.allowed_array(values):
                raise ModelError(
                    f"{name} of shape {values.shape}, {int(values.min())} … {int(values.max())}, with {field_name} "
                    f"{datatype.name}",
                    where=self.op_type,
                    remedy=f"The shape is ({self.NumChannels},) or (1,), and the datatype holds them all.",
                )
        if self.shift < 0:
            raise ModelError(f"shift = {self.shift}", where=self.op_type, remedy="No negative shift is possible.")
        if self.accumulator_width > _MOST_BITS:
            raise ModelError(
                f"shift = {self.shift} with sums of {self.accumulator_width} bits",
                where=self.op_type,
                remedy=f"At most {_MOST_BITS} bits are possible: use a smaller shift or narrower types.",
            )

    @property
    def accumulator_width(self) -> int:
        """Bits of a signed number that holds value * multiplier + bias, and half a step more."""
        values, factors = structural_datatype(self.inputDataType), structural_datatype(self.multiplierDataType)
        most = max(abs(int(values.min())), abs(int(values.max()))) * abs(int(factors.min()))
        most += abs(int(structural_datatype(self.biasDataType).min())) + (1 << self.shift)
        return most.bit_length() + 1

    @property
    def multipliers(self) -> int:
        one, other = map(structural_datatype, self.operands())
        return self.PE if multiplies_hard(one, other, self.resType) else 0

    def operands(self) -> tuple[str, str]:
        """Datatypes of what is multiplied."""
        return self.inputDataType, self.multiplierDataType

    @property
    def _folds(self) -> int:
        return self.NumChannels // self.PE

    def input_stream(self) -> Stream:
        return Stream(structural_datatype(self.inputDataType), self.PE, self.numInputVectors * self._folds)

    def output_stream(self) -> Stream:
        return Stream(structural_datatype(self.outputDataType), self.PE, self.numInputVectors * self._folds)

    def interval_cycles(self) -> int:
        return self.numInputVectors * self._folds

    def first_output_latency(self) -> int:
        """Input register, product register, result register, output queue."""
        return 4

    def execute(self, frames: IntegerArray) -> IntegerArray:
        values = np.asarray(frames, dtype=np.int64).reshape(-1, self.NumChannels)
        multipliers, biases = parameter(self, "multipliers"), parameter(self, "biases")
        results = rounded_product(values, multipliers, biases, self.shift, self.rounding)
        output = structural_datatype(self.outputDataType)
        clipped: IntegerArray = np.clip(results, int(output.min()), int(output.max()))
        return clipped.reshape(len(frames), -1)

    def verilog_parameters(self) -> dict[str, int | str]:
        source, output = structural_datatype(self.inputDataType), structural_datatype(self.outputDataType)
        bias = structural_datatype(self.biasDataType)
        return {
            "PE": self.PE,
            "FOLDS": self._folds,
            "INPUT_WIDTH": source.bitwidth(),
            "INPUT_KIND": element_kind(source),
            "MULTIPLIER_WIDTH": structural_datatype(self.multiplierDataType).bitwidth(),
            "BIAS_WIDTH": bias.bitwidth(),
            "ACC_WIDTH": self.accumulator_width,
            "SHIFT": self.shift,
            "ROUNDING": ROUNDINGS.index(self.rounding),
            "OUTPUT_WIDTH": output.bitwidth(),
            "OUTPUT_SIGNED": int(output.signed()),
            "RAM_STYLE": rom_style(self.ram_style, self._folds, self.PE * bias.bitwidth()),
            "USE_DSP": "yes" if self.multipliers else "no",
        }

    def cpp_template_arguments(self) -> list[str]:
        types = [self.inputDataType, self.multiplierDataType, self.biasDataType]
        output = structural_datatype(self.outputDataType)
        return [
            *(str(number) for number in (self.PE, self._folds, self.numInputVectors)),
            *(cpp_datatype(DataType[name]) for name in types),
            *(str(number) for number in (self.accumulator_width, self.shift, ROUNDINGS.index(self.rounding))),
            cpp_datatype(output),
            "true" if output.signed() else "false",
        ]

    def memory_images(self) -> dict[str, MemoryImage]:
        """One word a fold each; a single number is repeated for every channel."""
        return {
            name: MemoryImage(
                np.broadcast_to(parameter(self, name), (self.NumChannels,)).reshape(self._folds, self.PE),
                structural_datatype(datatype),
            )
            for name, datatype in self._memories
        }

    def memory_shapes(self) -> dict[str, MemoryShape]:
        return {
            name: MemoryShape(self._folds, self.PE, structural_datatype(datatype)) for name, datatype in self._memories
        }

    @property
    def _memories(self) -> tuple[tuple[str, str], ...]:
        return ("multipliers", self.multiplierDataType), ("biases", self.biasDataType)
