"""Hardware layers as custom ops: NumPy, compiled C++ or simulated Verilog under the executor, as the node says."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.dataflow.layer import IntegerArray, Layer
from finnmake.dataflow.nodes import layer_from_node
from finnmake.dataflow.packing import PackedWords, memory_text, npy_to_packed, packed_to_npy
from finnmake.dataflow.registry import HARDWARE_DOMAIN, LAYER_CLASSES
from finnmake.dataflow.set_exec_mode import EXEC_MODE, EXEC_MODES
from finnmake.errors import ModelError
from finnmake.graph.custom_op import CustomOp, Execute, TensorInfo, attribute, describe, required
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_wrapper import get_shape
from finnmake.runtime.cppsim import CppSimulation
from finnmake.runtime.rtlsim import RtlSimulation
from finnmake.runtime.simulations import Simulations, missing_simulation

Array = NDArray[Any]

_Frames = Callable[[IntegerArray], IntegerArray]


class LayerOp(CustomOp):
    """Executes a hardware node by the engine in its attribute ``exec_mode``.

    Args:
        simulations: where compiled cores are; none are needed for NumPy.
    """

    def __init__(self, simulations: Simulations | None = None) -> None:
        self._simulations = simulations

    def prepare(self, node: ir.Node) -> Execute:
        """The layer and its engine, made once.

        Raises:
            ModelError: a layer that is not legal, an engine that there is not, or whose simulation is missing.
        """
        layer = layer_from_node(node)
        run = self._engine(layer, node)
        shape = get_shape(node.outputs[0])
        tail = shape[1:] if shape is not None else (-1,)
        elements = layer.input_stream().elements_per_frame

        def execute(inputs: Sequence[Array | None]) -> list[Array]:
            (frames,) = required(node, inputs, 1)
            integers = np.rint(frames).astype(np.int64).reshape(len(frames), elements)
            return [run(integers).reshape(len(frames), *tail).astype(np.float32)]

        return execute

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Frames in, frames out; float32 containers, whole batches."""
        return self.prepare(node)(inputs)

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """The input's shape with the vectors that the layer makes; flat where the input's is no shape of vectors."""
        layer = layer_from_node(node)
        before, after = layer.input_stream().elements_per_frame, layer.output_stream().elements_per_frame
        shape = inputs[0].shape
        if before == after:
            return [shape]
        vectors = int(np.prod(shape[1:-1]))
        if vectors == layer.structure().get("numInputVectors", 1):
            return [(*shape[:-1], after // vectors)]
        return [(shape[0], after)]

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """The datatype of the output stream."""
        return [layer_from_node(node).output_stream().datatype]

    def _engine(self, layer: Layer, node: ir.Node) -> _Frames:
        mode = str(attribute(node, EXEC_MODE, "")) or "python"
        if mode not in EXEC_MODES:
            raise ModelError(f"no exec_mode is called {mode!r}", where=describe(node), remedy=", ".join(EXEC_MODES))
        if mode == "python":
            return layer.execute
        places = self._simulations
        shared_object = None
        if places is not None:
            shared_object = places.cpp(layer) if mode == "cppsim" else places.rtl(layer)
        if shared_object is None:
            raise missing_simulation(mode, describe(node))
        make = _cpp_engine if mode == "cppsim" else _rtl_engine
        return _framed(layer, make(layer, shared_object), describe(node))


def layer_ops(simulations: Simulations | None = None) -> Mapping[tuple[str, str], CustomOp]:
    """The ops of all hardware layers.

    Args:
        simulations: where compiled cores are.
    """
    op = LayerOp(simulations)
    return {(HARDWARE_DOMAIN, op_type): op for op_type in LAYER_CLASSES}


def _framed(layer: Layer, run: Callable[[PackedWords, int], PackedWords], where: str) -> _Frames:
    """Frames of integers around what takes and makes packed words."""
    source, sink = layer.input_stream(), layer.output_stream()

    def execute(frames: IntegerArray) -> IntegerArray:
        try:
            words = npy_to_packed(frames, source.datatype, source.elements_per_word)
        except ModelError as problem:
            raise ModelError(problem.what, where=where, remedy=problem.remedy) from None
        outputs = run(words, len(frames) * sink.words_per_frame)
        return packed_to_npy(outputs, sink.datatype, sink.elements_per_word, sink.words_per_frame)

    return execute


def _cpp_engine(layer: Layer, shared_object: Path) -> Callable[[PackedWords, int], PackedWords]:
    simulation, memories = CppSimulation(shared_object), _Memories(layer)
    return lambda words, output_words: simulation.run(words, output_words, memories.files())


def _rtl_engine(layer: Layer, shared_object: Path) -> Callable[[PackedWords, int], PackedWords]:
    memories = _Memories(layer)
    memories.files()
    simulation = RtlSimulation(shared_object, memories.folder)
    return lambda words, output_words: simulation.run(words, output_words).outputs


class _Memories:
    """Memory files of a layer in a temporary folder that goes with this object."""

    def __init__(self, layer: Layer) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="finnmake-memories-")
        self.folder = Path(self._temporary.name)
        self._names = list(layer.memory_images())
        for name, image in layer.memory_images().items():
            (self.folder / f"{name}.mem").write_text(memory_text(image), encoding="utf-8")

    def files(self) -> dict[str, Path]:
        """The ``$readmemh`` files by the memories' names."""
        return {name: self.folder / f"{name}.mem" for name in self._names}
