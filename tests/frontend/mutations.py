"""Damage: bytes that flip, files that end early, graphs that are wired, shaped or typed as no exporter does."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import onnx
from onnx import helper

_INTEGERS = (-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 7, 64, 2**20, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1)
_FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, -1.0, 1e-45, 1e-30, 1e30, 3.4e38, 0.5)
_OPS = (
    "Add", "Sub", "Mul", "Div", "Conv", "ConvTranspose", "MatMul", "Gemm", "Relu", "Sigmoid", "Softmax",
    "Expand", "Tile", "Range", "ConstantOfShape", "Reshape", "Transpose", "Concat", "Split", "Slice", "Pad",
    "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum", "TopK", "ArgMax", "Cast",
    "QuantizeLinear", "DequantizeLinear", "BatchNormalization", "Resize", "Squeeze", "Unsqueeze", "Flatten",
    "Identity", "Dropout", "Shape", "Gather", "Constant", "Loop", "If", "LSTM", "Einsum", "OneHot", "NonZero",
    "DepthToSpace", "Sin", "Pow", "Quant", "BipolarQuant", "Trunc", "MultiThreshold", "Im2Col",
    "QuantAvgPool2d", "MaxPoolNHWC", "XnorPopcountMatMul", "NoSuchOp",
)  # fmt: skip


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A damaged copy of a model's bytes."""
    if rng.random() < 0.2:
        return _bytes(content, rng)
    model = onnx.ModelProto.FromString(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(_MUTATIONS)(model, rng)
    return bytes(model.SerializeToString())


def _bytes(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(damaged[: rng.randrange(len(damaged))])
    if kind == 1:
        for _ in range(rng.choice((1, 2, 8))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    elif kind == 2:
        position = rng.randrange(len(damaged))
        del damaged[position : position + rng.randrange(1, 40)]
    else:
        source, target = rng.randrange(len(damaged)), rng.randrange(len(damaged))
        damaged[target:target] = damaged[source : source + rng.randrange(1, 60)]
    return bytes(damaged)


def _node(model: onnx.ModelProto, rng: random.Random) -> Any:
    return rng.choice(model.graph.node) if model.graph.node else onnx.NodeProto()


def _names(model: onnx.ModelProto) -> list[str]:
    graph = model.graph
    names = [value.name for value in (*graph.input, *graph.output, *graph.initializer)]
    return [*names, *(name for node in graph.node for name in (*node.input, *node.output)), ""]


def _rewire(model: onnx.ModelProto, rng: random.Random) -> None:
    """Another input: a cycle as often as not."""
    node = _node(model, rng)
    if node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(_names(model))


def _swap_inputs(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    if len(node.input) > 1:
        first, second = rng.sample(range(len(node.input)), 2)
        node.input[first], node.input[second] = node.input[second], node.input[first]


def _count_of_inputs(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    if node.input and rng.random() < 0.5:
        del node.input[-1]
    else:
        node.input.append(rng.choice(_names(model)))


def _outputs(model: onnx.ModelProto, rng: random.Random) -> None:
    """A tensor made twice, or an output more or less."""
    node = _node(model, rng)
    if rng.random() < 0.3 and node.output:
        del node.output[-1]
    elif rng.random() < 0.5:
        node.output.append(rng.choice((*_names(model), "fresh")))
    elif node.output:
        node.output[0] = rng.choice(_names(model))


def _remove_node(model: onnx.ModelProto, rng: random.Random) -> None:
    if model.graph.node:
        del model.graph.node[rng.randrange(len(model.graph.node))]


def _repeat_node(model: onnx.ModelProto, rng: random.Random) -> None:
    model.graph.node.append(_node(model, rng))


def _op_type(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    node.op_type = rng.choice(_OPS)
    if rng.random() < 0.3:
        node.domain = rng.choice(("", "ai.onnx", "qonnx.custom_op.general", "onnx.brevitas", "local", "finn", "\u00e9"))


def _insert(model: onnx.ModelProto, rng: random.Random) -> None:
    """An op between a tensor and its users."""
    node = _node(model, rng)
    if not node.output:
        return
    name = node.output[0]
    node.output[0] = "before"
    fresh = helper.make_node(rng.choice(_OPS), ["before", *rng.sample(_names(model), rng.randrange(3))], [name])
    model.graph.node.append(fresh)


def _attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    if not node.attribute:
        return
    found = rng.choice(node.attribute)
    kind = rng.randrange(6)
    if kind == 0:
        found.name = rng.choice(("axis", "axes", "pads", "perm", "k", "narrow", "out_dtype", "min", ""))
    elif kind == 1:
        node.attribute.remove(found)
    elif kind == 2:
        found.type = rng.randrange(0, 15)
    elif found.type == onnx.AttributeProto.INTS and found.ints:
        if kind == 3:
            found.ints[rng.randrange(len(found.ints))] = rng.choice(_INTEGERS)
        elif kind == 4:
            del found.ints[-1]
        else:
            found.ints.append(rng.choice(_INTEGERS))
    elif found.type == onnx.AttributeProto.INT:
        found.i = rng.choice(_INTEGERS)
    elif found.type == onnx.AttributeProto.FLOAT:
        found.f = rng.choice(_FLOATS)
    elif found.type == onnx.AttributeProto.STRING:
        found.s = rng.choice((b"", b"\xff\xfe", b"ROUND", b"INT99", b"FLOOR", b"UINT64", b"BIPOLAR"))


def _dims(tensor: Any, rng: random.Random) -> None:
    if tensor.dims and rng.random() < 0.8:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(_INTEGERS)
    else:
        tensor.dims.append(rng.choice((0, 1, 2, 2**40)))


def _initialiser(model: onnx.ModelProto, rng: random.Random) -> None:
    if not model.graph.initializer:
        return
    tensor = rng.choice(model.graph.initializer)
    kind = rng.randrange(8)
    if kind == 0:
        _dims(tensor, rng)
    elif kind == 1:
        tensor.data_type = rng.randrange(0, 28)
    elif kind == 2:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) + 1)]
    elif kind == 3:
        tensor.name = rng.choice(_names(model))
    elif kind == 4:
        model.graph.initializer.remove(tensor)
    elif kind == 5:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        location = rng.choice(("", "/etc/passwd", "../x", "a\0b", "missing.bin", "x" * 5000, "."))
        tensor.external_data.add(key="location", value=location)
        for key in rng.sample(("offset", "length"), rng.randrange(3)):
            tensor.external_data.add(key=key, value=rng.choice(("-1", "0", "many", str(2**62))))
    else:
        _values(tensor, rng)


def _values(tensor: onnx.TensorProto, rng: random.Random) -> None:
    """Other numbers in the same shape."""
    try:
        array = onnx.numpy_helper.to_array(tensor).copy()
    except Exception:  # noqa: BLE001 - damaged by an earlier mutation
        return
    if not array.size:
        return
    flat = array.reshape(-1)
    index = slice(None) if rng.random() < 0.3 else rng.randrange(flat.size)
    if array.dtype.kind == "f":
        flat[index] = rng.choice(_FLOATS)
    elif array.dtype.kind in "iu":
        flat[index] = (
            array.dtype.type(rng.choice(_INTEGERS) & 0x7F) if array.dtype.itemsize < 8 else rng.choice(_INTEGERS)
        )
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def _value_info(model: onnx.ModelProto, rng: random.Random) -> None:
    """Shape and type of the graph's input or output."""
    values: Sequence[Any] = (*model.graph.input, *model.graph.output)
    if not values:
        return
    tensor_type = rng.choice(values).type.tensor_type
    kind = rng.randrange(5)
    if kind == 0:
        tensor_type.elem_type = rng.randrange(0, 28)
    elif kind == 1:
        tensor_type.ClearField("shape")
    elif tensor_type.shape.dim:
        dim = rng.choice(tensor_type.shape.dim)
        if kind == 2:
            dim.dim_param = "N"
        elif kind == 3:
            dim.dim_value = rng.choice(_INTEGERS)
        else:
            del tensor_type.shape.dim[-1]


def _interface(model: onnx.ModelProto, rng: random.Random) -> None:
    graph = model.graph
    kind = rng.randrange(4)
    if kind == 0 and graph.input:
        del graph.input[-1]
    elif kind == 1 and graph.input:
        graph.input.append(graph.input[0])
        graph.input[-1].name = "another"
    elif kind == 2 and graph.output:
        del graph.output[-1]
    else:
        graph.output.add(name=rng.choice(_names(model)))


def _versions(model: onnx.ModelProto, rng: random.Random) -> None:
    if rng.random() < 0.3:
        model.ir_version = rng.choice((0, 1, 3, 14, 15, 99))
    elif model.opset_import:
        rng.choice(model.opset_import).version = rng.choice((-1, 0, 1, 7, 9, 10, 11, 12, 14, 18, 21, 23, 28, 29, 2**40))


def _annotation(model: onnx.ModelProto, rng: random.Random) -> None:
    found = model.graph.quantization_annotation.add(tensor_name=rng.choice(_names(model)))
    value = rng.choice(("INT2", "UINT64", "BIPOLAR", "BINARY", "INT999", "FIXED<4,2>", "", "\u00e9", "FLOAT32"))
    found.quant_parameter_tensor_names.add(key="finn_datatype", value=value)


def _names_of_nodes(model: onnx.ModelProto, rng: random.Random) -> None:
    name = rng.choice(("", "same", "\u00e9", "x" * 3000))
    for node in model.graph.node:
        node.name = name


def _functions(model: onnx.ModelProto, rng: random.Random) -> None:
    if not model.functions:
        return
    function = rng.choice(model.functions)
    kind = rng.randrange(4)
    if kind == 0 and function.node:
        rng.choice(function.node).op_type = rng.choice((function.name, *_OPS))
        function.node[0].domain = rng.choice(("", function.domain))
    elif kind == 1:
        function.opset_import[0].version = rng.choice((9, 13, 18, 28))
    elif kind == 2 and function.input:
        del function.input[-1]
    elif function.output:
        function.output[-1] = rng.choice(("a", "b", "nowhere"))


_MUTATIONS: tuple[Callable[[onnx.ModelProto, random.Random], None], ...] = (
    _rewire, _rewire, _swap_inputs, _count_of_inputs, _outputs, _remove_node, _repeat_node, _op_type, _op_type,
    _insert, _insert, _attribute, _attribute, _attribute, _initialiser, _initialiser, _initialiser, _initialiser,
    _value_info, _value_info, _interface, _versions, _annotation, _names_of_nodes, _functions,
)  # fmt: skip
