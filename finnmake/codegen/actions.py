"""What worker processes run: layer files to core files, manifest to stitched top.

Each function reads and writes files relative to the current folder, which holds the declared inputs only.
"""

from __future__ import annotations

import json
from pathlib import Path

from finnmake.codegen.core import CoreTemplates, render_core
from finnmake.codegen.stitch import Instance, Port, render_stitched
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.layer_file import read_layer


def load_layer(folder: Path) -> Layer:
    """The layer in ``layer.json`` with the parameters in ``NAME.npy`` beside it."""
    text = (folder / "layer.json").read_text(encoding="utf-8")
    return read_layer(text, lambda name: (folder / f"{name}.npy").read_bytes())


def generate_core() -> None:
    """``layer.json``, parameters and templates to the core's files in ``out/``."""
    templates = CoreTemplates(Path("core.v.j2"), Path("configured.v.j2"), Path("top.cpp.j2"))
    for name, text in render_core(load_layer(Path()), templates).items():
        Path("out", name).write_text(text, encoding="utf-8")


def accept_core() -> None:
    """``in/core.v``, ``in/hls.json`` and ``in/rtlsim.json`` to ``out/core.v`` and ``out/hls.json``.

    The simulation's result says that the core is right, and what its cycles are: it goes into the report of the tool.
    """
    measured = json.loads(Path("in/rtlsim.json").read_text(encoding="utf-8"))
    report = json.loads(Path("in/hls.json").read_text(encoding="utf-8"))
    body = {**report, **{name: measured[name] for name in ("interval_cycles", "first_output_latency")}}
    Path("out/hls.json").write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    Path("out/core.v").write_bytes(Path("in/core.v").read_bytes())


def stitch() -> None:
    """``manifest.json`` to ``out/stitched.v`` (for simulation) and ``out/stitched_configured.v`` (for synthesis)."""
    layers = json.loads(Path("manifest.json").read_text(encoding="utf-8"))["layers"]
    instances = [
        Instance(
            position=position,
            core=entry["core"],
            configured=entry["configured"],
            memories=tuple(entry["memories"]),
            inputs=tuple(Port(stream["port"], stream["width"]) for stream in entry["inputs"]),
            outputs=tuple(Port(stream["port"], stream["width"]) for stream in entry["outputs"]),
            sources=tuple((source, port) for source, port in entry["sources"]),
        )
        for position, entry in enumerate(layers)
    ]
    interval = max(entry["interval"] for entry in layers)
    for name, configured in (("stitched.v", False), ("stitched_configured.v", True)):
        text = render_stitched(instances, interval, Path("stitched.v.j2"), configured=configured)
        Path("out", name).write_text(text, encoding="utf-8")
