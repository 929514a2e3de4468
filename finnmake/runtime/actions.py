"""What worker processes run: simulations of cores and of the stitched design, against NumPy and the reference.

Each function reads and writes files relative to the current folder, which holds the declared inputs only. Equality
is ``==`` on integers; anything else raises ``VerificationError``, and nothing is stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finnmake.codegen.actions import load_layer
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import IntegerArray, Layer
from finnmake.dataflow.layer_file import parameter_bytes
from finnmake.dataflow.packing import PackedWords, npy_to_packed, packed_to_npy
from finnmake.dataflow.stream_graph import stream_graph
from finnmake.errors import ModelError, VerificationError
from finnmake.frontend.input_quantisation import read_input_quantisation
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.element_order import parse_order, reordered
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.batch import (
    best_labels,
    idle_limit,
    load_inputs,
    output_integers,
    read_array,
    run_graph,
    run_original,
    weight_words,
)
from finnmake.runtime.cppsim import CppSimulation
from finnmake.runtime.exact_sums import run_with_exact_sums
from finnmake.runtime.rtlsim import RtlSimulation

Array = NDArray[Any]

CORE_FRAMES = 6
"""Frames a core is simulated with: enough for a steady state behind the first."""

RANDOM_SAMPLES, FEWEST_SAMPLES = 64, 2
"""Samples of a build without any of its own: for small designs, and for large ones."""

REFERENCE_CYCLES = 1 << 28
"""Cycles that the slowest layer, not folded, takes for the samples of such a build, unless that is too few samples."""

SIMULATED_LAYER_CYCLES = 1 << 25
"""Cycles, times layers, that the stitched simulation of such a build takes at most, unless that is too few samples."""

_STALLS = ((0.0, 0.0), (0.4, 0.4), (0.0, 0.6), (0.6, 0.0))


def random_frames(datatype: AnyDataType, frames: int, elements: int, seed: int) -> IntegerArray:
    """Uniformly random values of a datatype, the first frame its minimum and the second its maximum throughout.

    Returns:
        Shape (frames, elements), int64.
    """
    generator = np.random.default_rng(seed)
    values = generator.integers(int(datatype.min()), int(datatype.max()), (frames, elements), endpoint=True)
    if datatype.name == "BIPOLAR":
        values = np.where(values >= 0, 1, -1)
    values[0], values[1 % frames] = int(datatype.min()), int(datatype.max())
    return values.astype(np.int64)


def _stimulus(layer: Layer) -> tuple[list[PackedWords], tuple[IntegerArray, ...]]:
    """Words for every input stream, and what must come of them on every output stream."""
    streams = layer.input_streams()
    frames = [
        random_frames(stream.datatype, CORE_FRAMES, stream.elements_per_frame, seed=1 + port)
        for port, stream in enumerate(streams)
    ]
    words = [
        npy_to_packed(values, stream.datatype, stream.elements_per_word)
        for values, stream in zip(frames, streams, strict=True)
    ]
    return words, layer.execute_streams(frames)


def _output_words(layer: Layer) -> list[int]:
    return [CORE_FRAMES * stream.words_per_frame for stream in layer.output_streams()]


def _check_words(layer: Layer, outputs: Sequence[PackedWords], expected: Sequence[IntegerArray], what: str) -> None:
    """Compares the words of every output stream with the reference."""
    for words, stream, wanted in zip(outputs, layer.output_streams(), expected, strict=True):
        actual = packed_to_npy(words, stream.datatype, stream.elements_per_word, stream.words_per_frame)
        check_equal(actual, wanted, what, layer.core_name())


def check_equal(actual: IntegerArray, expected: IntegerArray, what: str, where: str) -> None:
    """Compares integers with ``==``.

    Raises:
        VerificationError: says how many differ, and the first of them.
    """
    if actual.shape != expected.shape:
        raise VerificationError(f"{what} has shape {actual.shape}, expected {expected.shape}", where=where)
    different = np.argwhere(actual != expected)
    if len(different):
        first = tuple(int(index) for index in different[0])
        raise VerificationError(
            f"{what} differs in {len(different)} of {expected.size} values; the first at {list(first)}: "
            f"{actual[first]} instead of {expected[first]}",
            where=where,
        )


def _write_json(name: str, body: Mapping[str, object]) -> None:
    Path("out", name).write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def reference() -> None:
    """Runs the model as it was exported, and the layers in NumPy, on the samples; they must be equal.

    Samples on which the order of the model's own float32 additions decides are counted: there the layers must be equal
    to the model with exact sums.

    Reads ``model.onnx``, ``imported/graph.onnx``, ``in/graph.onnx`` and, where they are there, ``samples.npy`` and
    ``labels.npy``. Writes ``out/samples.npy`` (integers, one frame a row), ``out/expected.npy`` (the integers that
    the hardware must give) and ``out/reference.json``.
    """
    imported, layers = ModelWrapper(Path("imported/graph.onnx")), ModelWrapper(Path("in/graph.onnx"))
    chain = stream_graph(layers).layers
    samples = _samples(imported, chain)
    wanted = run_original(ModelWrapper(Path("model.onnx")), read_input_quantisation(imported), samples)
    expected = run_graph(layers, samples)
    integers = _hardware_outputs(layers, wanted, expected.shape)
    rounded = np.flatnonzero((expected != integers).any(axis=1))
    if len(rounded):
        exact = run_with_exact_sums(imported, samples[rounded])
        integers[rounded] = _hardware_outputs(layers, exact, expected[rounded].shape)
    check_equal(expected, integers, "the layers' output", "reference")
    for name, array in (("samples", samples), ("expected", expected)):
        Path("out", f"{name}.npy").write_bytes(parameter_bytes(array))
    _write_json(
        "reference.json",
        {
            "samples": len(samples),
            "random": not Path("samples.npy").exists(),
            "mismatches": 0,
            "equal_scores": _equal_scores(layers, wanted),
            "rounding_ties": rounded.tolist(),
            "accuracy": _accuracy(expected, chain[-1]),
        },
    )


def _hardware_outputs(layers: ModelWrapper, outputs: Array, shape: tuple[int, ...]) -> IntegerArray:
    """The integers of this shape that the hardware gives where the model gives ``outputs``.

    Raises:
        VerificationError: outputs of another size.
    """
    if layers.nodes[-1].op_type == "LabelSelect":
        integers = best_labels(outputs, shape[1]).astype(np.int64)
    else:
        integers = output_integers(layers, outputs)
    if integers.size != np.prod(shape):
        raise VerificationError(f"the model's output has shape {outputs.shape}, the layers' {shape}", where="reference")
    return integers.reshape(shape)


def _equal_scores(layers: ModelWrapper, outputs: Array) -> int:
    """Samples whose largest score several classes have; the hardware takes the first of them, as the model does."""
    if layers.nodes[-1].op_type != "LabelSelect" or outputs.dtype.kind in "iu":
        return 0
    return int(((outputs == outputs.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())


def _samples(imported: ModelWrapper, layers: Sequence[Layer]) -> IntegerArray:
    """The user's samples, or random ones, with the smallest and the largest input where they are as many as can be."""
    if Path("samples.npy").exists():
        return load_inputs(Path("samples.npy"), imported)
    quantisation = read_input_quantisation(imported)
    elements = int(np.prod((imported.get_tensor_shape(imported.graph.inputs[0]) or ())[1:]))
    cycles = max(layer.interval_cycles() for layer in layers)
    count = min(RANDOM_SAMPLES, max(FEWEST_SAMPLES, REFERENCE_CYCLES // cycles))
    frames = random_frames(DataType[quantisation.datatype], RANDOM_SAMPLES, elements, seed=0)[-count:]
    # A narrow quantiser leaves out one end of its datatype: the model does not say what comes of that integer.
    return np.clip(frames, quantisation.minimum, quantisation.maximum)


def _accuracy(outputs: IntegerArray, last: Layer) -> float | None:
    if not Path("labels.npy").exists():
        return None
    labels = read_array(Path("labels.npy")).reshape(-1)
    if len(labels) != len(outputs) or outputs.shape[1] != 1:
        raise ModelError(
            f"{len(labels)} labels for {len(outputs)} samples of {outputs.shape[1]} outputs",
            where="labels",
            remedy="Give one label a sample, and a classifier that ends in a label.",
        )
    datatype = last.output_stream().datatype
    lowest, highest = (
        (0, last.Labels - 1) if isinstance(last, LabelSelect) else (int(datatype.min()), int(datatype.max()))
    )
    wrong = np.flatnonzero(~((labels >= lowest) & (labels <= highest) & (labels == np.rint(labels))))
    if len(wrong):
        raise ModelError(
            f"{len(wrong)} of {len(labels)} are not among the network's, {lowest} … {highest}; the first is "
            f"{labels[wrong[0]]}, of sample {wrong[0]}",
            where="labels",
            remedy="Give whole numbers as the network's output has them; classes are counted from 0.",
        )
    return float((outputs[:, 0] == labels).mean())


def simulate_core_cpp() -> None:
    """Runs ``cppsim.so`` on random frames; its words must equal the NumPy reference. Writes ``out/cppsim.json``."""
    layer = load_layer(Path())
    words, expected = _stimulus(layer)
    simulation = CppSimulation(Path("cppsim.so"))
    memories = {name: Path(f"{name}.mem") for name in layer.memory_images()}
    outputs = simulation.run_streams(words, _output_words(layer), memories)
    _check_words(layer, outputs, expected, "the C++ simulation")
    _write_json("cppsim.json", {"core": layer.core_name(), "frames": CORE_FRAMES, "mismatches": 0})


def simulate_core_rtl() -> None:
    """Runs ``rtlsim.so`` on random frames, at full rate and with random stalls on both sides.

    Words must equal the NumPy reference; interval and latency at full rate must be those that the layer states, to
    the cycle. Writes ``out/rtlsim.json``.
    """
    layer = load_layer(Path())
    measured = _simulate_rtl(layer, surplus_cycles=64)
    stated = {
        "interval_cycles": layer.interval_cycles(),
        "first_output_latency": layer.first_output_latency(),
    }
    if measured != stated:
        raise VerificationError(f"the core takes {measured}, the layer states {stated}", where=layer.core_name())
    _write_json("rtlsim.json", {"core": layer.core_name(), "frames": CORE_FRAMES, "mismatches": 0, **measured})


def simulate_core_hls() -> None:
    """`simulate_core_rtl` for a core that an HLS tool made: its cycles are what the simulation measures.

    Words too many are not looked for: such a core may begin the next frame before the words that it needs of it.
    """
    layer = load_layer(Path())
    measured = _simulate_rtl(layer, surplus_cycles=0)
    _write_json("rtlsim.json", {"core": layer.core_name(), "frames": CORE_FRAMES, "mismatches": 0, **measured})


def _simulate_rtl(layer: Layer, surplus_cycles: int) -> dict[str, int]:
    """Compares words with the reference; cycles at full rate."""
    words, expected = _stimulus(layer)
    stream, output_words = layer.output_streams()[0], _output_words(layer)
    measured: dict[str, int] = {}
    with RtlSimulation(Path("rtlsim.so"), Path()) as simulation:
        for seed, (input_stall, output_stall) in enumerate(_STALLS):
            result = simulation.run_streams(
                words,
                output_words,
                input_stall=input_stall,
                output_stall=output_stall,
                seed=seed,
                surplus_cycles=surplus_cycles,
            )
            _check_words(layer, result.all_outputs, expected, "the RTL simulation")
            if input_stall == output_stall == 0:
                intervals = result.output_intervals(stream.words_per_frame)
                measured["interval_cycles"] = int(intervals[-1])
                measured["first_output_latency"] = result.first_output_latency()
    return measured


def _stream_datatype(stream: Mapping[str, Any]) -> AnyDataType:
    return DataType[stream["datatype"]]


def simulate_stitched() -> None:
    """Runs the stitched ``rtlsim.so`` on ``samples.npy``; outputs must equal ``expected.npy``.

    Random samples, of which ``reference.json`` tells, are left out where the design is large. Both files have the order
    of the model's input and output: frames are turned as the host turns them.

    Writes ``out/rtlsim.json`` with the measured interval and latency, and what ``cycle_model.json`` says of them where
    there is one.
    """
    manifest = json.loads(Path("manifest.json").read_text(encoding="utf-8"))
    layers = manifest["layers"]
    source, sink = layers[0]["inputs"][0], layers[-1]["outputs"][0]
    count = _simulated_frames(layers)
    samples = np.load("samples.npy", allow_pickle=False).astype(np.int64)[-count:]
    expected = np.load("expected.npy", allow_pickle=False).astype(np.int64)[-count:]
    frames = reordered(samples, parse_order(manifest["input_order"]))
    words = npy_to_packed(frames, _stream_datatype(source), source["elements_per_word"])
    weights = [
        weight_words(entry, Path(f"{entry['stream']['port']}.npy"), len(samples)) for entry in manifest["weights"]
    ]
    with RtlSimulation(Path("rtlsim.so"), Path()) as simulation:
        result = simulation.run_streams(
            [words, *weights],
            [len(samples) * sink["words_per_frame"]],
            max_idle_cycles=idle_limit(layers),
            surplus_cycles=1000,
        )
    outputs = packed_to_npy(result.outputs, _stream_datatype(sink), sink["elements_per_word"], sink["words_per_frame"])
    outputs = reordered(outputs, parse_order(manifest["output_order"]))
    check_equal(outputs, expected.reshape(outputs.shape), "the stitched RTL simulation", layers[0]["core"])
    intervals = result.output_intervals(sink["words_per_frame"])
    _write_json(
        "rtlsim.json",
        {
            "samples": len(samples),
            "mismatches": 0,
            "cycles_per_sample": int(intervals[-1]) if len(intervals) else result.cycles,
            "first_latency_cycles": result.first_output_latency(),
            "cycle_model": _cycle_model(),
        },
    )


def _simulated_frames(layers: Sequence[Mapping[str, Any]]) -> int:
    """How many of the samples are simulated: all of a user's."""
    reference = json.loads(Path("reference.json").read_text(encoding="utf-8"))
    if not reference["random"]:
        return int(reference["samples"])
    cycles = len(layers) * max(int(layer["interval"]) for layer in layers)
    return min(int(reference["samples"]), max(FEWEST_SAMPLES, SIMULATED_LAYER_CYCLES // cycles))


def _cycle_model() -> dict[str, float] | None:
    path = Path("cycle_model.json")
    if not path.exists():
        return None
    model = json.loads(path.read_text(encoding="utf-8"))
    return {"cycles_per_sample": model["interval_cycles"], "first_latency_cycles": model["first_word_cycles"]}
