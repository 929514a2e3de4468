"""A model's bytes without its spelling, for content keys.

Two files that differ in node names, tensor names, doc strings, producer or metadata only give the same bytes, so that
exporting a network again under another name rebuilds nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from finnmake.errors import ModelError
from finnmake.frontend.validation import validate
from finnmake.graph.general_ops import GENERAL_OPS
from finnmake.graph.model_wrapper import ModelWrapper


def canonicalise_file(path: str) -> bytes:
    """``canonicalise`` of a file, its external data inside.

    What the import would refuse is refused here: only here it is known how the user's nodes and tensors are called.

    Raises:
        ModelError: where the file or its external data cannot be read, or ``validate`` refuses it.
    """
    _refuse_data_elsewhere(path)
    model = ModelWrapper(path)
    try:
        validate(model, GENERAL_OPS)
    except ModelError as problem:
        raise ModelError(problem.what, where=f"{path}: {problem.where}", remedy=problem.remedy) from None
    content = Path(path).read_bytes()
    bare = onnx.ModelProto.FromString(content)
    for tensor in bare.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            array = model.get_initializer(tensor.name)
            if array is not None:
                tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(array), tensor.name))
    return canonicalise(bare.SerializeToString())


def _refuse_data_elsewhere(path: str) -> None:
    """A build reads the model file alone: data files beside it are not among its inputs."""
    try:
        model = onnx.ModelProto.FromString(Path(path).read_bytes())
    except (OSError, DecodeError):
        return  # said better where the model is loaded
    for tensor in model.graph.initializer:
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        if location and not (Path(path).parent / location).is_file():
            raise ModelError(
                f"keeps tensor {tensor.name} in the file {location}, and builds read models of one file only",
                where=path,
                remedy="Save it as one file: onnx.save(onnx.load('model.onnx'), 'one_file.onnx').",
            )


def canonicalise(content: bytes) -> bytes:
    """The model with names by position and without remarks.

    Args:
        content: bytes of an ONNX file.

    Returns:
        Bytes of an ONNX file of the same function; locations of external data stay as they are.

    Raises:
        ModelError: where the bytes are no ONNX model.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise ModelError(
            f"not an ONNX model, or truncated ({len(content)} bytes)", remedy="Export or copy the model again."
        ) from None
    try:
        return _canonical(model)
    except (UnicodeDecodeError, TypeError, ValueError):  # protobuf gives bytes where a text is none
        raise ModelError(
            "has names that are empty or no text", remedy="The file is damaged: export or copy the model again."
        ) from None


def _canonical(model: onnx.ModelProto) -> bytes:
    bare = onnx.ModelProto(ir_version=model.ir_version)
    bare.opset_import.extend(sorted(model.opset_import, key=lambda entry: (entry.domain, entry.version)))
    for entry in bare.opset_import:
        entry.domain = "" if entry.domain == "ai.onnx" else entry.domain
    bare.functions.extend(model.functions)
    names: dict[str, str] = {"": ""}
    bare.graph.CopyFrom(_graph(model.graph, names))
    return bytes(bare.SerializeToString(deterministic=True))


def _name(names: dict[str, str], name: str) -> str:
    return names.setdefault(name, f"t{len(names)}")


def _graph(graph: onnx.GraphProto, names: dict[str, str]) -> onnx.GraphProto:
    bare = onnx.GraphProto(name="graph")
    initialisers = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initialisers]
    # Positions decide the names: inputs first, then each tensor where it is first used.
    for value in inputs:
        bare.input.append(_value(value, names))
    for node in graph.node:
        bare.node.append(_node(node, names))
    for value in graph.output:
        bare.output.append(_value(value, names))
    used = [tensor for tensor in graph.initializer if tensor.name in names]
    for tensor in sorted(used, key=lambda entry: int(names[entry.name][1:])):
        copy = onnx.TensorProto()
        copy.CopyFrom(tensor)
        copy.name = names[tensor.name]
        copy.ClearField("doc_string")
        bare.initializer.append(copy)
    for sparse in graph.sparse_initializer:
        bare.sparse_initializer.append(sparse)
    infos = [value for value in graph.value_info if value.name in names]
    for value in sorted(infos, key=lambda entry: int(names[entry.name][1:])):
        bare.value_info.append(_value(value, names))
    for annotation in sorted(
        (entry for entry in graph.quantization_annotation if entry.tensor_name in names),
        key=lambda entry: int(names[entry.tensor_name][1:]),
    ):
        copy_annotation = bare.quantization_annotation.add(tensor_name=names[annotation.tensor_name])
        copy_annotation.quant_parameter_tensor_names.extend(
            sorted(annotation.quant_parameter_tensor_names, key=lambda entry: entry.key)
        )
    return bare


def _value(value: onnx.ValueInfoProto, names: dict[str, str]) -> onnx.ValueInfoProto:
    bare = onnx.ValueInfoProto(name=_name(names, value.name))
    bare.type.CopyFrom(value.type)
    if bare.type.HasField("tensor_type"):
        for dim in bare.type.tensor_type.shape.dim:
            dim.ClearField("denotation")
            if dim.HasField("dim_param"):
                dim.dim_param = "N"
    return bare


def _node(node: onnx.NodeProto, names: dict[str, str]) -> onnx.NodeProto:
    bare = onnx.NodeProto(op_type=node.op_type, domain="" if node.domain == "ai.onnx" else node.domain)
    bare.overload = node.overload
    bare.input.extend(_name(names, name) for name in node.input)
    for attribute in sorted(node.attribute, key=lambda entry: entry.name):
        copy = bare.attribute.add()
        copy.CopyFrom(attribute)
        copy.ClearField("doc_string")
        if attribute.HasField("g"):
            copy.g.CopyFrom(_graph(attribute.g, names))
        del copy.graphs[:]
        copy.graphs.extend(_graph(graph, names) for graph in attribute.graphs)
        if copy.HasField("t"):
            copy.t.ClearField("name")
            copy.t.ClearField("doc_string")
    bare.output.extend(_name(names, name) for name in node.output)
    return bare
