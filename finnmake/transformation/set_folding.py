"""SetFolding: the least hardware that reaches a throughput."""

from __future__ import annotations

import math
from itertools import product

import onnx_ir as ir

from finnmake.errors import FoldingError
from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite
from finnmake.transformation.to_hls.hardware import (
    FOLDING,
    align_depthwise_windows,
    depthwise_windows,
    divisors,
    folding_size,
    interval_cycles,
    is_hardware,
    numbers_of,
)

_WIDEST_STREAM = 1024
"""Bits of a stream word that a folding may ask for."""

_WIDEST_WINDOW = 4096
"""Bits of a word that holds a whole window: the widest AXI4-Stream of Xilinx' tools."""


class SetFolding(Rewrite):
    """Folds every layer so that it takes at most ``target_cycles`` per frame, with as little hardware as that needs.

    Among the foldings of a layer that reach the target, the one with the fewest multipliers (PE · SIMD), then the
    fewest PE, as each PE has an accumulator and thresholds of its own.

    Args:
        target_cycles: clock cycles per frame.

    Precondition: ``CreateDataflowPartition``.
    Postcondition: same outputs. A layer that cannot reach the target within streams of 1024 bits is made as fast as
    they allow. Windows that are too slow with all channels in a word get ``parallel_window``.

    Raises:
        FoldingError: for a target below 1.
    """

    def __init__(self, target_cycles: int) -> None:
        if target_cycles < 1:
            raise FoldingError(f"target_cycles is {target_cycles}", remedy="A frame takes one cycle or more.")
        self._target = target_cycles

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.graph:
            if is_hardware(node) and node.op_type in FOLDING:
                for name, value in _fold(node, self._target).items():
                    node.attributes.add(ir.AttrInt64(name, value))
                if _wants_parallel_window(node, self._target):
                    node.attributes.add(ir.AttrInt64("SIMD", int(attribute(node, "IFMChannels"))))
                    node.attributes.add(ir.AttrInt64("parallel_window", 1))
        align_depthwise_windows(model.graph)


def _fold(node: ir.Node, target: int) -> dict[str, int]:
    sizes = {name: folding_size(node, name) for name in FOLDING[node.op_type]}
    names = list(sizes)
    foldings = [
        dict(zip(names, values, strict=True)) for values in product(*(divisors(size) for size in sizes.values()))
    ]
    legal = [folding for folding in foldings if _widest(node, folding) <= _WIDEST_STREAM] or foldings[:1]

    def cost(folding: dict[str, int]) -> tuple[int, int]:
        multipliers = 1
        for value in folding.values():
            multipliers *= value
        return multipliers, folding.get("PE", 1)

    def cycles(folding: dict[str, int]) -> int:
        windows = depthwise_windows(node)
        before = interval_cycles(windows, {"SIMD": folding["PE"]}) if windows is not None else 0
        return max(before, interval_cycles(node, folding))

    fast_enough = [folding for folding in legal if cycles(folding) <= target]
    if fast_enough:
        return min(fast_enough, key=cost)
    return min(legal, key=lambda folding: (cycles(folding), *cost(folding)))


def _wants_parallel_window(node: ir.Node, target: int) -> bool:
    """True for windows of a dense convolution that their folding leaves too slow."""
    if node.op_type != "ConvolutionInputGenerator" or attribute(node, "depthwise", 0):
        return False
    window = math.prod(numbers_of(node, "ConvKernelDim")) * int(attribute(node, "IFMChannels"))
    width = window * DataType[str(attribute(node, "inputDataType"))].bitwidth()
    cycles = interval_cycles(node)
    return cycles > target and math.prod(numbers_of(node, "IFMDim")) < cycles and width <= _WIDEST_WINDOW


def _widest(node: ir.Node, folding: dict[str, int]) -> int:
    def bits(*names: str) -> int:
        datatypes = [attribute(node, name) for name in names]
        return max((DataType[str(name)].bitwidth() for name in datatypes if name is not None), default=0)

    lanes = folding.get("SIMD", folding.get("PE", 1))
    if node.op_type == "VectorVectorActivation":
        lanes *= folding["PE"]
    inputs = bits("inputDataType", "lhs_dtype", "rhs_dtype") * lanes
    if node.op_type == "LabelSelect" or "PE" not in folding:
        return inputs
    outputs = bits("outputDataType", "out_dtype") * folding["PE"]
    return max(inputs, outputs)
