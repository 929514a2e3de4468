"""Thresholding: counts per channel how many ascending thresholds a value has reached.

This module also holds what every layer with thresholds shares: the count itself, the memory image, the checks and the
number of cycles of the Verilog modules ``popcount`` and ``multi_threshold``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.layer import IntegerArray, Layer, MemoryImage, Stream, structural_datatype
from finnmake.errors import FoldingError, ModelError
from finnmake.graph.datatype import AnyDataType, DataType

POPCOUNT_GROUP = 7
"""Bits that ``popcount.v`` counts without a register in between: seven bits make a full three-bit number."""

COMBINATIONAL_STEPS = 3
"""Up to so many thresholds ``multi_threshold.v`` compares and counts in one cycle."""

THRESHOLD_VERILOG_FILES = (
    "common/adder_tree.v",
    "common/full_count.v",
    "common/popcount.v",
    "common/multi_threshold.v",
)
"""Verilog files of ``multi_threshold`` and of what it instantiates, relative to ``hls_library``."""


# -- cycles of the shared Verilog modules ----------------------------------------------------------------------------
def adder_tree_cycles(operands: int) -> int:
    """Registers from input to output of ``adder_tree.v``: one after every second level, and one after the last."""
    return ((operands - 1).bit_length() + 1) // 2


def popcount_cycles(bits: int) -> int:
    """Registers from input to output of ``popcount.v``: one for the groups, then the tree that adds them."""
    return 1 + adder_tree_cycles(-(-bits // POPCOUNT_GROUP))


def multi_threshold_cycles(num_steps: int) -> int:
    """Registers from input to output of ``multi_threshold.v``.

    None for few steps, else one for the comparisons and those of the count.
    """
    return 0 if num_steps <= COMBINATIONAL_STEPS else 1 + popcount_cycles(num_steps)


# -- memories of constants ---------------------------------------------------------------------------------------------
def rom_style(ram_style: str, depth: int, width: int) -> str:
    """The ``ram_style`` attribute of a memory that is never written, legal in Yosys and Vivado.

    LUT RAM that starts with contents exists on no device of ours: ``distributed`` becomes ``registers``, whose contents
    synthesis turns into gates. With ``auto``, a memory that would take hundreds of LUTs that way goes into block
    memory: its size alone decides, so that it stays a memory whatever it holds.

    Args:
        ram_style: the layer's choice: ``auto``, ``distributed`` or ``block``.
        depth: words.
        width: bits of a word.
    """
    if ram_style == "auto":
        return "block" if depth >= 32 and depth * width >= 1024 else "registers"
    return "registers" if ram_style == "distributed" else ram_style


# -- checks that layers share -----------------------------------------------------------------------------------------
def divisors(number: int) -> list[int]:
    """All divisors of a positive number, ascending: the legal values of a folding."""
    return [d for d in range(1, number + 1) if number % d == 0]


def check_folding(layer: Layer, folding: str, size: str) -> None:
    """Checks that the field ``folding`` (``PE``, ``SIMD``) divides the field ``size``.

    Raises:
        ModelError: the size is not positive.
        FoldingError: the folding is not a divisor; lists the legal values.
    """
    value, whole = int(getattr(layer, folding)), int(getattr(layer, size))
    if whole < 1:
        raise ModelError(f"{size} is {whole}", where=layer.op_type, remedy=f"{size} must be 1 or more.")
    if value < 1 or whole % value:
        legal = ", ".join(str(d) for d in divisors(whole))
        raise FoldingError(
            f"{folding} = {value} does not divide {size} = {whole}",
            where=layer.op_type,
            remedy=f"Legal values of {folding}: {legal}.",
        )


def check_integer_type(layer: Layer, field_name: str, most_bits: int) -> AnyDataType:
    """The datatype that a field names, checked to be an integer type of at most ``most_bits``.

    Raises:
        ModelError: it is not.
    """
    name = str(getattr(layer, field_name))
    datatype = structural_datatype(name)
    if not datatype.is_integer() or datatype.bitwidth() > most_bits:
        raise ModelError(
            f"{field_name} {name} is not supported",
            where=layer.op_type,
            remedy=f"Use BIPOLAR, BINARY, TERNARY or a signed or unsigned integer of at most {most_bits} bits.",
        )
    return datatype


def check_activation(layer: Layer, num_steps: int, act_val: int, output: AnyDataType) -> None:
    """Checks that the output type holds every result of counting ``num_steps`` thresholds.

    Raises:
        ModelError: it does not, or there is no threshold.
    """
    if num_steps < 1:
        raise ModelError(f"numSteps is {num_steps}", where=layer.op_type, remedy="At least one threshold is needed.")
    if output.name == "BIPOLAR":
        if num_steps != 1 or act_val != -1:
            raise ModelError(
                f"BIPOLAR output with numSteps = {num_steps} and ActVal = {act_val}",
                where=layer.op_type,
                remedy="A BIPOLAR output has one threshold and ActVal -1.",
            )
    elif not (output.min() <= act_val and act_val + num_steps <= output.max()):
        raise ModelError(
            f"outputs {act_val} … {act_val + num_steps} do not fit outputDataType {output.name}",
            where=layer.op_type,
            remedy="Use a wider output datatype or fewer thresholds.",
        )


def check_thresholds(layer: Layer, thresholds: IntegerArray, shapes: list[tuple[int, int]]) -> None:
    """Checks shape and order of a threshold matrix (channels, steps).

    Raises:
        ModelError: another shape, or thresholds of a channel that descend.
    """
    if thresholds.shape not in shapes:
        wanted = " or ".join(str(shape) for shape in shapes)
        raise ModelError(
            f"thresholds have shape {thresholds.shape}",
            where=layer.op_type,
            remedy=f"(channels, numSteps) must be {wanted}.",
        )
    if thresholds.dtype.kind not in "iu":
        raise ModelError("thresholds are not integers", where=layer.op_type, remedy="Round them up to integers.")
    descending = np.flatnonzero((np.diff(thresholds, axis=1) < 0).any(axis=1))
    if descending.size:
        raise ModelError(
            f"thresholds of channel {int(descending[0])} descend",
            where=layer.op_type,
            remedy="Sort each channel's thresholds in ascending order.",
        )


def parameter(layer: Layer, name: str) -> IntegerArray:
    """A parameter of a layer.

    Raises:
        ModelError: the layer was made from its structure alone.
    """
    if name not in layer.parameters:
        raise ModelError(
            f"the parameter {name!r} is missing",
            where=layer.op_type,
            remedy="A layer without parameters states its structure only: add them to execute it.",
        )
    return layer.parameters[name]


# -- the arithmetic ----------------------------------------------------------------------------------------------------
def count_thresholds(values: IntegerArray, thresholds: IntegerArray) -> IntegerArray:
    """How many thresholds each value has reached: ``value >= threshold``.

    Args:
        values: (rows, channels).
        thresholds: (channels or 1, steps), ascending per row.

    Returns:
        (rows, channels), int64, 0 … steps.
    """
    counts = np.zeros(values.shape, dtype=np.int64)
    if thresholds.shape[1] <= 16:
        for step in range(thresholds.shape[1]):
            counts += values >= thresholds[:, step]
        return counts
    if thresholds.shape[0] == 1:
        return np.searchsorted(thresholds[0], values, side="right").astype(np.int64)
    for channel in range(values.shape[1]):
        counts[:, channel] = np.searchsorted(thresholds[channel], values[:, channel], side="right")
    return counts


def activate(values: IntegerArray, thresholds: IntegerArray, act_val: int, output: AnyDataType) -> IntegerArray:
    """``act_val`` plus the count; -1 or +1 for a BIPOLAR output. Shapes as in ``count_thresholds``."""
    counts = count_thresholds(values, thresholds)
    return 2 * counts - 1 if output.name == "BIPOLAR" else counts + act_val


def output_offset(act_val: int, output: AnyDataType) -> int:
    """What the hardware adds to the count, as an unsigned number of the output's width: BIPOLAR is encoded 0/1."""
    return 0 if output.name == "BIPOLAR" else act_val % (1 << output.bitwidth())


def threshold_datatype(minimum: int, maximum: int) -> AnyDataType:
    """The type that holds thresholds of values ``minimum … maximum``: one more than the maximum is never reached."""
    return DataType.smallest_for_range(minimum, maximum + 1)


def threshold_image(thresholds: IntegerArray, pe: int, minimum: int, maximum: int) -> MemoryImage:
    """The threshold memory: word ``nf`` holds element ``pe * steps + step`` of the channels ``nf * PE + pe``.

    Thresholds outside of the values' range are always or never reached; they are moved to the range's ends, so that the
    memory's width follows from the structure alone.

    Args:
        thresholds: (channels or 1, steps); a single row is shared by all channels and makes one word of its steps.
        pe: channels side by side.
        minimum: smallest value that is compared.
        maximum: largest value that is compared.
    """
    clipped = np.clip(thresholds.astype(np.int64), minimum, maximum + 1)
    words = clipped if len(clipped) == 1 else clipped.reshape(len(clipped) // pe, -1)
    return MemoryImage(np.ascontiguousarray(words), threshold_datatype(minimum, maximum))


# -- C++ spelling of datatypes ----------------------------------------------------------------------------------------
def cpp_datatype(datatype: AnyDataType) -> str:
    """The type tag of ``hls_library/include/datatypes.hpp``."""
    if datatype.name == "BIPOLAR":
        return "finnmake::Bipolar"
    return f"finnmake::{'Signed' if datatype.signed() else 'Unsigned'}<{datatype.bitwidth()}>"


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

    op_type: ClassVar[str] = "Thresholding"
    kernel: ClassVar[str] = "thresholding"
    verilog_files: ClassVar[tuple[str, ...]] = (
        *THRESHOLD_VERILOG_FILES,
        "common/output_queue.v",
        "thresholding/thresholding.v",
    )
    cpp_files: ClassVar[tuple[str, ...]] = ("include/datatypes.hpp", "thresholding/thresholding.hpp")

    def check(self) -> None:
        check_folding(self, "PE", "NumChannels")
        if self.numInputVectors < 1:
            raise ModelError(f"numInputVectors is {self.numInputVectors}", where=self.op_type, remedy="Use 1 or more.")
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
        """Input register, comparison and count, output queue: ``2 + multi_threshold_cycles(numSteps)``."""
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
            "RAM_STYLE": rom_style("auto", self._folds_of_thresholds, self._threshold_word_width),
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
        return {"thresholds": threshold_image(thresholds, self.PE, *self._range)}
