"""What a model must be before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import CustomOps, describe
from finnmake.graph.general_ops import QUANTISER_DOMAINS
from finnmake.graph.limits import check_size
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape
from finnmake.graph.shape_inference import unknown_op
from finnmake.graph.standard_ops import is_standard

OLDEST_OPSET = 9
NEWEST_QONNX = 2
"""Version of the domain of Quant and Trunc."""

_PARAMETERS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "BatchNormalization": (1, 2, 3, 4),
    "PRelu": (1,),
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "Quant": (1, 2, 3),
    "BipolarQuant": (1,),
    "Trunc": (1, 2, 3, 4, 5),
    "MultiThreshold": (1,),
}
"""Which inputs of an op hardware has to know beforehand."""

_QONNX_ATTRIBUTES: Mapping[str, ir.AttributeType] = {
    **dict.fromkeys(("narrow", "signed"), ir.AttributeType.INT),
    **dict.fromkeys(("rounding_mode", "out_dtype", "data_layout"), ir.AttributeType.STRING),
    **dict.fromkeys(("out_scale", "out_bias"), ir.AttributeType.FLOAT),
}
_PLAIN_ATTRIBUTES = frozenset(
    getattr(ir.AttributeType, name) for name in ("INT", "INTS", "FLOAT", "FLOATS", "STRING", "STRINGS")
)

_RANDOM = frozenset(
    ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
)


_NO_NUMBERS = frozenset((ir.DataType.STRING, ir.DataType.COMPLEX64, ir.DataType.COMPLEX128))


def validate(model: ModelWrapper, custom_ops: CustomOps) -> None:
    """Checks versions, ops and constants.

    Raises:
        ModelError: for a version that is not known, an op that is not known, has too few or too many inputs or
            outputs, or gives random numbers, control flow, a tensor that nothing makes, a constant with NaN or
            infinity, or one that its annotated datatype does not hold.
    """
    _check_versions(model.model)
    if not len(model.graph):
        raise ModelError("the graph has no nodes", remedy="Export the model again.")
    for node in model.graph:
        if custom_ops.find(node) is None and not is_standard(node):
            raise unknown_op(node)
        _check_arity(node, custom_ops, model.model.opset_imports.get("", 0))
        _check_attributes(node, model.model.opset_imports.get("", 0))
        if any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for a in node.attributes.values()):
            raise ModelError(
                f"{node.op_type} is control flow, which has no hardware",
                where=describe(node),
                remedy="Export the model for inference with fixed control flow.",
            )
        if is_standard(node) and node.op_type in _RANDOM:
            raise ModelError(
                "gives random numbers",
                where=describe(node),
                remedy="Export the model in evaluation mode (model.eval()).",
            )
        _check_made(node.inputs, describe(node), "its input")
    _check_made(model.graph.outputs, "graph", "its output")
    for value in model.graph.initializers.values():
        _check_constant(value)


def check_arrays(model: ModelWrapper) -> None:
    """Checks that the numbers of all constants fit their types and shapes, of any graph; texts are not looked at.

    Raises:
        ModelError: names the tensor, or node and attribute, before anything is allocated for it.
    """
    for value in model.graph.initializers.values():
        if value.const_value is not None and value.const_value.dtype != ir.DataType.STRING:
            _array(value.const_value, f"tensor {value.name}", empty=True)
    for node in model.graph:
        for name, found in node.attributes.items():
            tensor = found.value
            if isinstance(tensor, ir.TensorProtocol) and tensor.dtype != ir.DataType.STRING:
                _array(tensor, f"{describe(node)}: attribute {name}", empty=True)


def check_parameters(nodes: Iterable[ir.Node]) -> None:
    """Checks that weights, scales and thresholds are constants.

    Args:
        nodes: of a normalised graph, in its order.

    Raises:
        ModelError: names the node and the tensor that is computed while the network runs.
    """
    varying: set[ir.Value] = set()
    for node in nodes:
        if not any(value is not None and _varies(value, varying) for value in node.inputs):
            continue
        varying.update(node.outputs)
        parameters = [node.inputs[index] for index in _PARAMETERS.get(node.op_type, ()) if index < len(node.inputs)]
        if node.op_type == "MatMul" and all(value is not None and _varies(value, varying) for value in node.inputs):
            parameters = [node.inputs[1]]
        for value in parameters:
            if value is not None and _varies(value, varying):
                raise ModelError(
                    f"its input {value.name} is not constant but depends on the network's input",
                    where=describe(node),
                    remedy="Export the model for inference: weights, scales and thresholds must be fixed numbers.",
                )


def _varies(value: ir.Value, varying: set[ir.Value]) -> bool:
    return value in varying or (value.producer() is None and value.const_value is None)


def _check_versions(model: ir.Model) -> None:
    update = "Export the model with an older opset (18), or update the onnx package."
    opset, newest = model.opset_imports.get("", 0), onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ModelError(f"is opset {opset}, finnmake reads {OLDEST_OPSET} to {newest}", remedy=update)
    if (model.ir_version or 0) > onnx.IR_VERSION:
        raise ModelError(
            f"is of ONNX IR version {model.ir_version}, the onnx package reads up to {onnx.IR_VERSION}", remedy=update
        )
    for domain in QUANTISER_DOMAINS:
        version = model.opset_imports.get(domain, 0)
        if version > NEWEST_QONNX:
            raise ModelError(
                f"has version {version} of the domain {domain!r}, finnmake reads up to {NEWEST_QONNX}",
                remedy="Export the model with Brevitas 0.13 or older, or update finnmake.",
            )


def declared_shapes(values: Iterable[ir.Value]) -> list[ir.Shape | None]:
    """The shapes that a model as it was exported gives its outputs."""
    return [None if value.shape is None else value.shape.copy() for value in values]


def check_outputs(outputs: Iterable[ir.Value], declared: Iterable[ir.Shape | None]) -> None:
    """Checks the outputs' shapes against those that the file gave them.

    Args:
        outputs: of a normalised graph.
        declared: ``declared_shapes`` of it before that. What it leaves open, and the batch, may be anything.

    Raises:
        ModelError: names the output with both shapes.
    """
    for value, written in zip(outputs, declared, strict=True):
        shape = get_shape(value)
        if shape is None or written is None:
            continue
        pairs = list(zip(written, shape, strict=False))[1:]
        if len(written) != len(shape) or any(isinstance(dim, int) and dim != size for dim, size in pairs):
            raise ModelError(
                f"is declared as {written}, but what is computed has the shape {list(shape)}",
                where=f"output {value.name}",
                remedy="Export the model again; the file is damaged, or written by hand.",
            )


def fix_batch(model: ModelWrapper) -> list[ir.Value]:
    """The graph's inputs, their first dimension set to 1 where it was left open.

    Raises:
        ModelError: where another dimension is open, the batch size is not 1, or an input takes no numbers.
    """
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    for value in inputs:
        where = f"input {value.name}"
        if value.dtype is None or value.dtype == ir.DataType.UNDEFINED:
            raise ModelError("has no type", where=where, remedy="The file is damaged: export or copy the model again.")
        if not isinstance(value.type, ir.TensorType) or value.dtype in _NO_NUMBERS:
            raise ModelError(
                f"is of the type {value.dtype.name}, no tensor of numbers",
                where=where,
                remedy="Export the network from its first layer on: hardware takes numbers.",
            )
        if value.shape is None:
            raise ModelError("has no shape", where=where, remedy="Export the model with a fixed input shape.")
        if any(isinstance(dim, int) and dim == 0 for dim in list(value.shape)[1:]):
            check_size([dim for dim in value.shape if isinstance(dim, int)], value.dtype, where)
        dims: list[int | None] = [dim if isinstance(dim, int) and dim > 0 else None for dim in value.shape]
        dims[:1] = [1 if dim is None else dim for dim in dims[:1]]
        if None in dims:
            raise ModelError(
                f"its shape {value.shape} is dynamic",
                where=where,
                remedy="Export the model with a fixed input shape; the first dimension (batch) alone may stay open.",
            )
        if dims and dims[0] != 1:
            raise ModelError(
                f"its shape {value.shape} is that of a batch of {dims[0]}",
                where=where,
                remedy="Export the model with batch size 1, or an open one: any batch can be run all the same.",
            )
        value.shape = ir.Shape([int(dim or 1) for dim in dims])
        check_size([int(dim or 1) for dim in dims], value.dtype, where)
    return inputs


def _check_made(values: Iterable[ir.Value | None], where: str, what: str) -> None:
    """Every tensor is made by a node, a constant, or given to the network."""
    for value in values:
        if value is None or value.producer() is not None or value.is_graph_input() or value.const_value is not None:
            continue
        raise ModelError(
            f"nothing makes {what} {value.name}",
            where=where,
            remedy="The file is damaged: export or copy the model again.",
        )


def _check_arity(node: ir.Node, custom_ops: CustomOps, opset: int) -> None:
    """Inputs and outputs are as many as the op has: whatever comes later may index them."""
    op = custom_ops.find(node)
    if op is not None:
        inputs, outputs = op.inputs, (1, 1)
    elif opset < 1:
        return  # the model says no version: refused by that
    else:
        try:
            schema = onnx.defs.get_schema(node.op_type, opset, "")
        except (onnx.defs.SchemaError, TypeError):  # TypeError: a damaged name that is no text
            raise unknown_op(node) from None
        inputs, outputs = (schema.min_input, schema.max_input), (schema.min_output, schema.max_output)
    for what, (least, most), count in (("inputs", inputs, len(node.inputs)), ("outputs", outputs, len(node.outputs))):
        if not least <= count <= most:
            limit = f"at least {least}" if count < least else f"at most {most}"
            raise ModelError(
                f"has {count} {what}, {node.op_type} has {limit}",
                where=describe(node),
                remedy="The file is damaged: export or copy the model again.",
            )


def _check_attributes(node: ir.Node, opset: int) -> None:
    """Attributes have the kind that the op wants: whatever comes later may calculate with them."""
    kinds: Mapping[str, ir.AttributeType] = _QONNX_ATTRIBUTES
    if is_standard(node):
        known: Mapping[str, Any] = onnx.defs.get_schema(node.op_type, opset, "").attributes
        kinds = {name: ir.AttributeType[wanted.type.name] for name, wanted in known.items()}
        for name, wanted in known.items():
            if wanted.required and name not in node.attributes:
                raise ModelError(
                    f"has no attribute {name}, which {node.op_type} needs",
                    where=describe(node),
                    remedy="The file is damaged: export or copy the model again.",
                )
    for name, found in node.attributes.items():
        kind = kinds.get(name, found.type)
        if found.type == kind and found.type == ir.AttributeType.TENSOR and isinstance(found.value, ir.TensorProtocol):
            _array(found.value, f"{describe(node)}: attribute {name}")
        elif found.type != kind or (not is_standard(node) and found.type not in _PLAIN_ATTRIBUTES):
            raise ModelError(
                f"its attribute {name} is of the kind {found.type.name}, not {kind.name}",
                where=describe(node),
                remedy="The file is damaged: export or copy the model again.",
            )


def _array(tensor: ir.TensorProtocol, where: str, *, empty: bool = False) -> NDArray[Any]:
    """A tensor's numbers, checked before anything is allocated; ``empty`` allows that a matrix has none."""
    remedy = "The file is damaged: export or copy the model again."
    try:
        shape = tuple(int(dim) for dim in tensor.shape.numpy())
        if tensor.dtype in (ir.DataType.STRING, ir.DataType.UNDEFINED):
            raise ModelError(f"holds no numbers but {tensor.dtype.name}", where=where, remedy=remedy)
        check_size(shape, tensor.dtype, where, empty=empty or len(shape) == 1)
        return tensor.numpy()
    except (ValueError, TypeError, AssertionError) as problem:  # AssertionError: onnx-ir, data of another type
        raise ModelError(f"its data does not fit its type and shape: {problem}", where=where, remedy=remedy) from None


def _check_constant(value: ir.Value) -> None:
    if value.const_value is None:
        return
    array = _array(value.const_value, f"tensor {value.name}")
    _check_annotation(value, array)
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    bad = int(array.size - np.isfinite(array).sum())
    users = ", ".join(describe(node) for node in value.consumers()) or "no node"
    if all(node.op_type in ("Clip", "Pad") for node in value.consumers()):
        return  # an open bound
    raise ModelError(
        f"{bad} of its {array.size} values are NaN or infinite",
        where=f"tensor {value.name}, used by {users}",
        remedy="The training diverged or the file is damaged: train or export the model again.",
    )


def _check_annotation(value: ir.Value, array: NDArray[Any]) -> None:
    try:
        datatype = get_datatype(value)
    except ModelError as problem:
        raise ModelError(problem.what, where=f"tensor {value.name}", remedy=problem.remedy) from None
    if datatype.is_integer() and array.dtype.kind in "iuf" and not datatype.allowed_array(array):
        raise ModelError(
            f"is annotated as {datatype}, but holds {array.min()} … {array.max()}"
            + (" and fractions" if array.dtype.kind == "f" and (array != np.rint(array)).any() else ""),
            where=f"tensor {value.name}",
            remedy="Annotate the tensor with a datatype that has all its values, or leave the annotation out.",
        )
