"""Reference execution: standard ops in maximal runs through onnxruntime, custom ops in NumPy, whole batches.

Models have their batch size, 1, written into them; any batch is executed: at once where every op leaves the samples of
a batch apart (``batching``), else one sample after the other. Either way a sample's results are the same, to the last
bit, as when it is alone, except where onnxruntime reduces floats (``ReduceMean`` and the like): it may add them in
another order, which integers do not feel. What depends on constants only (weights' quantisers) is computed once per
``Executor``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.custom_op import CustomOps, Execute, attribute, describe
from finnmake.graph.model_wrapper import ModelWrapper, get_constant
from finnmake.graph.registry import REGISTERED_OPS
from finnmake.graph.standard_ops import StandardRun, is_standard
from finnmake.runtime.batching import Batched

Array = NDArray[Any]
_Step = tuple[Sequence[ir.Value | None], Sequence[ir.Value], Execute]

_CHUNK_BYTES = 8 << 20
"""Input bytes per pass: a batch is cut so that intermediate tensors stay near the caches."""


class Executor:
    """A model made ready to run.

    Args:
        model: any model, as exported or in between transformations.
        custom_ops: table of custom ops; the general ops and the hardware layers where not given.
        keep_all: make every intermediate tensor available.
        simulations: folder with the simulations of hardware layers that run as C++ or Verilog; where not given, the one
            that ``CompileCppSim`` or ``PrepareRTLSim`` left with the model.

    Raises:
        ModelError: for a custom op that the table does not have, or a simulation that there is not.
    """

    def __init__(
        self,
        model: ModelWrapper,
        *,
        custom_ops: CustomOps | None = None,
        keep_all: bool = False,
        simulations: str | os.PathLike[str] | None = None,
    ) -> None:
        self._model = model
        self._ops = custom_ops if custom_ops is not None else default_custom_ops(model, simulations)
        self._keep_all = keep_all
        self._opset = model.model.opset_imports.get("", 1)
        self._replaced: Mapping[ir.Value, Array] = {}
        self._inputs = [value for value in model.graph.inputs if not value.is_initializer()]
        self._known: dict[ir.Value, Array] = {}
        constant_nodes, nodes = _split_constant(model.graph)
        wanted = {v for node in model.graph for v in node.inputs if v is not None} | set(model.graph.outputs)
        for step in self._steps(constant_nodes, wanted):
            _advance(step, self._known)
        self._written = _written_batch(self._inputs)
        batched = Batched(self._inputs, nodes, self._known, self._written)
        self.mixing = batched.mixing
        self._replaced = self._known if self.mixing is not None else {**self._known, **batched.targets}
        self._schedule = self._steps(nodes, wanted)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Executes whole batches.

        Args:
            inputs: by tensor name, shape (batch, …); integers are converted to the input's type.

        Returns:
            Outputs by tensor name (every tensor where ``keep_all``).

        Raises:
            ModelError: for an input that is missing, unknown or of the wrong shape.
        """
        arrays = self._checked(inputs)
        rows = self._rows(arrays)
        batch = next((len(array) for array in arrays.values() if rows), 0)
        if not rows or rows >= batch:
            return self._run(arrays)
        pieces = [self._run({v: a[i : i + rows] for v, a in arrays.items()}) for i in range(0, batch, rows)]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def _rows(self, arrays: Mapping[ir.Value, Array]) -> int:
        """Samples per pass; 0 where the inputs are no batches.

        Raises:
            ModelError: for inputs of several lengths, or a batch of a graph that is not made for one.
        """
        sizes = {len(array) if array.ndim else 0 for array in arrays.values()}
        if not self._written or not sizes or 0 in sizes:
            return 0
        batch = max(sizes)
        if len(sizes) > 1:
            lengths = ", ".join(f"{value.name}: {len(array)}" for value, array in arrays.items())
            raise ModelError(f"the inputs have different numbers of samples: {lengths}")
        if self.mixing is not None and batch != self._written:
            if self._keep_all or batch % self._written:
                raise ModelError(
                    f"runs batches of {self._written} only",
                    where=describe(self.mixing),
                    remedy=f"This node may mix samples. Give {self._written} at once.",
                )
            return self._written
        if self._keep_all:
            return batch
        return max(1, _CHUNK_BYTES * batch // max(1, sum(array.nbytes for array in arrays.values())))

    def _run(self, arrays: Mapping[ir.Value, Array]) -> dict[str, Array]:
        values = {**self._known, **arrays}
        for step in self._schedule:
            _advance(step, values)
        if self._keep_all:
            initialisers = {v: get_constant(v) for v in self._model.graph.initializers.values()}
            context = {str(v.name): a for v, a in {**initialisers, **values}.items() if a is not None}
            for node in self._model.get_nodes_by_op_type("DebugMarker"):
                # What the training framework calls the tensor, to compare with it.
                context[str(attribute(node, "export_debug_name", node.name))] = values[node.outputs[0]]
            return context
        return {str(v.name): _value(v, values) for v in self._model.graph.outputs}

    def _checked(self, inputs: Mapping[str, Array]) -> dict[ir.Value, Array]:
        by_name = {str(value.name): value for value in self._inputs}
        for name in inputs:
            if name not in by_name:
                raise ModelError(f"the model has no input {name!r}", remedy=f"Its inputs: {', '.join(by_name)}.")
        checked: dict[ir.Value, Array] = {}
        for name, value in by_name.items():
            if name not in inputs:
                raise ModelError(f"no array is given for input {name!r}")
            array = np.asarray(inputs[name], dtype=value.dtype.numpy() if value.dtype is not None else None)
            shape = value.shape
            if shape is not None and (
                array.ndim != len(shape)
                or any(
                    isinstance(dim, int) and dim != size for dim, size in zip(shape[1:], array.shape[1:], strict=True)
                )
            ):
                raise ModelError(
                    f"input {name!r} has shape {array.shape}, the model wants {shape} with any first dimension"
                )
            checked[value] = np.asarray(array, order="C")
        return checked

    def _steps(self, nodes: Sequence[ir.Node], wanted: set[ir.Value]) -> list[_Step]:
        phases: dict[ir.Node, int] = {}
        runs: dict[int, list[ir.Node]] = {}
        for node in nodes:
            producers = [value.producer() for value in node.inputs if value is not None]
            before = [phases.get(producer, 0) for producer in producers if producer is not None]
            phase = max(before, default=0)
            # Even phases are standard ops, odd ones custom: a node waits for the next phase of its kind.
            phase += (phase + (0 if is_standard(node) else 1)) % 2
            phases[node] = phase
            runs.setdefault(phase, []).append(node)
        steps: list[_Step] = []
        for phase in sorted(runs):
            if phase % 2:
                steps += [self._custom(node) for node in runs[phase]]
            else:
                inside = set(runs[phase])
                outputs = [
                    value
                    for node in runs[phase]
                    for value in node.outputs
                    if value.name
                    and (
                        self._keep_all
                        or (
                            value in wanted
                            and (
                                value.is_graph_output() or any(consumer not in inside for consumer in value.consumers())
                            )
                        )
                    )
                ]
                if outputs:
                    steps.append(self._standard(runs[phase], outputs))
        return steps

    def _standard(self, nodes: list[ir.Node], outputs: list[ir.Value]) -> _Step:
        run = StandardRun(nodes, outputs, self._opset, self._replaced)
        return run.inputs, run.outputs, lambda arrays: run([array for array in arrays if array is not None])

    def _custom(self, node: ir.Node) -> _Step:
        op = self._ops.find(node)
        if op is None:
            raise ModelError(
                f"no op is called {node.domain}::{node.op_type}",
                where=describe(node),
                remedy="Register a CustomOp for it, or export the model without it.",
            )
        return node.inputs, node.outputs, op.prepare(node)


def execute_onnx(
    model: ModelWrapper,
    inputs: Mapping[str, Array],
    return_full_exec_context: bool = False,
    *,
    custom_ops: CustomOps | None = None,
    simulations: str | os.PathLike[str] | None = None,
) -> dict[str, Array]:
    """Executes a model once; to run more batches through one model, keep an ``Executor``.

    Args:
        model: any model.
        inputs: arrays by input name, batch first.
        return_full_exec_context: every tensor rather than the outputs.
        custom_ops: table of custom ops.
        simulations: folder with the simulations of hardware layers.

    Raises:
        ModelError: see ``Executor``.
    """
    executor = Executor(model, custom_ops=custom_ops, keep_all=return_full_exec_context, simulations=simulations)
    return executor.run(inputs)


def _written_batch(inputs: Sequence[ir.Value]) -> int:
    """The batch size that is written into the inputs' shapes: 1 where they leave it open, 0 where they differ."""
    sizes = {value.shape[0] if value.shape is not None and len(value.shape) else 0 for value in inputs}
    fixed = {size for size in sizes if isinstance(size, int)}
    return (fixed.pop() if fixed else 1) if len(fixed) <= 1 else 0


def default_custom_ops(model: ModelWrapper, simulations: str | os.PathLike[str] | None = None) -> CustomOps:
    """All registered ops, and the hardware layers where the model has any.

    Args:
        model: to execute.
        simulations: see ``Executor``.
    """
    if any(node.domain == "finnmake.dataflow" for node in model.graph):
        from finnmake.runtime.layer_ops import layer_ops  # imported late: most models have no layers
        from finnmake.runtime.simulations import Simulations, known_simulations

        place = known_simulations(model) if simulations is None else Simulations(Path(simulations))
        return REGISTERED_OPS.extended(layer_ops(place))
    return REGISTERED_OPS


def _advance(step: _Step, values: dict[ir.Value, Array]) -> None:
    inputs, outputs, function = step
    arrays = [None if value is None else _value(value, values) for value in inputs]
    values.update(zip(outputs, function(arrays), strict=False))


def _value(value: ir.Value, values: Mapping[ir.Value, Array]) -> Array:
    found = values[value] if value in values else get_constant(value)
    if found is None:
        raise ModelError(
            f"tensor {value.name} has no value", remedy="The graph is not in an order in which it can run."
        )
    return found


def _split_constant(graph: ir.Graph) -> tuple[list[ir.Node], list[ir.Node]]:
    """The nodes that depend on constants only, and the others."""
    constant: dict[ir.Node, None] = {}
    others: list[ir.Node] = []
    for node in graph:
        if all(v is None or v.const_value is not None or v.producer() in constant for v in node.inputs):
            constant[node] = None
        else:
            others.append(node)
    return list(constant), others
