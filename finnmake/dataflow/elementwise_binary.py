"""ElementwiseAdd, ElementwiseSub, ElementwiseMul: two streams, or a stream and constants, element by element."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_choice, check_folding, check_integer_type, parameter
from finnmake.dataflow.dot_product import element_kind, multiplies_hard
from finnmake.dataflow.layer import IntegerArray, MemoryImage, MemoryShape, Stream, cpp_datatype, structural_datatype
from finnmake.dataflow.multi_stream_layer import MultiStreamLayer
from finnmake.dataflow.pipelines import rom_style
from finnmake.errors import ModelError
from finnmake.graph.datatype import AnyDataType

RHS_STYLES = ("input", "const")
OPERATIONS = ("ElementwiseAdd", "ElementwiseSub", "ElementwiseMul")
"""Op types; the place of each is the kernel's number for it."""


@dataclass(frozen=True, eq=False)
class ElementwiseBinaryOperation(MultiStreamLayer):
    """An exact operation on each element and its partner.

    Attributes:
        NumChannels: channels of a vector.
        PE: channels in a word.
        lhs_dtype: of the first operand, a stream.
        rhs_dtype: of the second operand.
        out_dtype: of the result; holds every result of the operands' datatypes.
        rhs_style: ``input``, a second stream of the same shape, or ``const``, one number a channel or one for all.
        numInputVectors: vectors per frame.
        ram_style: of the constants: ``auto``, ``distributed`` or ``block``.

    ``parameters["rhs"]`` where ``rhs_style`` is ``const``: int64 (NumChannels,) or (1,).
    """

    NumChannels: int
    PE: int
    lhs_dtype: str
    rhs_dtype: str
    out_dtype: str
    rhs_style: str = "input"
    numInputVectors: int = 1
    ram_style: str = "auto"

    kernel: ClassVar[str] = "elementwise_binary"
    verilog_files: ClassVar[tuple[str, ...]] = (
        "common/channel_memory.v",
        "common/rom.v",
        "common/decode_element.v",
        "common/output_queue.v",
        "common/resize.v",
        "elementwise_binary/elementwise_binary.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = (
        "include/datatypes.hpp",
        "include/synthesis.hpp",
        "elementwise_binary/elementwise_binary.hpp",
    )

    @property
    @abstractmethod
    def operation(self) -> Callable[[IntegerArray, IntegerArray], IntegerArray]:
        """The operation on arrays."""

    def check(self) -> None:
        check_folding(self, "PE", "NumChannels")
        if self.numInputVectors < 1:
            raise ModelError(f"numInputVectors is {self.numInputVectors}", where=self.op_type, remedy="Use 1 or more.")
        if self.rhs_style not in RHS_STYLES:
            raise ModelError(f"rhs_style is {self.rhs_style!r}", where=self.op_type, remedy="Use input or const.")
        check_choice(self, "ram_style", ("auto", "distributed", "block"))
        lhs, rhs = check_integer_type(self, "lhs_dtype", 31), check_integer_type(self, "rhs_dtype", 31)
        low, high = result_range(self.operation, lhs, rhs)
        output = check_integer_type(self, "out_dtype", 62)
        if output.name in ("BIPOLAR", "TERNARY") or low < output.min() or high > output.max():
            raise ModelError(
                f"results {low} … {high} do not fit out_dtype {output.name}",
                where=self.op_type,
                remedy="Use a wider output datatype.",
            )
        if "rhs" in self.parameters:
            values = self.parameters["rhs"]
            if self.rhs_style != "const" or values.shape not in [(self.NumChannels,), (1,)]:
                raise ModelError(
                    f"rhs has shape {values.shape}",
                    where=self.op_type,
                    remedy=f"With rhs_style const it is ({self.NumChannels},) or (1,), with input there is none.",
                )
            if not rhs.allowed_array(values):
                raise ModelError(
                    f"rhs {int(values.min())} … {int(values.max())} does not fit rhs_dtype {rhs.name}",
                    where=self.op_type,
                    remedy="Use a wider datatype.",
                )

    @property
    def _folds(self) -> int:
        return self.NumChannels // self.PE

    def _stream(self, datatype: str) -> Stream:
        return Stream(structural_datatype(datatype), self.PE, self.numInputVectors * self._folds)

    def input_streams(self) -> tuple[Stream, ...]:
        lhs = self._stream(self.lhs_dtype)
        return (lhs, self._stream(self.rhs_dtype)) if self.rhs_style == "input" else (lhs,)

    def output_streams(self) -> tuple[Stream, ...]:
        return (self._stream(self.out_dtype),)

    def interval_cycles(self) -> int:
        return self.numInputVectors * self._folds

    def first_output_latency(self) -> int:
        """Operand register, result register, output queue."""
        return 3

    def execute_streams(self, frames: Sequence[IntegerArray]) -> tuple[IntegerArray, ...]:
        batch = len(frames[0])
        lhs, *more = (np.asarray(values, dtype=np.int64).reshape(batch, -1, self.NumChannels) for values in frames)
        rhs = more[0] if more else parameter(self, "rhs").astype(np.int64)
        return (self.operation(lhs, rhs).reshape(batch, -1),)

    def verilog_parameters(self) -> dict[str, int | str]:
        lhs, rhs = structural_datatype(self.lhs_dtype), structural_datatype(self.rhs_dtype)
        return {
            "OPERATION": OPERATIONS.index(self.op_type),
            "PE": self.PE,
            "FOLDS": self._folds,
            "RHS_CONSTANT": int(self.rhs_style == "const"),
            "LHS_WIDTH": lhs.bitwidth(),
            "LHS_KIND": element_kind(lhs),
            "RHS_WIDTH": rhs.bitwidth(),
            "RHS_KIND": element_kind(rhs),
            "OUTPUT_WIDTH": structural_datatype(self.out_dtype).bitwidth(),
            "RAM_STYLE": rom_style(self.ram_style, self._folds, self.PE * rhs.bitwidth()),
            "USE_DSP": "yes" if self.multipliers else "no",
        }

    def cpp_template_arguments(self) -> list[str]:
        return [
            str(OPERATIONS.index(self.op_type)),
            str(self.PE),
            str(self._folds),
            str(self.numInputVectors),
            cpp_datatype(structural_datatype(self.lhs_dtype)),
            cpp_datatype(structural_datatype(self.rhs_dtype)),
            str(structural_datatype(self.out_dtype).bitwidth()),
        ]

    def memory_images(self) -> dict[str, MemoryImage]:
        """One word a fold; a single number is repeated for every channel."""
        if self.rhs_style != "const":
            return {}
        values = np.broadcast_to(parameter(self, "rhs"), (self.NumChannels,))
        return {"rhs": MemoryImage(values.reshape(self._folds, self.PE), structural_datatype(self.rhs_dtype))}

    def memory_shapes(self) -> dict[str, MemoryShape]:
        if self.rhs_style != "const":
            return {}
        return {"rhs": MemoryShape(self._folds, self.PE, structural_datatype(self.rhs_dtype))}


def result_range(
    operation: Callable[[IntegerArray, IntegerArray], IntegerArray], lhs: AnyDataType, rhs: AnyDataType
) -> tuple[int, int]:
    """Smallest and largest result of an operation that is monotone in each operand."""
    ends = np.array([[int(lhs.min())], [int(lhs.max())]]), np.array([[int(rhs.min()), int(rhs.max())]])
    results = operation(*ends)
    return int(results.min()), int(results.max())


@dataclass(frozen=True, eq=False)
class ElementwiseAdd(ElementwiseBinaryOperation):
    """lhs + rhs, see ``ElementwiseBinaryOperation``."""

    op_type: ClassVar[str] = "ElementwiseAdd"

    @property
    def operation(self) -> Callable[[IntegerArray, IntegerArray], IntegerArray]:
        """The sum."""
        return operator.add


@dataclass(frozen=True, eq=False)
class ElementwiseSub(ElementwiseBinaryOperation):
    """lhs - rhs, see ``ElementwiseBinaryOperation``."""

    op_type: ClassVar[str] = "ElementwiseSub"

    @property
    def operation(self) -> Callable[[IntegerArray, IntegerArray], IntegerArray]:
        """The difference."""
        return operator.sub


@dataclass(frozen=True, eq=False)
class ElementwiseMul(ElementwiseBinaryOperation):
    """lhs * rhs, see ``ElementwiseBinaryOperation``.

    Attributes:
        resType: what multiplies: ``lut``, ``dsp`` or ``auto``, which is ``dsp`` from 4 by 4 bits on.
    """

    resType: str = "auto"

    op_type: ClassVar[str] = "ElementwiseMul"

    @property
    def operation(self) -> Callable[[IntegerArray, IntegerArray], IntegerArray]:
        """The product."""
        return operator.mul

    @property
    def multipliers(self) -> int:
        one, other = map(structural_datatype, self.operands())
        return self.PE if multiplies_hard(one, other, self.resType) else 0

    def operands(self) -> tuple[str, str]:
        """Datatypes of what is multiplied."""
        return self.lhs_dtype, self.rhs_dtype

    def check(self) -> None:
        super().check()
        check_choice(self, "resType", ("auto", "lut", "dsp"))
