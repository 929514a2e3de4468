"""What worker processes run between the model and the manifest of layers.

Each function reads and writes files relative to the current folder, which holds the declared inputs only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finnmake.codegen.stitch import Instance, Port, stitched_name
from finnmake.dataflow.layer import Layer, Stream
from finnmake.dataflow.layer_file import LayerFiles, layer_files, parameter_bytes
from finnmake.dataflow.stream_graph import Source, layer_names, stream_graph
from finnmake.dataflow.streamed_weights import WEIGHTS_FILE
from finnmake.errors import BuildFileError
from finnmake.flow.engines import Engines, engine_of, unknown_layers
from finnmake.flow.manifest import (
    MANIFEST_FORMAT,
    RTL,
    LayerEntry,
    Manifest,
    StreamEntry,
    TranspositionEntry,
    WeightsEntry,
)
from finnmake.graph.element_order import ElementOrder
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.tensors import get_shape
from finnmake.transformation.apply_folding import NOTE_KEY, folding_of
from finnmake.transformation.host import output_scaling


def _stream_entries(ports: Mapping[str, Stream]) -> tuple[StreamEntry, ...]:
    return tuple(
        StreamEntry(port, stream.datatype.name, stream.elements_per_word, stream.words_per_frame, stream.width)
        for port, stream in ports.items()
    )


def _order_entries(order: ElementOrder) -> tuple[TranspositionEntry, ...]:
    return tuple(TranspositionEntry(step.shape, step.perm) for step in order)


def _ports(entries: tuple[StreamEntry, ...]) -> tuple[Port, ...]:
    return tuple(Port(entry.port, entry.width) for entry in entries)


def _layer_entry(name: str, layer: Layer, files: LayerFiles, sources: tuple[Source, ...], engine: str) -> LayerEntry:
    hls = engine != RTL
    memories = tuple(layer.memory_images())
    return LayerEntry(
        name=name,
        op_type=layer.op_type,
        # An HLS tool builds the parameters in: its core is always a configured one.
        core=f"{files.configured}_{engine}" if hls else files.core,
        configured=f"{files.configured}_{engine}" if hls else files.configured,
        engine=engine,
        function=files.core,
        constants=memories if hls else (),
        uses_dsp=layer.multipliers > 0,
        verilog_files=() if hls else layer.verilog_files,
        cpp_files=layer.cpp_files,
        parameters=tuple(sorted(layer.parameters)),
        memories=() if hls else memories,
        inputs=_stream_entries(layer.input_ports()),
        outputs=_stream_entries(layer.output_ports()),
        sources=sources,
        interval=layer.interval_cycles(),
        latency=layer.first_output_latency(),
    )


def write_layers(engines: Engines) -> None:
    """``in/graph.onnx`` to ``out/{manifest,fold}.json`` and ``out/layers/NAME/{layer.json, PARAMETER.npy}``.

    ``out/notes.txt`` says what of the folding has been ignored, which is nobody's business but the user's.

    Args:
        engines: what makes the cores.

    Raises:
        BuildFileError: an engine for a layer that there is not.
    """
    model = ModelWrapper(Path("in/graph.onnx"))
    entries: list[LayerEntry] = []
    graph = stream_graph(model)
    for name, layer, sources in zip(layer_names(graph), graph.layers, graph.sources, strict=True):
        folder = Path("out/layers", name)
        folder.mkdir(parents=True)
        files = layer_files(layer)
        (folder / "layer.json").write_text(files.text, encoding="utf-8")
        for parameter, content in files.parameters.items():
            (folder / f"{parameter}.npy").write_bytes(content)
        entries.append(_layer_entry(name, layer, files, sources, engine_of(name, layer.op_type, engines)))
    if unknown := unknown_layers(engines, {entry.name: entry.op_type for entry in entries}):
        raise BuildFileError(
            f"engine names {', '.join(unknown)}",
            where="the layers",
            remedy=f"Layers are {', '.join(entry.name for entry in entries)}.",
        )
    instances = [
        Instance(
            i, entry.core, entry.configured, entry.memories, _ports(entry.inputs), _ports(entry.outputs), entry.sources
        )
        for i, entry in enumerate(entries)
    ]
    weights = []
    for number, each in enumerate(graph.weights):
        name, stream = entries[each.layer].name, each.weights.stream
        Path("out/layers", name, WEIGHTS_FILE).write_bytes(parameter_bytes(each.weights.words))
        (port,) = _stream_entries({f"weights_{number}": stream})
        weights.append(WeightsEntry(name, port, len(each.weights.words)))
    scaling = output_scaling(model)
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    manifest = Manifest(
        layers=tuple(entries),
        stitched=stitched_name(instances),
        input_shape=get_shape(inputs[0]) or (),
        output_shape=get_shape(model.graph.outputs[0]) or (),
        input_order=_order_entries(graph.input_order),
        output_order=_order_entries(graph.output_order),
        output_scale=() if scaling is None else tuple(scaling[0].ravel().tolist()),
        output_bias=() if scaling is None else tuple(scaling[1].ravel().tolist()),
        weights=tuple(weights),
    )
    body: Mapping[str, Any] = {"format": MANIFEST_FORMAT, **asdict(manifest)}
    Path("out/manifest.json").write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    note = model.get_metadata_prop(NOTE_KEY)
    Path("out/notes.txt").write_text(f"{note}\n" if note else "", encoding="utf-8")
    Path("out/fold.json").write_text(json.dumps(folding_of(model.graph), indent=1) + "\n", encoding="utf-8")
