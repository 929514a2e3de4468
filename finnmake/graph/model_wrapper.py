"""ModelWrapper: an ONNX model with quantisation annotations, under the method names that FINN users know.

Backed by onnx-ir, so that a tensor knows its producer and its uses: every question is O(1). Datatypes are kept as ONNX
``quantization_annotation`` with the key ``finn_datatype``, the form that qonnx and FINN read and write.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.annotations import get_annotation, set_annotation
from finnmake.graph.data_layout import Layout, get_layout, set_layout
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.tensor_files import INLINE_LIMIT, read_external, write_external

_DATATYPE_KEY = "finn_datatype"

# onnx-ir reports oddities of exporters (initialisers listed twice and the like) that do not concern our users.
logging.getLogger("onnx_ir").setLevel(logging.ERROR)


def get_datatype(value: ir.Value) -> AnyDataType:
    """The annotated datatype of a tensor, FLOAT32 where there is none."""
    name = get_annotation(value, _DATATYPE_KEY)
    return DataType[name] if name else DataType["FLOAT32"]


def set_datatype(value: ir.Value, datatype: AnyDataType) -> None:
    """Annotates a tensor."""
    set_annotation(value, _DATATYPE_KEY, datatype.name)


def get_shape(value: ir.Value) -> tuple[int, ...] | None:
    """A tensor's shape where it is known and static."""
    if value.const_value is not None:
        return tuple(int(dim) for dim in value.const_value.shape.numpy())
    if value.shape is None or not value.shape.is_static():
        return None
    return tuple(int(dim) for dim in value.shape.numpy())


def get_constant(value: ir.Value | None) -> NDArray[Any] | None:
    """A tensor's value where it is an initialiser."""
    if value is None or value.const_value is None or value.producer() is not None:
        return None
    return value.const_value.numpy()


class AppliesToModel(Protocol):
    """What ``ModelWrapper.transform`` takes; ``finnmake.transformation`` has the real ones."""

    def apply(self, model: ModelWrapper) -> ModelWrapper:
        """Another model."""


class ModelWrapper:
    """A model.

    Args:
        source: path of an ``.onnx`` file, or a model in memory. An ``onnx_ir.Model`` is used as it is, not copied.

    Raises:
        ModelError: where the file cannot be read: missing, truncated, not ONNX, external data missing or elsewhere.
    """

    def __init__(self, source: str | os.PathLike[str] | onnx.ModelProto | ir.Model) -> None:
        if isinstance(source, ir.Model):
            self.model = source
        elif isinstance(source, onnx.ModelProto):
            self.model = _from_proto(source, None, "model in memory")
        else:
            self.model = _from_file(Path(source))
        self._values: dict[str, ir.Value] = {}

    # -- graph -----------------------------------------------------------------------------------------------------
    @property
    def graph(self) -> ir.Graph:
        """The graph."""
        return self.model.graph

    @property
    def nodes(self) -> list[ir.Node]:
        """The nodes, in the graph's order."""
        return list(self.model.graph)

    def get_nodes_by_op_type(self, op_type: str) -> list[ir.Node]:
        """The nodes of one op type, in the graph's order."""
        return [node for node in self.model.graph if node.op_type == op_type]

    def value(self, name: str | ir.Value) -> ir.Value:
        """The tensor of a name.

        Raises:
            ModelError: where the graph has no tensor of this name.
        """
        if isinstance(name, ir.Value):
            return name
        found = self._values.get(name)
        if found is None or found.name != name:
            self._values = {value.name: value for value in _values(self.graph) if value.name}
            found = self._values.get(name)
        if found is None:
            raise ModelError(f"no tensor is called {name!r}")
        return found

    def get_all_tensor_names(self) -> list[str]:
        """Names of all tensors: inputs, initialisers, node outputs."""
        return list(dict.fromkeys(value.name for value in _values(self.graph) if value.name))

    def find_producer(self, name: str | ir.Value) -> ir.Node | None:
        """The node that makes a tensor, None for inputs and initialisers."""
        return self.value(name).producer()

    def find_consumers(self, name: str | ir.Value) -> list[ir.Node]:
        """The nodes that use a tensor, each once."""
        return list(self.value(name).consumers())

    def find_consumer(self, name: str | ir.Value) -> ir.Node | None:
        """The one node that uses a tensor, None where there is none or more than one."""
        consumers = self.find_consumers(name)
        return consumers[0] if len(consumers) == 1 else None

    def find_direct_predecessors(self, node: ir.Node) -> list[ir.Node]:
        """The nodes whose outputs a node uses."""
        return list(node.predecessors())

    def find_direct_successors(self, node: ir.Node) -> list[ir.Node]:
        """The nodes that use a node's outputs."""
        return list(node.successors())

    # -- tensors ---------------------------------------------------------------------------------------------------
    def get_tensor_shape(self, name: str | ir.Value) -> tuple[int, ...] | None:
        """Shape with the batch dimension first, None where unknown."""
        return get_shape(self.value(name))

    def set_tensor_shape(self, name: str | ir.Value, shape: Sequence[int]) -> None:
        """Sets the shape of a tensor that is no initialiser."""
        self.value(name).shape = ir.Shape([int(dim) for dim in shape])

    def get_tensor_datatype(self, name: str | ir.Value) -> AnyDataType:
        """The annotated datatype, FLOAT32 where there is none."""
        return get_datatype(self.value(name))

    def set_tensor_datatype(self, name: str | ir.Value, datatype: AnyDataType) -> None:
        """Annotates a tensor's datatype."""
        set_datatype(self.value(name), datatype)

    def get_tensor_layout(self, name: str | ir.Value) -> Layout | None:
        """The annotated data layout, None where there is none."""
        return get_layout(self.value(name))

    def set_tensor_layout(self, name: str | ir.Value, layout: Sequence[str]) -> None:
        """Annotates a tensor's data layout."""
        set_layout(self.value(name), layout)

    def get_initializer(self, name: str | ir.Value) -> NDArray[Any] | None:
        """Value of an initialiser (read-only), None for other tensors."""
        return get_constant(self.value(name))

    def set_initializer(self, name: str | ir.Value, array: NDArray[Any]) -> ir.Value:
        """Gives a tensor a constant value; makes the tensor where there is none of this name."""
        values = {value.name: value for value in self.graph.initializers.values()}
        value = name if isinstance(name, ir.Value) else values.get(name)
        if value is None:
            value = next((v for v in _values(self.graph) if v.name == name), None) or ir.Value(name=str(name))
        value.const_value = ir.Tensor(np.asarray(array, order="C"), name=value.name)
        value.shape = ir.Shape(array.shape)
        value.type = ir.TensorType(ir.DataType.from_numpy(array.dtype))
        if value.name not in self.graph.initializers:
            self.graph.initializers.add(value)
        return value

    def make_new_valueinfo_name(self) -> str:
        """A tensor name that is not in use."""
        names = set(self.get_all_tensor_names())
        return next(name for name in (f"tensor_{i}" for i in range(len(names) + 1)) if name not in names)

    # -- changes -----------------------------------------------------------------------------------------------------
    def insert_node(self, node: ir.Node, *, before: ir.Node | None = None) -> None:
        """Adds a node, at the end or before another one."""
        if before is None:
            self.graph.append(node)
        else:
            self.graph.insert_before(before, node)

    def remove_node(self, node: ir.Node) -> None:
        """Removes a node whose outputs nobody uses any more."""
        self.graph.remove(node, safe=True)

    def transform(self, transformation: AppliesToModel) -> ModelWrapper:
        """The model that a transformation makes of this one; this one stays as it is."""
        return transformation.apply(self)

    def copy(self) -> ModelWrapper:
        """An independent model that shares the (immutable) tensors."""
        return ModelWrapper(self.model.clone())

    # -- metadata ------------------------------------------------------------------------------------------------------
    def get_metadata_prop(self, key: str) -> str | None:
        """A metadata property of the model."""
        return self.model.metadata_props.get(key)

    def set_metadata_prop(self, key: str, value: str) -> None:
        """Sets a metadata property of the model."""
        self.model.metadata_props[key] = value

    # -- files ---------------------------------------------------------------------------------------------------------
    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the graph file, and tensors larger than 1 KiB beside it as ``tensors/<SHA-256>``.

        Equal models give equal bytes, whenever and wherever they are saved.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        stored = self.model.clone()
        for value in stored.graph.initializers.values():
            tensor = value.const_value
            if tensor is not None and tensor.nbytes > INLINE_LIMIT and tensor.dtype != ir.DataType.STRING:
                tensor.name = value.name
                value.const_value = write_external(tensor, target.parent)
        target.write_bytes(serialised(stored))

    def to_proto(self) -> onnx.ModelProto:
        """The model as protobuf, all tensors inline."""
        return ir.to_proto(self.model)


def serialised(model: ir.Model) -> bytes:
    """The model's bytes: maps sorted, no producer, so that equal models have equal bytes."""
    model.producer_name, model.producer_version, model.doc_string = "finnmake", None, None
    proto = ir.to_proto(model)
    props = sorted(((entry.key, entry.value) for entry in proto.metadata_props), key=lambda item: item[0])
    del proto.metadata_props[:]
    for key, value in props:
        proto.metadata_props.add(key=key, value=value)
    for node in proto.graph.node:
        attributes = sorted(node.attribute, key=lambda entry: entry.name)
        del node.attribute[:]
        node.attribute.extend(attributes)
    return bytes(proto.SerializeToString(deterministic=True))


def _values(graph: ir.Graph) -> Iterable[ir.Value]:
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in graph:
        yield from node.outputs


def _from_file(path: Path) -> ir.Model:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise ModelError(f"cannot be read: {problem.strerror}", where=str(path), remedy="Check the path.") from None
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError:
        proto = onnx.ModelProto()
    if proto.ir_version <= 0 or not proto.graph.output:
        raise ModelError(
            f"is not an ONNX model, or is truncated ({len(content)} bytes)",
            where=str(path),
            remedy="Export or copy the model again; finnmake reads ONNX protobuf files.",
        )
    return _from_proto(proto, path.parent, str(path))


def _from_proto(proto: onnx.ModelProto, folder: Path | None, where: str) -> ir.Model:
    try:
        model = ir.from_proto(proto)
    except Exception as problem:  # noqa: BLE001 - onnx-ir raises many kinds for malformed graphs; all mean the same to the user
        reason = str(problem.__cause__ or problem).splitlines()[0]
        raise ModelError(
            f"is not a valid ONNX graph: {reason}", where=where, remedy="Export the model again."
        ) from None
    for value in model.graph.initializers.values():
        if isinstance(value.const_value, ir.ExternalTensor):
            if folder is None:
                raise ModelError(
                    "its data is external, which needs the model's path",
                    where=f"{where}: tensor {value.name}",
                    remedy="Load the model by its path, or with its external data.",
                )
            try:
                value.const_value = read_external(value.const_value, folder)
            except ModelError as problem:
                raise ModelError(problem.what, where=f"{where}: {problem.where}", remedy=problem.remedy) from None
    return model
