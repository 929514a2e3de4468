"""What shape inference does not look at: constants that contradict their node, found where the node is still known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import attribute, describe
from finnmake.graph.model_wrapper import get_constant, get_shape

_LARGEST_ZERO_POINT = 1 << 31


def check_consistency(nodes: Iterable[ir.Node]) -> None:
    """Checks the constants and attributes of nodes against their tensors.

    Args:
        nodes: of a normalised graph.

    Raises:
        ModelError: for a kernel of another shape than its weights, an order of dimensions that is none, bounds the
            wrong way round, scales or zero points that do not fit their tensor.
    """
    for node in nodes:
        check = _CHECKS.get(node.op_type)
        if check is not None:
            check(node)


def _refuse(node: ir.Node, what: str) -> ModelError:
    return ModelError(what, where=describe(node), remedy="The file is damaged: export or copy the model again.")


def _shape_of(node: ir.Node, index: int) -> tuple[int, ...] | None:
    value = node.inputs[index] if index < len(node.inputs) else None
    return get_shape(value) if value is not None else None


def _convolution(node: ir.Node) -> None:
    weights, kernel = _shape_of(node, 1), attribute(node, "kernel_shape")
    if weights is not None and kernel is not None and list(weights[2:]) != [int(size) for size in kernel]:
        raise _refuse(node, f"its kernel_shape is {list(kernel)}, its weights have shape {list(weights)}")
    values, group = _shape_of(node, 0), int(attribute(node, "group", 1))
    if weights is None or values is None:
        return
    channels = weights[0] if node.op_type == "ConvTranspose" else weights[1] * group
    if group < 1 or len(values) < 3 or channels != values[1] or weights[0] % group:
        raise _refuse(
            node, f"its weights of shape {list(weights)} do not fit {list(values)} in {group} groups of channels"
        )


def _transpose(node: ir.Node) -> None:
    shape, order = _shape_of(node, 0), attribute(node, "perm")
    if shape is not None and order is not None and sorted(order) != list(range(len(shape))):
        raise _refuse(node, f"its perm {list(order)} is no order of the {len(shape)} dimensions of its input")


def _clip(node: ir.Node) -> None:
    bounds = [get_constant(value) for value in node.inputs[1:3]]
    if any(bound is not None and bound.size != 1 for bound in bounds):
        raise _refuse(node, "its bounds are not one number each")
    if len(bounds) < 2 or any(bound is None for bound in bounds):
        return
    low, high = (bound for bound in bounds if bound is not None)
    if low.item() > high.item():
        raise _refuse(node, f"its bounds are the wrong way round: {low.item()} … {high.item()}")


def _linear(node: ir.Node) -> None:
    """QuantizeLinear and DequantizeLinear: one scale, or one for each place along an axis, or blocks."""
    values, scale, zero = (_shape_of(node, index) for index in range(3))
    if values is None or scale is None:
        return
    axis = int(attribute(node, "axis", 1))
    one = ((), (1,))
    if zero is not None and zero != scale and not (zero in one and scale in one):
        raise _refuse(node, f"its scale has shape {list(scale)}, its zero point {list(zero)}")
    if scale in one or attribute(node, "block_size", 0):
        return
    if len(scale) != 1 or not -len(values) <= axis < len(values) or values[axis] != scale[0]:
        raise _refuse(node, f"its scale has shape {list(scale)}, its input {list(values)} on axis {axis}")


def _quant(node: ir.Node) -> None:
    zero = get_constant(node.inputs[2])
    if zero is not None and (abs(zero) > _LARGEST_ZERO_POINT).any():
        raise _refuse(node, f"its zero point is {zero.ravel()[0]}")


_CHECKS: Mapping[str, Callable[[ir.Node], None]] = {
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "Transpose": _transpose,
    "Clip": _clip,
    "QuantizeLinear": _linear,
    "DequantizeLinear": _linear,
    "Quant": _quant,
}
