"""The stitched top: cores connected by AXI4-Streams."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finnmake.codegen.rendering import render


@dataclass(frozen=True)
class Port:
    """A stream port of a core: its name, and the bits of a word."""

    name: str
    width: int


@dataclass(frozen=True)
class Instance:
    """One core in the stitched design.

    Attributes:
        position: from 0, behind those that feed it; names the instance and its memory files,
            ``layer_<position>_<memory>.mem``.
        core: module name of the core.
        configured: module name of the core with its parameters.
        memories: names of its memories.
        inputs: its input ports.
        outputs: its output ports.
        sources: for each input the position of the instance that feeds it, and which of its outputs; (-1, 0) is the
            design's input, (-1, n + 1) its port ``weights_n``.
    """

    position: int
    core: str
    configured: str
    memories: tuple[str, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    sources: tuple[tuple[int, int], ...]


def stitched_name(instances: Sequence[Instance]) -> str:
    """Module name of the stitched design: a digest of its cores and streams, not of their parameters."""
    text = "".join(f"{instance.position} {instance.core}{_origin(instance)}\n" for instance in instances)
    return f"stitched_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _origin(instance: Instance) -> str:
    """Where the streams of an instance come from; nothing where that is the one before it."""
    if instance.sources == ((instance.position - 1, 0),):
        return ""
    return "".join(f" {position}.{output}" for position, output in instance.sources)


def render_stitched(instances: Sequence[Instance], interval: int, template: Path, *, configured: bool) -> str:
    """The Verilog of the stitched design.

    Args:
        instances: each behind those that feed it, at least one; the first takes the design's input, the last gives its
            output.
        interval: cycles between frames, for the header comment.
        template: the template file.
        configured: instantiate the configured cores (for synthesis) instead of cores with memory files (for
        simulation).
    """
    # A stream has the number of its consumer's input, counted over all instances; the design's output has the last one.
    numbers: dict[tuple[int, int], int] = {}
    widths: list[int] = []
    for instance in instances:
        for source, port in zip(instance.sources, instance.inputs, strict=True):
            numbers[source] = len(widths)
            widths.append(port.width)
    numbers[(instances[-1].position, 0)] = len(widths)
    widths.append(instances[-1].outputs[0].width)
    streams = {
        instance.position: [
            *((port, numbers[source]) for source, port in zip(instance.sources, instance.inputs, strict=True)),
            *((port, numbers[instance.position, index]) for index, port in enumerate(instance.outputs)),
        ]
        for instance in instances
    }
    weights = sorted((output - 1, number) for (position, output), number in numbers.items() if position < 0 and output)
    values = {
        "weights": [(f"weights_{index}", widths[number], number) for index, number in weights],
        "module": stitched_name(instances),
        "instances": list(instances),
        "widths": widths,
        "last": len(widths) - 1,
        "streams": streams,
        "interval": interval,
        "configured": configured,
    }
    return render(template, values)
