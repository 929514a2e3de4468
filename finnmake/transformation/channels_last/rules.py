"""A rule for each op type: the nodes that do with channels last what a node does with channels first.

A rule is given a node whose first input has, or can have, a form. It makes new nodes in front of it and says what the
forms of the node's outputs are. It gives False, and changes nothing, where it does not know how: the node then stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from finnmake.graph.convolution import Convolution, convolution_of, with_zero
from finnmake.graph.custom_op import Array, attribute
from finnmake.graph.general_ops import GENERAL_DOMAIN
from finnmake.graph.im2col import im2col_attributes
from finnmake.graph.model_wrapper import get_constant, get_datatype, get_shape
from finnmake.graph.transposes import permutation_of, to_channels_first, to_channels_last
from finnmake.transformation.channels_last.forms import Form, Forms, describe_output
from finnmake.transformation.channels_last.images import image_shape, is_channels_first, is_elementwise

Rule = Callable[[ir.Node, Forms], bool]


def rule_of(node: ir.Node) -> Rule | None:
    """The rule for a node, None where there is none."""
    if node.op_type in _RULES:
        return _RULES[node.op_type]
    return _elementwise if is_elementwise(node) else None


# -- products ----------------------------------------------------------------------------------------------------------
def _convolution(node: ir.Node, forms: Forms) -> bool:
    convolution, weights = convolution_of(node), get_constant(node.inputs[1])
    source, output, shape = node.inputs[0], node.outputs[0], image_shape(node.outputs[0])
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if convolution is None or weights is None or source is None or shape is None or node.inputs[1] is None:
        return False
    if bias is not None and get_constant(bias) is None:
        return False
    image, datatype = forms.of(source, node), get_datatype(node.inputs[1])
    value, result, windows = image.value, Form(output, shape), convolution.windows
    if not windows.is_pointwise:
        value = _im2col(node, forms, image, convolution)
    if convolution.is_depthwise:
        matrix, op_type, domain = convolution.depthwise_matrix(weights), "DepthwiseMatMul", GENERAL_DOMAIN
    else:
        matrix, op_type, domain = convolution.matrix(weights), "MatMul", ""
        if convolution.group > 1:
            datatype = with_zero(datatype)
    held = forms.constant(node, matrix, "weights", datatype)
    value = forms.emit(node, op_type, [value, held], {}, result.shape, get_datatype(output), domain, like=node)
    if bias is not None:
        value = forms.emit(node, "Add", [value, bias], {}, result.shape, get_datatype(output))
    forms.set(output, Form(value, shape))
    return True


def _im2col(node: ir.Node, forms: Forms, image: Form, convolution: Convolution) -> ir.Value:
    windows, shape = convolution.windows, image.shape
    attributes = im2col_attributes(windows, shape, convolution.is_depthwise)
    size = (shape[0], *windows.output_size(shape[1], shape[2]), windows.taps * shape[3])
    return forms.emit(node, "Im2Col", [image.value], attributes, size, get_datatype(image.value), GENERAL_DOMAIN)


def _matrix_product(node: ir.Node, forms: Forms) -> bool:
    """A product of the flat elements of an image: the matrix has its rows in the other order."""
    form, weights = forms.find(node.inputs[0]), get_constant(node.inputs[1])
    if form is None or not form.flat or weights is None or weights.ndim != 2 or node.inputs[1] is None:
        return False
    rows = form.constant(np.arange(weights.shape[0]))
    if rows is None:
        return False
    output, shape = node.outputs[0], get_shape(node.outputs[0]) or (form.image[0], weights.shape[1])
    matrix = forms.constant(node, weights[rows], "weights", get_datatype(node.inputs[1]))
    _same(output, forms.emit(node, "MatMul", [form.value, matrix], {}, shape, get_datatype(output), "", like=node))
    return True


# -- elementwise -------------------------------------------------------------------------------------------------------
def _elementwise(node: ir.Node, forms: Forms) -> bool:
    output = node.outputs[0]
    found = _common_forms(node, forms)
    shape = get_shape(output)
    if found is None or shape is None:
        return False
    inputs, form = found
    result = Form(output, shape if not form.flat else form.image, form.flat)
    if len(result.image) != len(form.image) or (form.flat and shape != form.shape):
        return False
    datatype, attributes = get_datatype(output), dict(node.attributes)
    value = forms.emit(node, node.op_type, inputs, attributes, result.shape, datatype, node.domain)
    value.type = ir.TensorType(output.dtype or ir.DataType.FLOAT)
    forms.set(output, Form(value, result.image, form.flat))
    return True


def _common_forms(node: ir.Node, forms: Forms) -> tuple[list[ir.Value | None], Form] | None:
    """A node's inputs with channels last, and the form of the first that is no constant."""
    tensors = [v for v in node.inputs if v is not None and get_constant(v) is None]
    known = [forms.find(value) for value in tensors]
    if any(form is not None and form.flat for form in known):
        if any(form is None for form in known):
            return None
        made = [form for form in known if form is not None]
    elif any(image_shape(value) is None for value in tensors):
        return None
    else:
        made = [forms.of(value, node) for value in tensors]
    if not made or not all(form.same_kind(made[0]) for form in made):
        return None
    inputs: list[ir.Value | None] = []
    of_tensor = dict(zip(tensors, made, strict=True))
    for index, value in enumerate(node.inputs):
        array = get_constant(value)
        if value is None or array is None:
            inputs.append(of_tensor[value].value if value is not None else None)
            continue
        moved = made[0].constant(array)
        if moved is None:
            return None
        same = moved.shape == array.shape and array.size <= 1
        inputs.append(value if same else forms.constant(node, moved, f"input {index}", get_datatype(value)))
    return inputs, made[0]


def _multi_threshold(node: ir.Node, forms: Forms) -> bool:
    source, held, output = node.inputs[0], node.inputs[1], node.outputs[0]
    thresholds = get_constant(held)
    if source is None or held is None or thresholds is None or not is_channels_first(node):
        return False
    form = forms.find(source)
    if form is None and image_shape(source) is None:
        return False
    form = form or forms.of(source, node)
    attributes: dict[str, Any] = dict(node.attributes)
    if not form.flat:
        attributes["data_layout"] = "NHWC"
    elif len(thresholds) > 1:
        rows = form.constant(np.arange(len(thresholds)))
        if rows is None:
            return False
        held = forms.constant(node, thresholds[rows], "thresholds", get_datatype(held))
    value = forms.emit(
        node, node.op_type, [form.value, held], attributes, form.shape, get_datatype(output), node.domain
    )
    forms.set(output, Form(value, form.image, form.flat))
    return True


# -- windows and reductions --------------------------------------------------------------------------------------------
def _max_pool(node: ir.Node, forms: Forms) -> bool:
    source, shape = node.inputs[0], image_shape(node.outputs[0])
    rank = len(shape or ()) - 2
    if source is None or shape is None or str(attribute(node, "auto_pad", "NOTSET")) != "NOTSET":
        return False
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        return False
    pads = list(attribute(node, "pads", [0] * 2 * rank))
    dilations = _spatial(attribute(node, "dilations", [1] * rank), 1)
    attributes: dict[str, Any] = {
        "kernel_shape": _spatial(attribute(node, "kernel_shape"), 1),
        "strides": _spatial(attribute(node, "strides", [1] * rank), 1),
        "pads": [*_spatial(pads[:rank], 0), *_spatial(pads[rank:], 0)],
        "ceil_mode": int(attribute(node, "ceil_mode", 0)),
    }
    if dilations != [1, 1]:
        attributes["dilations"] = dilations
    return _one_to_one(node, forms, "MaxPoolNHWC", attributes, GENERAL_DOMAIN)


def _quantised_average(node: ir.Node, forms: Forms) -> bool:
    if not is_channels_first(node):
        return False
    return _one_to_one(node, forms, node.op_type, {**node.attributes, "data_layout": "NHWC"}, node.domain)


def _one_to_one(
    node: ir.Node,
    forms: Forms,
    op_type: str,
    attributes: Mapping[str, Any],
    domain: str = "",
    others: Sequence[ir.Value | None] = (),
) -> bool:
    """One node for one node: the image, and other inputs as they are."""
    source, output, shape = node.inputs[0], node.outputs[0], image_shape(node.outputs[0])
    if source is None or shape is None:
        return False
    image = forms.of(source, node)
    result = Form(output, shape)
    inputs = [image.value, *others]
    value = forms.emit(node, op_type, inputs, attributes, result.shape, get_datatype(output), domain)
    forms.set(output, Form(value, shape))
    return True


def _spatial(values: Sequence[int], missing: int) -> list[int]:
    return [missing, *values] if len(values) == 1 else list(values)


def _reduction(node: ir.Node, forms: Forms) -> bool:
    source, output = node.inputs[0], node.outputs[0]
    shape, result = image_shape(source), get_shape(output)
    by_input = len(node.inputs) > 1
    axes = get_constant(node.inputs[1]) if by_input else attribute(node, "axes")
    if source is None or shape is None or result is None or axes is None:
        return False
    chosen = sorted(int(axis) % len(shape) for axis in axes)
    keeps = bool(attribute(node, "keepdims", 1))
    # Without its height an image is a sequence, whose form has a height of 1.
    to_sequence = not keeps and len(shape) == 4 and chosen == [2]
    if not keeps and not to_sequence and chosen != list(range(2, len(shape))):
        return False
    image = forms.of(source, node)
    moved = [image.axis(axis) for axis in chosen] if keeps or to_sequence else [1, 2]
    inputs, attributes = [image.value], dict(node.attributes)
    if by_input:
        inputs.append(forms.constant(node, np.array(moved, dtype=np.int64), "axes"))
    else:
        attributes["axes"] = ir.AttrInt64s("axes", moved)
    stays_image = keeps or to_sequence
    attributes["keepdims"] = ir.AttrInt64("keepdims", int(stays_image))
    after = Form(output, result).shape if stays_image else result
    value = forms.emit(node, node.op_type, inputs, attributes, after, get_datatype(output))
    if stays_image:
        forms.set(output, Form(value, result))
    else:
        _same(output, value)
    return True


def _same(old: ir.Value, new: ir.Value) -> None:
    """A tensor that is the same in both forms."""
    old.replace_all_uses_with(new, replace_graph_outputs=True)


# -- shapes and orders of dimensions -----------------------------------------------------------------------------------
def _flatten(node: ir.Node, forms: Forms) -> bool:
    source, output, result = node.inputs[0], node.outputs[0], get_shape(node.outputs[0])
    form = forms.find(source)
    if form is None or form.flat or result is None:
        return False
    batch, channels, *spatial = form.image
    elements = channels * int(np.prod(spatial))
    if result != (batch, elements):
        return False
    value = forms.reshape(node, form.value, result)
    if channels == 1 or elements == channels:
        _same(output, value)
    else:
        forms.set(output, Form(value, form.image, flat=True))
    return True


def _transpose(node: ir.Node, forms: Forms) -> bool:
    """A Transpose to channels last is the form itself; one to channels first says what the form of its output is."""
    source, output, permutation = node.inputs[0], node.outputs[0], permutation_of(node)
    shape = image_shape(output)
    if source is None or permutation is None or shape is None or len(permutation) != 4:
        return False
    form = forms.find(source)
    if permutation == to_channels_last(4) and form is not None and not form.flat:
        _same(output, form.value)
        return True
    if permutation == to_channels_first(4) and form is None:
        forms.set(output, Form(source, shape))
        return True
    return False


def _concat(node: ir.Node, forms: Forms) -> bool:
    output, shape = node.outputs[0], image_shape(node.outputs[0])
    if shape is None or any(image_shape(value) is None for value in node.inputs):
        return False
    result = Form(output, shape)
    inputs = []
    for index, value in enumerate(node.inputs):
        array = get_constant(value)
        moved = result.constant(array) if array is not None else None
        if value is None or (array is not None and (moved is None or moved.ndim != 4)):
            return False
        inputs.append(
            forms.of(value, node).value
            if moved is None
            else forms.constant(node, moved, f"input {index}", get_datatype(value))
        )
    attributes = {"axis": result.axis(int(attribute(node, "axis", 1)))}
    value = forms.emit(node, "Concat", inputs, attributes, result.shape, get_datatype(output))
    forms.set(output, Form(value, shape))
    return True


def _split(node: ir.Node, forms: Forms) -> bool:
    source, shapes = node.inputs[0], [image_shape(output) for output in node.outputs]
    if source is None or any(shape is None for shape in shapes):
        return False
    image = forms.of(source, node)
    attributes: dict[str, Any] = {**node.attributes, "axis": image.axis(int(attribute(node, "axis", 0)))}
    outputs = [ir.Value() for _ in shapes]
    fresh = ir.node("Split", [image.value, *node.inputs[1:]], attributes, outputs=outputs)
    forms.insert(node, fresh)
    for old, new, shape in zip(node.outputs, outputs, shapes, strict=True):
        form = Form(new, shape or ())
        describe_output(new, form.shape, get_datatype(old))
        forms.set(old, form)
    return True


def _pad(node: ir.Node, forms: Forms) -> bool:
    shape = image_shape(node.inputs[0])
    by_input = len(node.inputs) > 1
    pads = get_constant(node.inputs[1]) if by_input else attribute(node, "pads")
    if shape is None or pads is None or len(pads) != 2 * len(shape) or len(node.inputs) > 3:
        return False
    rank = len(shape)
    before, after = _moved(pads[:rank], 0), _moved(pads[rank:], 0)
    if not by_input:
        return _one_to_one(node, forms, "Pad", {**node.attributes, "pads": [*before, *after]})
    held = forms.constant(node, np.array([*before, *after], dtype=np.int64), "pads")
    return _one_to_one(node, forms, "Pad", dict(node.attributes), others=[held, *node.inputs[2:]])


def _resize(node: ir.Node, forms: Forms) -> bool:
    """Nearest neighbours only: other modes take the two outer dimensions for batch and channels."""
    shape = image_shape(node.inputs[0])
    if shape is None or str(attribute(node, "mode", "nearest")) != "nearest" or attribute(node, "axes") is not None:
        return False
    others: list[ir.Value | None] = []
    for index, value in enumerate(list(node.inputs)[1:], 1):
        array = get_constant(value)
        if value is None or (array is not None and array.size == 0):
            others.append(value)
        elif array is not None and array.size == len(shape):
            moved = np.array(_moved(array, 1), dtype=array.dtype)
            others.append(forms.constant(node, moved, f"input {index}"))
        else:
            return False
    return _one_to_one(node, forms, node.op_type, dict(node.attributes), others=others)


def _moved(values: Array | Sequence[Any], missing: Any) -> list[Any]:
    """One number for each dimension (N, C, [H,] W), in the order (N, H, W, C)."""
    batch, channels, *spatial = list(values)
    return [batch, *_spatial(spatial, missing), channels]


def _slice(node: ir.Node, forms: Forms) -> bool:
    shape = image_shape(node.inputs[0])
    starts = get_constant(node.inputs[1]) if len(node.inputs) > 2 else None
    if shape is None or starts is None:
        return False
    given = node.inputs[3] if len(node.inputs) > 3 else None
    axes = get_constant(given) if given is not None else np.arange(starts.size)
    if axes is None:
        return False
    form = Form(node.outputs[0], shape)
    moved = forms.constant(node, np.array([form.axis(int(axis)) for axis in axes], dtype=np.int64), "axes")
    others = [node.inputs[1], node.inputs[2], moved, *node.inputs[4:]]
    return _one_to_one(node, forms, "Slice", dict(node.attributes), others=others)


_RULES: Mapping[str, Rule] = {
    "Conv": _convolution,
    "MatMul": _matrix_product,
    "MultiThreshold": _multi_threshold,
    "MaxPool": _max_pool,
    "QuantAvgPool2d": _quantised_average,
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"), _reduction),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze"), _flatten),
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Pad": _pad,
    "Slice": _slice,
    **dict.fromkeys(("Resize", "Upsample"), _resize),
}
