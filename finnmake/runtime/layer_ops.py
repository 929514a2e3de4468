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
from finnmake.dataflow.streamed_weights import WEIGHT_PORT, streamed_weights
from finnmake.errors import ModelError
from finnmake.graph.custom_op import CustomOp, Execute, TensorInfo, attribute, describe, required
from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_wrapper import get_shape
from finnmake.runtime.cppsim import CppSimulation
from finnmake.runtime.rtlsim import RtlSimulation
from finnmake.runtime.simulations import Simulations, missing_simulation

Array = NDArray[Any]

_Frames = Callable[[Sequence[IntegerArray]], Sequence[IntegerArray]]
_Words = Callable[[Sequence[PackedWords], Sequence[int]], Sequence[PackedWords]]


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
        sources, shapes = layer.input_streams(), [get_shape(output) for output in node.outputs]
        tails = [shape[1:] if shape is not None else (-1,) for shape in shapes]
        weights = streamed_weights(node, layer)

        def execute(inputs: Sequence[Array | None]) -> list[Array]:
            tensors = required(node, inputs, len(sources))
            batch = len(tensors[0])
            streams = sources if weights is None else sources[:WEIGHT_PORT]
            frames = [
                np.rint(tensor).astype(np.int64).reshape(batch, source.elements_per_frame)
                for tensor, source in zip(tensors, streams, strict=False)
            ]
            frames += [] if weights is None else [weights.frames(batch)]
            return [
                output.reshape(batch, *tail).astype(np.float32) for output, tail in zip(run(frames), tails, strict=True)
            ]

        return execute

    def execute(self, node: ir.Node, inputs: Sequence[Array | None]) -> list[Array]:
        """Frames in, frames out; float32 containers, whole batches."""
        return self.prepare(node)(inputs)

    def infer_shapes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[tuple[int, ...]]:
        """The input's shape with the vectors that the layer makes; flat where the input's is no shape of vectors."""
        layer = layer_from_node(node)
        before = layer.input_streams()[0].elements_per_frame
        shape = inputs[0].shape
        image = layer.output_image()
        if image is not None:
            return [(shape[0], *image)]
        vectors = int(np.prod(shape[1:-1]))
        has_vectors = vectors == layer.structure().get("numInputVectors", 1)
        shapes = []
        for stream in layer.output_streams():
            after = stream.elements_per_frame
            flat = (*shape[:-1], after // vectors) if has_vectors else (shape[0], after)
            shapes.append(shape if before == after else flat)
        return shapes

    def infer_datatypes(self, node: ir.Node, inputs: Sequence[TensorInfo]) -> list[AnyDataType]:
        """The datatypes of the output streams."""
        return [stream.datatype for stream in layer_from_node(node).output_streams()]

    def _engine(self, layer: Layer, node: ir.Node) -> _Frames:
        mode = str(attribute(node, EXEC_MODE, "")) or "python"
        if mode not in EXEC_MODES:
            raise ModelError(f"no exec_mode is called {mode!r}", where=describe(node), remedy=", ".join(EXEC_MODES))
        if mode == "python":
            return layer.execute_streams
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


def _framed(layer: Layer, run: _Words, where: str) -> _Frames:
    """Frames of integers around what takes and makes packed words."""
    sources, sinks = layer.input_streams(), layer.output_streams()

    def execute(frames: Sequence[IntegerArray]) -> Sequence[IntegerArray]:
        try:
            words = [
                npy_to_packed(values, source.datatype, source.elements_per_word)
                for values, source in zip(frames, sources, strict=True)
            ]
        except ModelError as problem:
            raise ModelError(problem.what, where=where, remedy=problem.remedy) from None
        outputs = run(words, [len(frames[0]) * sink.words_per_frame for sink in sinks])
        return [
            packed_to_npy(output, sink.datatype, sink.elements_per_word, sink.words_per_frame)
            for output, sink in zip(outputs, sinks, strict=True)
        ]

    return execute


def _cpp_engine(layer: Layer, shared_object: Path) -> _Words:
    simulation, memories = CppSimulation(shared_object), _Memories(layer)
    return lambda words, output_words: simulation.run_streams(words, output_words, memories.files())


def _rtl_engine(layer: Layer, shared_object: Path) -> _Words:
    memories = _Memories(layer)
    memories.files()
    simulation = RtlSimulation(shared_object, memories.folder)
    return lambda words, output_words: simulation.run_streams(words, output_words).all_outputs


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
