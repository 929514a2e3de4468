"""Execution of a batch of inputs on what was built: the model, the cores in C++ or RTL, or the stitched design."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.codegen.actions import load_layer
from finnmake.dataflow.layer import IntegerArray, Layer, Stream
from finnmake.dataflow.packing import PackedWords, npy_to_packed, packed_to_npy
from finnmake.dataflow.stream_graph import INPUT, Source, from_host, stream_graph
from finnmake.dataflow.streamed_weights import WEIGHTS_FILE, StreamedWeights
from finnmake.errors import ModelError, VerificationError
from finnmake.frontend.input_quantisation import InputQuantisation, read_input_quantisation
from finnmake.graph.datatype import DataType
from finnmake.graph.element_order import reordered
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.cppsim import CppSimulation
from finnmake.runtime.execute import Executor
from finnmake.runtime.rtlsim import MAX_IDLE_CYCLES, RtlSimulation, StreamResult
from finnmake.transformation.host import output_scaling

Array = NDArray[Any]

_GRID_TOLERANCE = 1e-3
"""How far, in steps, a float input may lie from the integer that it stands for: float32 rounding, not noise."""


@dataclass(frozen=True)
class BatchResult:
    """What a batch gave.

    Attributes:
        outputs: shape (samples, ...).
        cycles_per_sample: cycles between samples in the steady state; None for engines without a clock.
        first_latency_cycles: from the first word in to the first word out; None for engines without a clock.
    """

    outputs: Array
    cycles_per_sample: int | None = None
    first_latency_cycles: int | None = None


def read_array(path: Path) -> Array:
    """The array of numbers in a ``.npy`` file.

    Raises:
        ModelError: the file cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as problem:
        raise ModelError(
            f"cannot be read as .npy: {problem}", where=str(path), remedy="Save one array with numpy.save."
        ) from None
    if array.dtype.kind not in "biuf":
        raise ModelError("is no array of numbers", where=str(path), remedy="Save one array with numpy.save.")
    return array


def sample_shape(source: ir.Value) -> tuple[int, ...]:
    """The shape of one sample of a model's input: the dimensions behind the batch, which alone may be open.

    Raises:
        ModelError: another one is open.
    """
    dims = list(source.shape or ())[1:]
    if not all(isinstance(dim, int) for dim in dims):
        raise ModelError(
            f"its shape {source.shape} is dynamic",
            where=f"input {source.name}",
            remedy="Export the model with a fixed input shape; the first dimension (batch) alone may stay open.",
        )
    return tuple(dim for dim in dims if isinstance(dim, int))


def load_inputs(path: Path, model: ModelWrapper) -> IntegerArray:
    """A batch of inputs as the integers that the hardware takes, shape (samples, elements).

    Integers are taken as they are, floats as the model's own inputs, which must lie on the integers' grid.

    Raises:
        ModelError: the file is no array, or its shape or values are not those of the model's input.
    """
    array = read_array(path)
    shape = sample_shape(model.graph.inputs[0])
    elements = int(np.prod(shape))
    if array.ndim == 0 or len(array) == 0 or array.size != len(array) * elements:
        raise ModelError(
            f"has shape {array.shape}", where=str(path), remedy=f"The model takes (samples, {elements}) or {shape}."
        )
    quantisation = read_input_quantisation(model)
    integers = _integers(array, quantisation, str(path))
    if not DataType[quantisation.datatype].allowed_array(integers):
        raise ModelError(f"holds integers that {quantisation.datatype} does not have", where=str(path))
    return integers.reshape(len(array), elements)


def _integers(array: Array, quantisation: InputQuantisation, where: str) -> IntegerArray:
    if array.dtype.kind != "f":
        # As they are: a large unsigned integer would be a negative one of 64 bits.
        lowest, highest = int(array.min()), int(array.max())
        if lowest < quantisation.minimum or highest > quantisation.maximum:
            raise ModelError(
                f"holds integers {lowest} … {highest}",
                where=where,
                remedy=f"The input takes {quantisation.datatype}, {quantisation.minimum} … {quantisation.maximum}.",
            )
        return array.astype(np.int64)
    if not np.isfinite(array).all():
        raise ModelError("holds NaN or infinity", where=where)
    integers = quantisation.to_integers(array)
    multiplier, divisor = (float(factor) for factor in quantisation.factors())
    exact = array.astype(np.float64) * divisor / multiplier + quantisation.zero_point
    distance = np.abs(exact - integers).max()
    if distance > _GRID_TOLERANCE:
        raise ModelError(
            f"holds floats that are up to {distance:.3g} steps off the input's grid of {quantisation.scale}",
            where=where,
            remedy=f"Give integers ({quantisation.datatype}), or whole multiples of {quantisation.scale}.",
        )
    return integers


def squeezed(outputs: Array) -> Array:
    """Outputs without trailing dimensions of size 1: one label a sample is an array of shape (samples,)."""
    while outputs.ndim > 1 and outputs.shape[-1] == 1:
        outputs = outputs[..., 0]
    return outputs


def run_model(model: ModelWrapper, frames: IntegerArray) -> Array:
    """The only output of a model whose input takes integers, shape (samples, ...)."""
    source = model.graph.inputs[0]
    inputs = frames.reshape(len(frames), *sample_shape(source)).astype(np.float32)
    outputs = Executor(model).run({str(source.name): inputs})
    return outputs[str(model.graph.outputs[0].name)]


def run_original(model: ModelWrapper, quantisation: InputQuantisation, frames: IntegerArray) -> Array:
    """The only output of a model as it was exported, on the floats that the integers stand for."""
    source = next(value for value in model.graph.inputs if not value.is_initializer())
    inputs = quantisation.to_floats(frames).reshape(len(frames), *sample_shape(source))
    outputs = Executor(model).run({str(source.name): inputs})
    return outputs[str(model.graph.outputs[0].name)]


def best_labels(outputs: Array, count: int) -> Array:
    """The classes with the largest scores, best first, the lowest first among equals: shape (samples, count).

    Args:
        outputs: scores, shape (samples, classes); or integers, the labels of a model that ends in them.
        count: of labels.
    """
    if outputs.dtype.kind in "iu":
        return outputs
    return np.argsort(-outputs, axis=1, kind="stable")[:, :count]


def reference_outputs(model: ModelWrapper, imported: ModelWrapper, frames: IntegerArray, *, labels: int) -> Array:
    """What the model as it was exported gives; a classifier's scores become labels, see ``best_labels``.

    Args:
        model: as exported.
        imported: the same, imported: says what the integers stand for.
        frames: integers, shape (samples, elements).
        labels: how many the last layer selects; 0 where it selects none.
    """
    outputs = run_original(model, read_input_quantisation(imported), frames)
    return best_labels(outputs, labels) if labels else outputs


def output_integers(layers: ModelWrapper, outputs: Array) -> IntegerArray:
    """The integers behind the model's float outputs: float = scale * integer + bias, as the folded graph records it.

    Returns:
        Shape (samples, elements).

    Raises:
        VerificationError: an output is no such float, by more than float32 rounding.
    """
    scale, bias = output_scaling(layers) or (np.float64(1), np.float64(0))
    exact = (outputs.reshape(len(outputs), -1).astype(np.float64) - bias) / scale
    integers = np.rint(exact)
    distance = float(np.abs(exact - integers).max(initial=0))
    if distance > _GRID_TOLERANCE * max(1.0, float(np.abs(integers).max(initial=0)) / 1000):
        raise VerificationError(
            f"the model's outputs lie up to {distance:.3g} steps off the grid of its output scale", where="reference"
        )
    return integers.astype(np.int64)


def output_floats(integers: IntegerArray, scale: Sequence[float], bias: Sequence[float]) -> Array:
    """The model's outputs that the hardware's integers stand for, float32; the integers where there is no scale."""
    return (integers * np.asarray(scale) + np.asarray(bias)).astype(np.float32) if len(scale) else integers


def run_graph(model: ModelWrapper, frames: IntegerArray) -> IntegerArray:
    """The integers that the hardware layers in a model give, shape (samples, output elements of a frame).

    Frames and integers are in the order of the model's input and output: they are turned as the host does it.
    """
    graph = stream_graph(model)
    made: dict[Source, IntegerArray] = {INPUT: reordered(frames, graph.input_order)}
    made |= {(-1, number): each.weights.frames(len(frames)) for number, each in enumerate(graph.weights, 1)}
    for position, (layer, sources) in enumerate(zip(graph.layers, graph.sources, strict=True)):
        outputs = layer.execute_streams([made.pop(source) for source in sources])
        made.update({(position, port): output for port, output in enumerate(outputs)})
    return reordered(made[len(graph.layers) - 1, 0], graph.output_order)


def weight_words(entry: Mapping[str, Any], file: Path, frames: int) -> PackedWords:
    """The words of weights that go with so many frames of the input.

    Args:
        entry: of ``weights`` in the manifest.
        file: the words of a vector, as the layer's ``streamed_weights.npy`` has them.
        frames: how many.
    """
    port = entry["stream"]
    stream = Stream(DataType[port["datatype"]], port["elements_per_word"], port["words_per_frame"])
    weights = StreamedWeights(stream, read_array(file).astype(np.int64))
    return npy_to_packed(weights.frames(frames), stream.datatype, stream.elements_per_word)


@dataclass(frozen=True)
class Core:
    """A core that was built: its folder, and where its inputs come from, as the manifest has it."""

    folder: Path
    sources: tuple[Source, ...]


def run_layers(
    cores: Sequence[Core],
    frames: IntegerArray,
    simulate: Callable[[Core, Layer, list[PackedWords], list[int]], Sequence[PackedWords]],
) -> IntegerArray:
    """Runs the cores one after the other, each on the whole batch."""
    made: dict[Source, IntegerArray] = {INPUT: frames}
    for position, core in enumerate(cores):
        layer = load_layer(core.folder)
        for source, stream in zip(core.sources, layer.input_streams(), strict=True):
            if from_host(source) and source != INPUT:
                words = read_array(core.folder / WEIGHTS_FILE).astype(np.int64)
                made[source] = StreamedWeights(stream, words).frames(len(frames))
        packed = [
            npy_to_packed(made.pop(source), stream.datatype, stream.elements_per_word)
            for source, stream in zip(core.sources, layer.input_streams(), strict=True)
        ]
        sinks = layer.output_streams()
        outputs = simulate(core, layer, packed, [len(frames) * sink.words_per_frame for sink in sinks])
        for port, (output, sink) in enumerate(zip(outputs, sinks, strict=True)):
            made[position, port] = packed_to_npy(output, sink.datatype, sink.elements_per_word, sink.words_per_frame)
    return made[len(cores) - 1, 0]


def run_cpp(cores: Sequence[Core], frames: IntegerArray) -> BatchResult:
    """Runs every core's C++."""

    def simulate(core: Core, layer: Layer, words: list[PackedWords], output_words: list[int]) -> Sequence[PackedWords]:
        memories = {name: core.folder / f"{name}.mem" for name in layer.memory_images()}
        return CppSimulation(core.folder / "cppsim.so").run_streams(words, output_words, memories)

    return BatchResult(run_layers(cores, frames, simulate))


def run_rtl(cores: Sequence[Core], frames: IntegerArray) -> BatchResult:
    """Runs every core's RTL.

    The interval is that of the slowest core. The latency is the sum of the cores' own latencies on the longest way,
    each measured with its inputs at full rate: a lower bound of the stitched design's.
    """
    intervals: list[int] = []
    latencies: list[int] = []

    def simulate(core: Core, layer: Layer, words: list[PackedWords], output_words: list[int]) -> Sequence[PackedWords]:
        with RtlSimulation(core.folder / "rtlsim.so", core.folder) as simulation:
            result = simulation.run_streams(words, output_words)
        intervals.append(interval(result, layer.output_streams()[0].words_per_frame))
        before = max(latencies[position] if position >= 0 else 0 for position, _ in core.sources)
        latencies.append(before + result.first_output_latency())
        return result.all_outputs

    outputs = run_layers(cores, frames, simulate)
    return BatchResult(outputs, max(intervals), latencies[-1])


def run_stitched(folder: Path, run_time: Path, frames: IntegerArray) -> BatchResult:
    """Runs the stitched design: ``folder/rtlsim.so``, with ``CORE.so`` and the layers' memory files in ``run_time``."""
    manifest = json.loads((folder.parent / "manifest.json").read_text(encoding="utf-8"))
    layers = manifest["layers"]
    first, last = load_layer(folder.parent / "layers" / layers[0]["name"]), layers[-1]["name"]
    source, sink = first.input_stream(), load_layer(folder.parent / "layers" / last).output_stream()
    words = npy_to_packed(frames, source.datatype, source.elements_per_word)
    weights = [
        weight_words(entry, folder.parent / "layers" / entry["layer"] / WEIGHTS_FILE, len(frames))
        for entry in manifest["weights"]
    ]
    with RtlSimulation(folder / "rtlsim.so", run_time) as simulation:
        result = simulation.run_streams(
            [words, *weights], [len(frames) * sink.words_per_frame], max_idle_cycles=idle_limit(layers)
        )
    outputs = packed_to_npy(result.outputs, sink.datatype, sink.elements_per_word, sink.words_per_frame)
    return BatchResult(outputs, interval(result, sink.words_per_frame), result.first_output_latency())


def idle_limit(layers: Sequence[Mapping[str, Any]]) -> int:
    """Cycles without a transfer at its ports after which a stitched design of these layers of a manifest is stuck.

    The oldest frame in a design waits for none other: it is through when each layer has begun behind the end of the one
    before. Layers by HLS tools may take longer than they state.
    """
    return MAX_IDLE_CYCLES + sum(int(layer["interval"]) + int(layer["latency"]) for layer in layers)


def interval(result: StreamResult, words_per_frame: int) -> int:
    """Cycles between the last frames; all cycles where there was one frame only."""
    intervals = result.output_intervals(words_per_frame)
    return int(intervals[-1]) if len(intervals) else result.cycles
