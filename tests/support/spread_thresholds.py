"""Networks whose activations take all their values: thresholds where the accumulators of random inputs lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.graph.datatype import DataType
from finnmake.graph.general_ops import GENERAL_OPS
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_shape
from finnmake.graph.standard_ops import StandardRun


def spread_thresholds(model: ModelWrapper, frames: int = 1, seed: int = 0) -> ModelWrapper:
    """A copy of a network of integers with other thresholds: of each channel's sums as many lie between any two.

    Some published networks give one output for whatever input: comparing outputs would show little.

    Args:
        model: channels innermost (``LowerToChannelsLast``).
        frames: random inputs that the sums come from.
        seed: of the inputs.
    """
    result = model.copy()
    source = result.graph.inputs[0]
    datatype = result.get_tensor_datatype(source)
    shape = (frames, *(get_shape(source) or ())[1:])
    integers = np.random.default_rng(seed).integers(int(datatype.min()), int(datatype.max()) + 1, shape)
    made: dict[ir.Value, NDArray[Any]] = {source: integers.astype(np.float32)}
    for node in list(result.graph):
        if node.op_type == "MultiThreshold" and node.inputs[0] is not None:
            held = node.inputs[1]
            assert held is not None
            levels = _spread(made[node.inputs[0]], get_shape(held))
            result.set_initializer(held, levels)
            result.set_tensor_datatype(held, DataType.smallest_for_range(int(levels.min()), int(levels.max())))
        made[node.outputs[0]] = _run(node, made, result.model.opset_imports[""])
    return result


def _spread(sums: NDArray[Any], shape: tuple[int, ...] | None) -> NDArray[Any]:
    channels, steps = shape or (1, 1)
    of_channel = sums.reshape(-1, sums.shape[-1]) if channels > 1 else sums.reshape(-1, 1)
    levels = np.quantile(of_channel, np.arange(1, steps + 1) / (steps + 1), axis=0)
    thresholds: NDArray[Any] = np.rint(levels.T).astype(np.float32)
    return thresholds


def _run(node: ir.Node, made: dict[ir.Value, NDArray[Any]], opset: int) -> NDArray[Any]:
    arrays = [None if value is None else made.get(value, get_constant(value)) for value in node.inputs]
    op = GENERAL_OPS.find(node)
    if op is not None:
        return op.execute(node, arrays)[0]
    run = StandardRun([node], [node.outputs[0]], opset)
    return run([made[value] for value in node.inputs if value in made])[0]
