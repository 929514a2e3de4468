"""The stitched top: cores in a row, connected by AXI4-Streams."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finnmake.codegen.rendering import render


@dataclass(frozen=True)
class Instance:
    """One core in the stitched design.

    Attributes:
        position: from 0, in stream order; names the instance and its memory files, ``layer_<position>_<memory>.mem``.
        core: module name of the core.
        configured: module name of the core with its parameters.
        memories: names of its memories.
        input_width: bits of its input stream.
        output_width: bits of its output stream.
    """

    position: int
    core: str
    configured: str
    memories: tuple[str, ...]
    input_width: int
    output_width: int


def stitched_name(instances: Sequence[Instance]) -> str:
    """Module name of the stitched design: a digest of its cores, not of their parameters."""
    text = "".join(f"{instance.position} {instance.core}\n" for instance in instances)
    return f"stitched_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def render_stitched(instances: Sequence[Instance], interval: int, template: Path, *, configured: bool) -> str:
    """The Verilog of the stitched design.

    Args:
        instances: in stream order, at least one.
        interval: cycles between frames, for the header comment.
        template: the template file.
        configured: instantiate the configured cores (for synthesis) instead of cores with memory files (for
        simulation).
    """
    values = {
        "module": stitched_name(instances),
        "instances": list(instances),
        "interval": interval,
        "configured": configured,
    }
    return render(template, values)
