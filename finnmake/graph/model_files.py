"""Models from and to protobuf: bytes that depend on the model only, and one message for a file that is no model."""

from __future__ import annotations

import logging
from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError, EncodeError

from finnmake.errors import ModelError
from finnmake.graph.functions import inline_functions
from finnmake.graph.tensor_files import INLINE_LIMIT, read_external, write_external

# onnx-ir reports oddities of exporters (initialisers listed twice and the like) that do not concern our users.
logging.getLogger("onnx_ir").setLevel(logging.ERROR)

_PROTOBUF_LIMIT = 1 << 31
"""Bytes that one protobuf message may have."""


def model_from_file(path: Path) -> ir.Model:
    """The model of an ONNX file, its external data read.

    Raises:
        ModelError: where the file cannot be read: missing, truncated, not ONNX, external data missing or elsewhere.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size < _PROTOBUF_LIMIT else b""
    except OSError as problem:
        raise ModelError(f"cannot be read: {problem.strerror}", where=str(path), remedy="Check the path.") from None
    if size >= _PROTOBUF_LIMIT:
        raise ModelError(
            f"has {size} bytes, one ONNX file has less than 2 GiB",
            where=str(path),
            remedy="Save the model with external data: onnx.save(model, path, save_as_external_data=True).",
        )
    return model_from_bytes(content, path.parent, str(path))


def model_from_bytes(content: bytes, folder: Path | None, where: str) -> ir.Model:
    """The model of an ONNX file's bytes.

    Args:
        content: the file.
        folder: of the file, where its external data lies; None where there is none.
        where: what messages call it.

    Raises:
        ModelError: where the bytes are no ONNX model.
    """
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError:
        proto = onnx.ModelProto()
    if proto.ir_version <= 0 or not proto.graph.output:
        raise ModelError(
            f"is not an ONNX model, or is truncated ({len(content)} bytes)",
            where=where,
            remedy="Export or copy the model again; finnmake reads ONNX protobuf files.",
        )
    return model_from_proto(proto, folder, where)


def model_from_proto(proto: onnx.ModelProto, folder: Path | None, where: str) -> ir.Model:
    """The model of a protobuf message, nodes in an order in which they can run.

    Raises:
        ModelError: where the graph is malformed or has a cycle, or external data is missing.
    """
    try:
        model = ir.from_proto(proto)
    except Exception as problem:  # noqa: BLE001 - onnx-ir raises many kinds for malformed graphs; all mean the same to the user
        reason = str(problem.__cause__ or problem).splitlines()[0]
        raise ModelError(
            f"is not a valid ONNX graph: {reason}", where=where, remedy="Export the model again."
        ) from None
    inline_functions(model, where)
    try:
        sort_nodes(model.graph)
    except ModelError as problem:
        raise ModelError(problem.what, where=f"{where}: {problem.where}", remedy=problem.remedy) from None
    for value in model.graph.initializers.values():
        if isinstance(value.const_value, ir.ExternalTensor):
            value.const_value = _external(value.const_value, folder, where)
    for node in model.graph:
        for name, attribute in list(node.attributes.items()):
            if attribute.type == ir.AttributeType.TENSOR and isinstance(attribute.value, ir.ExternalTensor):
                node.attributes[name] = ir.AttrTensor(name, _external(attribute.value, folder, where))
    return model


def _external(tensor: ir.ExternalTensor, folder: Path | None, where: str) -> ir.TensorProtocol:
    if folder is None:
        raise ModelError(
            "its data is external, which needs the model's path",
            where=f"{where}: tensor {tensor.name}",
            remedy="Load the model by its path, or with its external data.",
        )
    try:
        return read_external(tensor, folder)
    except ModelError as problem:
        raise ModelError(problem.what, where=f"{where}: {problem.where}", remedy=problem.remedy) from None


def save_model(model: ir.Model, path: Path) -> None:
    """Writes the graph file, and tensors larger than 1 KiB beside it as ``tensors/<SHA-256>``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    large: list[tuple[ir.Value, ir.TensorProtocol]] = []
    try:
        for value in model.graph.initializers.values():
            tensor = value.const_value
            if tensor is not None and tensor.nbytes > INLINE_LIMIT and tensor.dtype != ir.DataType.STRING:
                large.append((value, tensor))
                tensor.name = value.name
                value.const_value = write_external(tensor, path.parent)
        content = serialised(model)
    finally:
        for value, tensor in large:
            value.const_value = tensor
    path.write_bytes(content)


def serialised(model: ir.Model) -> bytes:
    """The model's bytes: maps sorted, no producer, so that equal models have equal bytes.

    Raises:
        ModelError: where they would be 2 GiB or more.
    """
    try:
        proto = ir.to_proto(model)
        proto.producer_name = "finnmake"
        proto.ClearField("producer_version")
        proto.ClearField("doc_string")
        props = sorted(((entry.key, entry.value) for entry in proto.metadata_props), key=lambda item: item[0])
        del proto.metadata_props[:]
        for key, value in props:
            proto.metadata_props.add(key=key, value=value)
        for node in proto.graph.node:
            attributes = sorted(node.attribute, key=lambda entry: entry.name)
            del node.attribute[:]
            node.attribute.extend(attributes)
        return bytes(proto.SerializeToString(deterministic=True))
    except (EncodeError, MemoryError):
        raise ModelError(
            "has 2 GiB or more in one file", remedy="Save it with `ModelWrapper.save`, which keeps tensors in files."
        ) from None


def is_sorted(graph: ir.Graph) -> bool:
    """True where every node comes after the nodes that it uses."""
    seen: set[ir.Node] = set()
    for node in graph:
        for value in node.inputs:
            producer = None if value is None else value.producer()
            if producer is not None and producer not in seen and producer.graph is graph:
                return False
        seen.add(node)
    return True


def sort_nodes(graph: ir.Graph) -> None:
    """Puts the nodes in an order in which they can run, the present one as far as it can.

    Raises:
        ModelError: where the graph has a cycle; names a node of it.
    """
    if is_sorted(graph):
        return
    try:
        graph.sort()
    except ValueError:
        name = _node_of_cycle(graph)
        raise ModelError("is part of a cycle", where=f"node {name}", remedy="Export the model again.") from None


def _node_of_cycle(graph: ir.Graph) -> str:
    """Walks back from what no order can run: such a walk cannot end at an input, so it meets a node twice."""
    waiting = {node: {p for p in node.predecessors() if p.graph is graph} for node in graph}
    ready = [node for node, before in waiting.items() if not before]
    while ready:
        done = ready.pop()
        del waiting[done]
        for node in done.successors():
            before = waiting.get(node)
            if before is not None:
                before.discard(done)
                if not before:
                    ready.append(node)
    met: set[ir.Node] = set()
    node = next(iter(waiting))
    while node not in met:
        met.add(node)
        node = min(waiting[node], key=lambda before: str(before.name))
    return f"{node.name} ({node.op_type})"
