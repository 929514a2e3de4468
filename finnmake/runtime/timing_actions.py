"""What a worker process runs to find FIFO depths: it composes the schedules of all cores.

Files are read and written relative to the current folder, which holds the declared inputs only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finnmake.dataflow.core_schedule import CoreSchedule, read_schedule
from finnmake.dataflow.fifo_sizing import Edge, check_memories, depths_of, depths_text
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.errors import FinnmakeError, VerificationError
from finnmake.runtime.fifo_depths import FifoSizing, SizedGraph
from finnmake.runtime.stream_timing import Fifo, StreamTiming, TimedCore
from finnmake.transformation.layer_table import read_layer_table


def size_fifos(*, depths: Mapping[str, Any] | None = None, file: str | None = None) -> None:
    """``manifest.json``, ``schedules/CORE.json`` and ``stream_timing.so`` to depths and the timing with them.

    Writes ``out/fifo_depths.json`` (every stream; can be edited and given to a build) and ``out/cycle_model.json``.

    Args:
        depths: depths that are not to be changed, as in the file.
        file: a file that holds them, instead of ``depths``.

    Raises:
        FoldingError: depths of no layer, no depths, or a FIFO too large to be synthesised, given or found.
        VerificationError: depths that make the design stand still.
    """
    layers = json.loads(Path("manifest.json").read_text(encoding="utf-8"))["layers"]
    names, inputs = [layer["name"] for layer in layers], [len(layer["inputs"]) for layer in layers]
    fixed = depths_of(names, inputs, read_layer_table(file) if file is not None else depths or {})
    check_memories(names, fixed, lambda edge: int(_stream(layers, edge)["width"]))
    schedules: dict[str, CoreSchedule] = {}
    cores = []
    for layer in layers:
        core = layer["core"]
        if core not in schedules:
            schedules[core] = read_schedule(Path("schedules", f"{core}.json").read_text(encoding="utf-8"))
        cores.append(TimedCore(schedules[core], tuple((source, port) for source, port in layer["sources"])))

    def fifo_of(edge: Edge, depth: int) -> Fifo:
        return Fifo(depth, _fifo_layer(layers, edge, depth).first_output_latency())

    def filled(edge: Edge, depth: int) -> int:
        return _fifo_layer(layers, edge, depth).filled_depth()

    with StreamTiming(Path("stream_timing.so")) as timing:
        sizing = FifoSizing(timing, cores, fifo_of, fixed, filled=filled)
        try:
            sized = sizing.size()
        except FinnmakeError as problem:
            where = ", ".join(names) if not fixed else ", ".join(sorted({names[position] for position, _ in fixed}))
            raise VerificationError(problem.what, where=where, remedy=problem.remedy) from None
    found = {edge: fifo.depth for edge, fifo in sized.fifos.items()}
    check_memories(names, found, lambda edge: int(_stream(layers, edge)["width"]))
    Path("out/fifo_depths.json").write_text(depths_text(names, inputs, found), encoding="utf-8")
    _write_model(sized, sizing.bound)


def _fifo_layer(layers: Sequence[Mapping[str, Any]], edge: Edge, depth: int) -> StreamingFIFO:
    stream = _stream(layers, edge)
    return StreamingFIFO(stream["datatype"], stream["elements_per_word"], stream["words_per_frame"], depth)


def _stream(layers: Sequence[Mapping[str, Any]], edge: Edge) -> Mapping[str, Any]:
    stream: Mapping[str, Any] = layers[edge[0]]["inputs"][edge[1]]
    return stream


def _write_model(sized: SizedGraph, slowest: int) -> None:
    body = {
        "interval_cycles": sized.times.interval,
        "slowest_layer_cycles": slowest,
        "first_word_cycles": sized.times.first_word,
        "last_word_cycles": sized.times.last_word,
        "fifos": len(sized.fifos),
        "fifo_words": sum(fifo.depth for fifo in sized.fifos.values()),
    }
    Path("out/cycle_model.json").write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")
