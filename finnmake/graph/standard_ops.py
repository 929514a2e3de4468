"""Standard ONNX ops through onnxruntime, exactly as written: no fusion, no reordering, one thread.

Graph optimisation is off on purpose. It fuses batch normalisation into the matrix before it, which changes the last
bits of a result, and a quantiser's tie hangs on those. One thread, so that sums have the same order on every machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe

if TYPE_CHECKING:
    import onnxruntime

Array = NDArray[Any]

_IR_VERSION = 8
"""Of the models made here: read by every onnxruntime that finnmake supports, enough for every standard op."""


def is_standard(node: ir.Node) -> bool:
    """True for ops of the ONNX standard."""
    return node.domain in ("", "ai.onnx")


class StandardRun:
    """A run of standard ops that one onnxruntime session executes.

    Args:
        nodes: in an order in which they can run.
        outputs: the tensors wanted of them.
        opset: version of the standard ops.
        replaced: values of tensors that are to be constants of the run, whatever the graph says of them.
    """

    def __init__(
        self,
        nodes: Sequence[ir.Node],
        outputs: Sequence[ir.Value],
        opset: int,
        replaced: Mapping[ir.Value, Array] | None = None,
    ) -> None:
        self._nodes = list(nodes)
        self._opset = opset
        self.outputs = list(outputs)
        made = {output for node in nodes for output in node.outputs}
        used = dict.fromkeys(
            value for node in nodes for value in node.inputs if value is not None and value not in made
        )
        replaced = replaced or {}
        self._constants = {v: replaced.get(v, None) for v in used if v in replaced or v.const_value is not None}
        self.inputs = [value for value in used if value not in self._constants]
        self._sessions: dict[tuple[str, ...], onnxruntime.InferenceSession] = {}

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Executes the run on the arrays of ``self.inputs``.

        Raises:
            ModelError: where onnxruntime refuses; names the nodes.
        """
        names = [f"t{i}" for i in range(len(self.inputs))]
        kinds = tuple(str(array.dtype) for array in inputs)
        try:
            if kinds not in self._sessions:
                self._sessions[kinds] = _session(self._proto(names, inputs))
            results = self._sessions[kinds].run(None, dict(zip(names, inputs, strict=True)))
        except Exception as problem:  # noqa: BLE001 - onnxruntime has one exception class per status code and no common base
            first = str(problem).strip().splitlines()[0]
            raise ModelError(
                f"onnxruntime cannot execute it: {first}",
                where=", ".join(describe(node) for node in self._nodes[:4]) + (" …" if len(self._nodes) > 4 else ""),
                remedy="Check the shapes and the opset version of the model.",
            ) from None
        return [np.asarray(result) for result in results]

    def _proto(self, names: Sequence[str], inputs: Sequence[Array]) -> onnx.ModelProto:
        name_of: dict[ir.Value, str] = dict(zip(self.inputs, names, strict=True))
        proto = onnx.ModelProto(ir_version=_IR_VERSION)
        proto.opset_import.add(domain="", version=self._opset)
        graph = proto.graph
        graph.name = "run"
        for name, array in zip(names, inputs, strict=True):
            graph.input.add(name=name).type.tensor_type.elem_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        for value, replacement in self._constants.items():
            name_of[value] = f"c{len(name_of)}"
            if replacement is None and value.const_value is not None:
                tensor = ir.serde.serialize_tensor(value.const_value)
                tensor.name = name_of[value]
                graph.initializer.append(tensor)
            elif replacement is not None:
                graph.initializer.append(onnx.numpy_helper.from_array(replacement, name_of[value]))
        for node in self._nodes:
            for output in node.outputs:
                name_of[output] = f"v{len(name_of)}"
            entry = graph.node.add(op_type=node.op_type)
            entry.input.extend("" if value is None else name_of[value] for value in node.inputs)
            entry.output.extend(name_of[output] for output in node.outputs)
            entry.attribute.extend(ir.serde.serialize_attribute(attribute) for attribute in node.attributes.values())
        for output in self.outputs:
            graph.output.add(name=name_of[output])
        return proto


def _session(proto: onnx.ModelProto) -> onnxruntime.InferenceSession:
    # Most of what knows standard ops executes none. onnxruntime 1.32 tells its makers that it is used, and keeps notes
    # below HOME, unless this is set before its import.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
