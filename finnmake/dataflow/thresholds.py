"""Thresholds: the count, its memory image and its checks, as every layer with thresholds uses them."""

from __future__ import annotations

import numpy as np

from finnmake.dataflow.layer import IntegerArray, Layer, MemoryImage, MemoryShape
from finnmake.dataflow.pipelines import SEARCH_STAGES, search_stages
from finnmake.errors import ModelError
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.quantisation import count_thresholds

THRESHOLD_VERILOG_FILES = ("common/multi_threshold.v", "common/rom.v", "common/threshold_stage.v")
"""Verilog files of ``multi_threshold`` and of what it instantiates, relative to ``hls_library``."""

MOST_STEPS = (1 << SEARCH_STAGES) - 1
"""Thresholds per channel."""

MOST_OUTPUT_BITS = 31
"""What is added to the count is a Verilog integer and a C++ int."""


def check_activation(layer: Layer, num_steps: int, act_val: int, output: AnyDataType) -> None:
    """Checks that the output type holds every result of counting ``num_steps`` thresholds.

    Raises:
        ModelError: it does not, or there is no threshold, or one of them is more than the kernels take.
    """
    if num_steps < 1:
        raise ModelError(f"numSteps is {num_steps}", where=layer.op_type, remedy="At least one threshold is needed.")
    if num_steps > MOST_STEPS or output.bitwidth() > MOST_OUTPUT_BITS:
        raise ModelError(
            f"numSteps = {num_steps} with outputDataType {output.name}",
            where=layer.op_type,
            remedy=f"At most {MOST_STEPS} thresholds and {MOST_OUTPUT_BITS} bits are possible.",
        )
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


def activate(values: IntegerArray, thresholds: IntegerArray, act_val: int, output: AnyDataType) -> IntegerArray:
    """``act_val`` plus how many thresholds a value has reached (``value >= threshold``); ±1 for a BIPOLAR output.

    Args:
        values: (rows, channels).
        thresholds: (channels or 1, steps), ascending per row.
        act_val: result where no threshold is reached.
        output: datatype of the results.

    Returns:
        (rows, channels), int64.
    """
    counts = count_thresholds(values, thresholds).astype(np.int64)
    return 2 * counts - 1 if output.name == "BIPOLAR" else counts + act_val


def output_offset(act_val: int, output: AnyDataType) -> int:
    """What the hardware adds to the count, as an unsigned number of the output's width: BIPOLAR is encoded 0/1."""
    return 0 if output.name == "BIPOLAR" else act_val % (1 << output.bitwidth())


def threshold_datatype(minimum: int, maximum: int) -> AnyDataType:
    """The type that holds thresholds of values ``minimum … maximum``: one more than the maximum is never reached."""
    return DataType.smallest_for_range(minimum, maximum + 1)


def threshold_images(thresholds: IntegerArray, pe: int, minimum: int, maximum: int) -> dict[str, MemoryImage]:
    """The threshold memories by name, as ``multi_threshold.v`` and ``thresholds.hpp`` read them.

    Few thresholds are compared at once: word ``nf`` of ``thresholds`` holds element ``pe * steps + step`` of the
    channels ``nf * PE + pe``. More are searched: word ``nf * 2**i + bits`` of ``thresholds_i`` holds, of the same
    channels, what decides bit ``i`` of the count (the most significant is bit 0) after ``bits``. Steps that a search
    could reach but that there are not are thresholds above ``maximum``.

    Thresholds outside of the values' range are always or never reached; they are moved to the range's ends, so that the
    memory's width follows from the structure alone.

    Args:
        thresholds: (channels or 1, steps), ascending per row; a single row is shared by all channels.
        pe: channels side by side.
        minimum: smallest value that is compared.
        maximum: largest value that is compared.
    """
    clipped = np.clip(thresholds.astype(np.int64), minimum, maximum + 1)
    datatype = threshold_datatype(minimum, maximum)
    rows, steps = clipped.shape
    pe = min(pe, rows)
    stages = search_stages(steps)
    if not stages:
        return {"thresholds": MemoryImage(np.ascontiguousarray(clipped.reshape(-1, pe * steps)), datatype)}
    padded = np.pad(clipped, ((0, 0), (0, (1 << stages) - 1 - steps)), constant_values=maximum + 1)
    images = {}
    for stage in range(stages):
        half = 1 << (stages - stage - 1)
        deciding = padded[:, half - 1 :: 2 * half]
        words = deciding.reshape(-1, pe, 1 << stage).transpose(0, 2, 1).reshape(-1, pe)
        images[f"thresholds_{stage}"] = MemoryImage(np.ascontiguousarray(words), datatype, separate_addresses=True)
    return images


def threshold_shapes(rows: int, num_steps: int, pe: int, minimum: int, maximum: int) -> dict[str, MemoryShape]:
    """Sizes of `threshold_images` of a threshold matrix (rows, num_steps)."""
    datatype, pe = threshold_datatype(minimum, maximum), min(pe, rows)
    stages = search_stages(num_steps)
    if not stages:
        return {"thresholds": MemoryShape(rows // pe, pe * num_steps, datatype)}
    return {f"thresholds_{stage}": MemoryShape((rows // pe) << stage, pe, datatype) for stage in range(stages)}


def threshold_arguments(num_steps: int) -> str:
    """The threshold memories as one argument of a C++ kernel: their name, or those of all stages in braces."""
    stages = search_stages(num_steps)
    return f"{{{', '.join(f'thresholds_{stage}' for stage in range(stages))}}}" if stages else "{thresholds}"
