"""The manifest of layers: what planning has to know of a folded graph, as the ``layers`` action wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finnmake.errors import BuildFileError

MANIFEST_FORMAT = 6

RTL = "rtl"
"""The engine that is always there: the kernel's own Verilog."""


@dataclass(frozen=True)
class StreamEntry:
    """A stream at the edge of a layer: port of the core, datatype, elements a word, words a frame, bits of a word."""

    port: str
    datatype: str
    elements_per_word: int
    words_per_frame: int
    width: int


@dataclass(frozen=True)
class TranspositionEntry:
    """What the host does to a frame: an array of ``shape``, transposed by ``perm``."""

    shape: tuple[int, ...]
    perm: tuple[int, ...]


@dataclass(frozen=True)
class WeightsEntry:
    """Weights that the host sends to the design.

    Attributes:
        layer: name of the layer that takes them; ``layers/NAME/streamed_weights.npy`` has the words of a vector.
        stream: the design's port.
        words: how many words there are for a vector; they are sent again for each vector.
    """

    layer: str
    stream: StreamEntry
    words: int


@dataclass(frozen=True)
class LayerEntry:
    """One layer of the stream graph.

    Attributes:
        name: op type and index, for example ``MatrixVectorActivation_1``; the name of its tasks.
        core: module name of the core, made from the structure alone.
        configured: module name of the core with its parameters.
        engine: what makes the core: ``rtl``, or an HLS tool: ``bambu``, ``vitis_hls``.
        function: name of the C++ top; with the engine rtl also of the core.
        constants: names of the memories that an HLS tool builds in; empty with the engine rtl.
        uses_dsp: synthesis may use hard multipliers.
        verilog_files: kernel sources, relative to the kernel library.
        cpp_files: kernel headers, relative to the kernel library.
        parameters: names of its parameter files.
        memories: names of its memory images.
        inputs: its input streams.
        outputs: its output streams.
        sources: for each input the position of the layer that feeds it, and which output of that; (-1, 0) is the
            accelerator's input, (-1, n + 1) the port of weights number n.
        interval: cycles between frames.
        latency: cycles from the first word in to the first word out.
    """

    name: str
    op_type: str
    core: str
    configured: str
    engine: str
    function: str
    constants: tuple[str, ...]
    uses_dsp: bool
    verilog_files: tuple[str, ...]
    cpp_files: tuple[str, ...]
    parameters: tuple[str, ...]
    memories: tuple[str, ...]
    inputs: tuple[StreamEntry, ...]
    outputs: tuple[StreamEntry, ...]
    sources: tuple[tuple[int, int], ...]
    interval: int
    latency: int

    @property
    def is_hls(self) -> bool:
        """An HLS tool makes the core."""
        return self.engine != RTL


@dataclass(frozen=True)
class Manifest:
    """The layers, each behind those that feed it, and what the whole accelerator takes and gives.

    The first layer takes the accelerator's input, the last gives its output.

    Attributes:
        stitched: module name of the stitched design.
        input_shape: of the model's input.
        output_shape: of the model's output.
        input_order: how the host turns a frame of the model's input into the order in which the first layer takes its
            elements, one transposition after the other; empty where that is the model's own.
        output_order: how the host turns what the last layer gives into a frame of the model's output.
        output_scale: the model's output is ``output_scale * integer + output_bias``, one number or one an element of
            the model's output; empty where the integers are the output, as with labels.
        weights: streams that the host sends beside the input.
    """

    layers: tuple[LayerEntry, ...]
    stitched: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    input_order: tuple[TranspositionEntry, ...]
    output_order: tuple[TranspositionEntry, ...]
    output_scale: tuple[float, ...]
    output_bias: tuple[float, ...]
    weights: tuple[WeightsEntry, ...] = ()

    @property
    def labels(self) -> int:
        """How many labels the last layer selects; 0 where it selects none."""
        output = self.layers[-1].outputs[0]
        selects = self.layers[-1].op_type == "LabelSelect"
        return output.elements_per_word * output.words_per_frame if selects else 0


def read_manifest(path: Path) -> Manifest | None:
    """The manifest, or None where there is none yet.

    Raises:
        BuildFileError: where the file is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        body = json.loads(text)
        # Another version wrote it: the build writes it again before it is needed.
        return parse_manifest(body) if body["format"] == MANIFEST_FORMAT else None
    except (ValueError, KeyError, TypeError) as problem:
        raise BuildFileError(
            f"not a manifest of layers: {problem}",
            where=str(path),
            remedy="Delete the file; the build writes it again.",
        ) from problem


def parse_manifest(body: dict[str, Any]) -> Manifest:
    """The manifest that a parsed JSON document holds."""
    return Manifest(
        layers=tuple(
            LayerEntry(
                **{
                    **entry,
                    "verilog_files": tuple(entry["verilog_files"]),
                    "cpp_files": tuple(entry["cpp_files"]),
                    "constants": tuple(entry["constants"]),
                    "parameters": tuple(entry["parameters"]),
                    "memories": tuple(entry["memories"]),
                    "inputs": tuple(StreamEntry(**stream) for stream in entry["inputs"]),
                    "outputs": tuple(StreamEntry(**stream) for stream in entry["outputs"]),
                    "sources": tuple((position, port) for position, port in entry["sources"]),
                }
            )
            for entry in body["layers"]
        ),
        stitched=body["stitched"],
        input_shape=tuple(body["input_shape"]),
        output_shape=tuple(body["output_shape"]),
        input_order=_order(body["input_order"]),
        output_order=_order(body["output_order"]),
        output_scale=tuple(body["output_scale"]),
        output_bias=tuple(body["output_bias"]),
        weights=tuple(
            WeightsEntry(entry["layer"], StreamEntry(**entry["stream"]), entry["words"]) for entry in body["weights"]
        ),
    )


def _order(entries: list[dict[str, Any]]) -> tuple[TranspositionEntry, ...]:
    return tuple(TranspositionEntry(tuple(entry["shape"]), tuple(entry["perm"])) for entry in entries)
