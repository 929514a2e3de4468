"""ModelWrapper: an ONNX model with quantisation annotations, under the method names that FINN users know.

Backed by onnx-ir, so that a tensor knows its producer and its uses: every question is O(1). A tensor is given by its
name or as the ``onnx_ir.Value`` itself. Datatypes are kept as ONNX ``quantization_annotation`` with the key
``finn_datatype``, the form that qonnx and FINN read and write.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, overload

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.annotations import get_sparsity, set_sparsity
from finnmake.graph.cleanup import clean_up
from finnmake.graph.data_layout import Layout, get_layout, set_layout
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_files import model_from_bytes, model_from_file, model_from_proto, save_model, sort_nodes
from finnmake.graph.names import NameIndex
from finnmake.graph.tensors import get_constant as get_constant
from finnmake.graph.tensors import get_datatype as get_datatype
from finnmake.graph.tensors import get_shape as get_shape
from finnmake.graph.tensors import set_datatype as set_datatype

Array = NDArray[Any]
Tensor = str | ir.Value
_Result = TypeVar("_Result")


class AppliesToModel(Protocol):
    """What ``ModelWrapper.transform`` takes; ``finnmake.transformation`` has the real ones."""

    def apply(self, model: ModelWrapper) -> ModelWrapper:
        """Another model."""


class ModelWrapper:
    """A model.

    Args:
        source: path of an ``.onnx`` file, its bytes, or a model in memory. An ``onnx_ir.Model`` is used as it is, not
            copied.

    Raises:
        ModelError: where the file cannot be read: missing, truncated, not ONNX, external data missing or elsewhere; or
            where the graph has a cycle.
    """

    def __init__(self, source: str | os.PathLike[str] | bytes | onnx.ModelProto | ir.Model) -> None:
        if isinstance(source, ir.Model):
            self.model = source
        elif isinstance(source, onnx.ModelProto):
            self.model = model_from_proto(source, None, "model in memory")
        elif isinstance(source, bytes):
            self.model = model_from_bytes(source, None, "model in memory")
        else:
            self.model = model_from_file(Path(source))
        self._names = NameIndex(self.model.graph)

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

    def get_finn_nodes(self) -> list[ir.Node]:
        """The nodes of custom ops and hardware layers: all but those of the ONNX standard."""
        return [node for node in self.model.graph if node.domain not in ("", "ai.onnx")]

    def get_non_finn_nodes(self) -> list[ir.Node]:
        """The nodes of the ONNX standard."""
        return [node for node in self.model.graph if node.domain in ("", "ai.onnx")]

    def get_node_from_name(self, name: str) -> ir.Node | None:
        """The node of a name, None where there is none."""
        return self._names.node(name)

    def get_node_index(self, node: ir.Node) -> int | None:
        """A node's place in the graph's order, None where it is not in the graph. Linear in the number of nodes."""
        return next((index for index, entry in enumerate(self.model.graph) if entry is node), None)

    def value(self, name: Tensor) -> ir.Value:
        """The tensor of a name.

        Raises:
            ModelError: where the graph has no tensor of this name.
        """
        found = name if isinstance(name, ir.Value) else self._names.value(name)
        if found is None:
            raise ModelError(f"no tensor is called {name!r}")
        return found

    def get_all_tensor_names(self) -> list[str]:
        """Names of all tensors: inputs, initialisers, node outputs."""
        return self._names.all()

    def get_first_global_in(self) -> str:
        """Name of the first input."""
        return str(self.graph.inputs[0].name)

    def get_first_global_out(self) -> str:
        """Name of the first output."""
        return str(self.graph.outputs[0].name)

    def find_producer(self, name: Tensor) -> ir.Node | None:
        """The node that makes a tensor, None for inputs and initialisers."""
        return self.value(name).producer()

    def find_consumers(self, name: Tensor) -> list[ir.Node]:
        """The nodes that use a tensor, each once."""
        return list(self.value(name).consumers())

    def find_consumer(self, name: Tensor) -> ir.Node | None:
        """The node that uses a tensor, the first where there are more, None where there is none."""
        return next(iter(self.value(name).consumers()), None)

    def find_direct_predecessors(self, node: ir.Node) -> list[ir.Node]:
        """The nodes whose outputs a node uses."""
        return list(node.predecessors())

    def find_direct_successors(self, node: ir.Node) -> list[ir.Node]:
        """The nodes that use a node's outputs."""
        return list(node.successors())

    def find_upstream(
        self, name: Tensor, finder_fxn: Callable[[ir.Node], bool], keep_if_not_found: bool = False
    ) -> list[ir.Node]:
        """The nodes from a tensor's producer back along the first inputs, up to the one that is looked for.

        Args:
            name: where to start.
            finder_fxn: says of a node whether it is the one.
            keep_if_not_found: give the nodes up to the graph's input where there is no such node.

        Returns:
            The nodes met, the one looked for last; none where it is not there, unless ``keep_if_not_found``.
        """
        met: list[ir.Node] = []
        tensor: ir.Value | None = self.value(name)
        while tensor is not None and (node := tensor.producer()) is not None:
            met.append(node)
            if finder_fxn(node):
                return met
            tensor = node.inputs[0] if node.inputs else None
        return met if keep_if_not_found else []

    def is_fork_node(self, node: ir.Node) -> bool:
        """True where a node's outputs are used more than once, an output of the graph being a use."""
        return sum(len(value.uses()) + value.is_graph_output() for value in node.outputs) > 1

    def is_join_node(self, node: ir.Node) -> bool:
        """True where a node has more than one input that is no constant."""
        return sum(value is not None and not value.is_initializer() for value in node.inputs) > 1

    def get_tensor_fanout(self, name: Tensor) -> int:
        """How many nodes use a tensor."""
        return len(self.value(name).consumers())

    # -- tensors ---------------------------------------------------------------------------------------------------
    def get_tensor_shape(self, name: Tensor) -> list[int] | None:
        """Shape with the batch dimension first, None where it is not known or not static."""
        shape = get_shape(self.value(name))
        return None if shape is None else list(shape)

    def set_tensor_shape(self, name: Tensor, shape: Sequence[int], dtype: int | None = None) -> None:
        """Sets the shape of a tensor that is no initialiser.

        Args:
            name: of a tensor in the graph, or one that ``make_new_valueinfo_name`` gave.
            shape: batch dimension first.
            dtype: element type (``onnx.TensorProto.FLOAT``, …); stays as it is where not given, float where unknown.

        Raises:
            ModelError: where the tensor is an initialiser of another shape.
        """
        value = self.value(name)
        if value.const_value is not None and get_shape(value) != tuple(shape):
            raise ModelError(
                f"is a constant of shape {self.get_tensor_shape(value)}, not {list(shape)}",
                where=f"tensor {value.name}",
                remedy="Give it another value with set_initializer.",
            )
        value.shape = ir.Shape([int(dim) for dim in shape])
        if dtype is not None or value.type is None:
            value.type = ir.TensorType(ir.DataType.FLOAT if dtype is None else ir.DataType(dtype))

    def check_all_tensor_shapes_specified(self) -> bool:
        """True where every tensor that a node uses or makes has a static shape."""
        return all(
            get_shape(value) is not None
            for node in self.model.graph
            for value in (*node.inputs, *node.outputs)
            if value is not None
        )

    def get_tensor_datatype(self, name: Tensor) -> AnyDataType:
        """The annotated datatype, FLOAT32 where there is none."""
        return get_datatype(self.value(name))

    def set_tensor_datatype(self, name: Tensor, datatype: AnyDataType | None) -> None:
        """Annotates a tensor's datatype; None takes the annotation away."""
        set_datatype(self.value(name), datatype)

    def get_tensor_layout(self, name: Tensor) -> Layout | None:
        """The annotated data layout, None where there is none."""
        return get_layout(self.value(name))

    def set_tensor_layout(self, name: Tensor, layout: Sequence[str]) -> None:
        """Annotates a tensor's data layout."""
        set_layout(self.value(name), layout)

    def get_tensor_sparsity(self, name: Tensor) -> dict[str, Any] | None:
        """The annotated sparsity, None where there is none."""
        return get_sparsity(self.value(name))

    def set_tensor_sparsity(self, name: Tensor, sparsity: Mapping[str, Any]) -> None:
        """Annotates a tensor's sparsity, for example ``{"dw": {"kernel_shape": [3, 3]}}``."""
        set_sparsity(self.value(name), sparsity)

    @overload
    def get_initializer(self, name: Tensor, return_dtype: Literal[False] = False) -> Array | None: ...
    @overload
    def get_initializer(self, name: Tensor, return_dtype: Literal[True]) -> tuple[Array, int] | tuple[None, None]: ...
    def get_initializer(
        self, name: Tensor, return_dtype: bool = False
    ) -> Array | tuple[Array, int] | tuple[None, None] | None:
        """Value of an initialiser (read-only), None for other tensors.

        With ``return_dtype``: that and its element type (``onnx.TensorProto.FLOAT``, …).
        """
        value = name if isinstance(name, ir.Value) else self._names.value(name)
        constant = get_constant(value)
        if not return_dtype:
            return constant
        if value is None or constant is None or value.const_value is None:
            return None, None
        return constant, int(value.const_value.dtype)

    def set_initializer(self, name: Tensor, array: Array | np.generic) -> ir.Value:
        """Gives a tensor a constant value; makes the tensor where there is none of this name.

        Raises:
            ModelError: where a node makes the tensor.
        """
        value = (name if isinstance(name, ir.Value) else self._names.in_use(name)) or ir.Value(name=str(name))
        producer = value.producer()
        if producer is not None:
            raise ModelError(
                f"is an output of node {producer.name} ({producer.op_type}) and can be no constant",
                where=f"tensor {value.name}",
            )
        value.const_value = ir.Tensor(np.asarray(array, order="C"), name=value.name)
        value.shape = ir.Shape(np.shape(array))
        value.type = ir.TensorType(value.const_value.dtype)
        self.graph.initializers.add(value)
        self._names.add(value)
        return value

    def del_initializer(self, name: Tensor) -> None:
        """Takes a constant out of the graph.

        Raises:
            ModelError: where nodes use it.
        """
        value = self.value(name)
        if value.uses() and not value.is_graph_input():
            raise ModelError(f"is used by {len(value.consumers())} nodes", where=f"tensor {value.name}")
        self.graph.initializers.pop(str(value.name), None)
        value.const_value = None

    def rename_tensor(self, old_name: Tensor, new_name: str) -> None:
        """Gives a tensor another name.

        Raises:
            ModelError: where another tensor has it.
        """
        value, other = self.value(old_name), self._names.in_use(new_name)
        if other is not None and other is not value:
            raise ModelError(f"another tensor is called {new_name!r}", where=f"tensor {value.name}")
        value.name = new_name
        self._names.add(value)

    def make_new_valueinfo_name(self) -> str:
        """A tensor name that is not in use, for a constant or for the output of a node that is not in the graph yet."""
        return self._names.fresh()

    def make_empty_exec_context(self) -> dict[str, Array | None]:
        """An array for each tensor, by name: constants with their value, the others zeros; None for the name "".

        Raises:
            ModelError: for a tensor whose shape is not known.
        """
        context: dict[str, Array | None] = {}
        for name in self.get_all_tensor_names():
            value = self.value(name)
            shape = get_shape(value)
            if shape is None:
                raise ModelError("has no static shape", where=f"tensor {name}", remedy="Apply InferShapes.")
            dtype = np.dtype(np.float32) if value.dtype is None else value.dtype.numpy()
            context[name] = np.zeros(shape, dtype) if value.const_value is None else get_constant(value)
        return {**context, "": None}

    # -- changes -----------------------------------------------------------------------------------------------------
    def insert_node(
        self, node: ir.Node | onnx.NodeProto, *, before: ir.Node | None = None, after: ir.Node | None = None
    ) -> ir.Node:
        """Adds a node, at the end, before or after another one.

        Args:
            node: a node, or how ``onnx.helper.make_node`` describes one: its inputs are names of tensors, its outputs
                new names.
            before: the node to put it before.
            after: the node to put it behind.

        Returns:
            The node in the graph.

        Raises:
            ModelError: where there is no such input, or an output exists already.
        """
        added = self._node_from(node) if isinstance(node, onnx.NodeProto) else node
        if before is not None:
            self.graph.insert_before(before, added)
        elif after is not None:
            self.graph.insert_after(after, added)
        else:
            self.graph.append(added)
        return added

    def _node_from(self, proto: onnx.NodeProto) -> ir.Node:
        where = f"node {proto.name} ({proto.op_type})"
        outputs = [self._names.in_use(name) or ir.Value(name=name) for name in proto.output]
        taken = next((value for value in outputs if value.graph is not None), None)
        if taken is not None:
            raise ModelError(f"makes tensor {taken.name}, which is in the graph already", where=where)
        return ir.Node(
            proto.domain,
            proto.op_type,
            [self.value(name) if name else None for name in proto.input],
            [ir.from_proto(attribute) for attribute in proto.attribute],
            outputs=outputs,
            name=proto.name or None,
        )

    def remove_node(self, node: ir.Node) -> None:
        """Removes a node whose outputs nobody uses any more.

        Raises:
            ModelError: where a node or the graph uses one.
        """
        try:
            self.graph.remove(node, safe=True)
        except ValueError:
            raise ModelError(
                "is still used, or not of this graph", where=f"node {node.name} ({node.op_type})"
            ) from None

    def transform(
        self, transformation: AppliesToModel, make_deepcopy: bool = True, cleanup: bool = True
    ) -> ModelWrapper:
        """The model that a transformation makes of this one.

        Args:
            transformation: what to do.
            make_deepcopy: leave this model as it is. Without it, a transformation that can will work on this very
                model: use the result only.
            cleanup: tidy the result, see ``cleanup``.

        Raises:
            ModelError: what the transformation raises.
        """
        rewrite = None if make_deepcopy else getattr(transformation, "rewrite", None)
        if rewrite is None:
            result = transformation.apply(self)
        else:
            rewrite(self)
            result = self
        return result.cleanup() if cleanup else result

    def cleanup(self) -> ModelWrapper:
        """This model, tidied in place.

        Unused constants are gone, constants are no inputs, nodes are in an order in which they can run, commutative ops
        have their constants last, each use of a constant has a tensor of its own.

        Raises:
            ModelError: where the graph has a cycle.
        """
        clean_up(self.graph)
        return self

    def analysis(self, analysis_fxn: Callable[[ModelWrapper], _Result]) -> _Result:
        """What a function finds out about the model."""
        return analysis_fxn(self)

    def copy(self) -> ModelWrapper:
        """An independent model that shares the (immutable) tensors.

        Raises:
            ModelError: where the graph has a cycle.
        """
        sort_nodes(self.graph)  # onnx-ir clones sorted graphs only
        return ModelWrapper(self.model.clone())

    def __deepcopy__(self, memo: object) -> ModelWrapper:
        return self.copy()

    # -- metadata ------------------------------------------------------------------------------------------------------
    def get_metadata_prop(self, key: str) -> str | None:
        """A metadata property of the model, or of its graph, where newer qonnx keeps them."""
        found = self.model.metadata_props.get(key)
        return self.graph.metadata_props.get(key) if found is None else found

    def set_metadata_prop(self, key: str, value: str) -> None:
        """Sets a metadata property of the model."""
        self.model.metadata_props[key] = value

    def get_opset_imports(self) -> dict[str, int]:
        """Version of the ops, by domain."""
        return dict(self.model.opset_imports)

    def set_opset_import(self, domain: str, version: int) -> None:
        """Says which version of a domain's ops the model uses."""
        self.model.opset_imports[domain] = version

    # -- files ---------------------------------------------------------------------------------------------------------
    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the graph file, and tensors larger than 1 KiB beside it as ``tensors/<SHA-256>``.

        Equal models give equal bytes, whenever and wherever they are saved.
        """
        save_model(self.model, Path(path))

    def to_proto(self) -> onnx.ModelProto:
        """The model as protobuf, all tensors inline."""
        return ir.to_proto(self.model)
