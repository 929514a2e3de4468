"""``finnmake run``: executes a batch of inputs on an engine, building first what the engine needs."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from finnmake.build.api import build
from finnmake.errors import BuildFileError, FinnmakeError
from finnmake.flow.accelerator import Accelerator
from finnmake.flow.manifest import Manifest
from finnmake.flow.session import jobs_of, targets_of

LAYER_STEPS = {
    "cpp": ("generate", "cppsim_build"),
    "rtl": ("generate", "rtlsim_build"),
    "stitched": ("generate", "rtlsim_build"),
}
"""Steps of every layer that an engine needs, beside those of the whole design."""


def run_command(options: argparse.Namespace) -> int:
    """Builds what is missing, executes, writes the outputs.

    Returns:
        0, or 1 where the build failed.
    """
    (target,) = targets_of(options).values()
    if not isinstance(target, Accelerator):
        raise BuildFileError("is no accelerator", where=target.name, remedy="Name an accelerator or an .onnx file.")
    # Planning all stages makes every task known; only those that the engine needs are built.
    accelerator = replace(target, until=None)
    jobs = jobs_of(options)
    if not options.inputs.is_file():
        raise BuildFileError(f"there is no file {options.inputs}", remedy=f"Looked for {options.inputs.absolute()}.")
    for read in (options.inputs, accelerator.model_path()):
        if options.output.exists() and options.output.samefile(read):
            raise BuildFileError(f"--output {options.output} is a file that is read", remedy="Name another --output.")
    if not options.output.absolute().parent.is_dir():
        # Before the simulation, not after it.
        raise BuildFileError(f"there is no folder {options.output.parent}", remedy="Make it, or name another --output.")
    _ensure(accelerator, [f"{accelerator.name}:layers"], jobs)
    manifest = accelerator.manifest()
    if manifest is None:
        raise BuildFileError("there is no manifest of layers", where=accelerator.name)
    if options.engine != "reference":
        _ensure(accelerator, _tasks(accelerator, manifest, options.engine), jobs)
    body = _execute(accelerator, manifest, options)
    if options.json:
        print(json.dumps({"ok": True, **body}))
    else:
        print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in body.items() if value is not None))
    return 0


def _tasks(accelerator: Accelerator, manifest: Manifest, engine: str) -> list[str]:
    layers = [f"{accelerator.name}:{layer.name}.{step}" for layer in manifest.layers for step in LAYER_STEPS[engine]]
    return [*layers, f"{accelerator.name}:rtlsim_build"] if engine == "stitched" else layers


def _ensure(accelerator: Accelerator, tasks: Sequence[str], jobs: int) -> None:
    result = build({accelerator.name: accelerator}, tasks, jobs=jobs)
    if result.interrupted:
        raise KeyboardInterrupt
    if not result.ok:
        raise FinnmakeError("\n".join(result.failures.values()) or "the build failed", where="build")


def _execute(accelerator: Accelerator, manifest: Manifest, options: argparse.Namespace) -> dict[str, object]:
    import numpy as np

    from finnmake.graph.element_order import Transposition, reordered
    from finnmake.graph.model_wrapper import ModelWrapper
    from finnmake.runtime import batch

    folder = accelerator.folder()
    imported = ModelWrapper(folder / "graph/00-import.onnx")
    frames = batch.load_inputs(options.inputs, imported)
    input_order, output_order = (
        [Transposition(step.shape, step.perm) for step in order]
        for order in (manifest.input_order, manifest.output_order)
    )
    turned = reordered(frames, input_order)
    started = time.monotonic()
    if options.engine == "reference":
        model = ModelWrapper(accelerator.model_path())
        result = batch.BatchResult(batch.reference_outputs(model, imported, frames, labels=manifest.labels))
    elif options.engine == "stitched":
        with tempfile.TemporaryDirectory() as run_time:
            for core, name in {layer.core: layer.name for layer in manifest.layers}.items():
                Path(run_time, f"{core}.so").symlink_to(folder / "layers" / name / "rtlsim.so")
            for position, layer in enumerate(manifest.layers):
                for memory in layer.memories:
                    link = Path(run_time, f"layer_{position}_{memory}.mem")
                    link.symlink_to(folder / "layers" / layer.name / f"{memory}.mem")
            result = batch.run_stitched(folder / "stitched", Path(run_time), turned)
    else:
        cores = [batch.Core(folder / "layers" / layer.name, layer.sources) for layer in manifest.layers]
        result = (batch.run_cpp if options.engine == "cpp" else batch.run_rtl)(cores, turned)
    outputs = result.outputs
    if options.engine != "reference":
        outputs = reordered(outputs, output_order)
        outputs = batch.output_floats(outputs, manifest.output_scale, manifest.output_bias)
        outputs = outputs.reshape(len(outputs), *manifest.output_shape[1:])
    seconds = time.monotonic() - started
    try:
        with options.output.open("wb") as file:
            np.save(file, batch.squeezed(outputs), allow_pickle=False)
    except OSError as problem:
        raise BuildFileError(f"cannot be written: {problem.strerror}", where=str(options.output)) from None
    return {
        "engine": options.engine,
        "samples": len(frames),
        "seconds": round(seconds, 3),
        "cycles_per_sample": result.cycles_per_sample,
        "first_latency_cycles": result.first_latency_cycles,
    }
