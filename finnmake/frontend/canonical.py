"""A model's bytes without its spelling, for content keys.

Two files that differ in node names, tensor names, doc strings, producer or metadata only give the same bytes, so that
exporting a network again under another name rebuilds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError

from finnmake.errors import ModelError
from finnmake.frontend.validation import validate
from finnmake.graph.limits import LARGEST_TENSOR
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.registry import REGISTERED_OPS
from finnmake.graph.tensor_files import read_external


def canonicalise_file(path: str) -> bytes:
    """``canonicalise`` of a file, its external data inside.

    What the import would refuse is refused here: only here it is known how the user's nodes and tensors are called.

    Raises:
        ModelError: where the file or its external data cannot be read, or ``validate`` refuses it.
    """
    model = ModelWrapper(path)
    try:
        validate(model, REGISTERED_OPS)
    except ModelError as problem:
        place = f"{path}: {problem.where}" if problem.where else path
        raise ModelError(problem.what, where=place, remedy=problem.remedy) from None
    proto = onnx.ModelProto.FromString(Path(path).read_bytes())
    size = proto.ByteSize()
    for tensor in _external_tensors(proto):
        described = ir.serde.deserialize_tensor(tensor)
        if not isinstance(described, ir.ExternalTensor):
            continue
        data = read_external(described, Path(path).parent)
        size += data.nbytes
        if size >= LARGEST_TENSOR:
            raise ModelError(
                "has 2 GiB of weights or more",
                where=path,
                remedy="No FPGA holds them: quantise the network to fewer bits, and export integers.",
            )
        tensor.raw_data = data.tobytes()
        tensor.ClearField("data_location")
        del tensor.external_data[:]
    return canonicalise(proto.SerializeToString())


def external_files(path: str) -> bytes:
    """Which files a model's external data lies in: a line for each, relative to the model's folder.

    Raises:
        ModelError: where a name cannot be a file's.
    """
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(Path(path).read_bytes())
    except (OSError, DecodeError):
        return b""  # said better where the model is loaded
    locations = {entry.value for t in _external_tensors(proto) for entry in t.external_data if entry.key == "location"}
    for location in locations:
        if not location or len(location.splitlines()) != 1 or "\0" in location:
            raise ModelError(
                f"keeps data in a file called {location!r}",
                where=path,
                remedy="The file is damaged: export or copy the model again.",
            )
    return "\n".join(sorted(locations)).encode()


def _external_tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All tensors whose data is elsewhere: initialisers, and attributes of nodes in graphs and functions."""
    for nodes in (proto.graph.node, *(function.node for function in proto.functions)):
        for node in nodes:
            for attribute in node.attribute:
                yield from (
                    t for t in (attribute.t, *attribute.tensors) if t.data_location == onnx.TensorProto.EXTERNAL
                )
    yield from (t for t in proto.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL)


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
