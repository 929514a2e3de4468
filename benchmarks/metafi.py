"""A network through the whole flow but place and route, step by step, and what a change of one layer's PE costs then.

    python -m benchmarks.metafi MODEL [--board NAME] [--clock MHZ] [--target-fps N] [--synthesis FLOW,…]
                                [--finn DIR] [--layers NAME,…|all] [--pe N] [--keep-depths] [--without STEP,…]
                                [--jobs N] [--folder DIR]

A folding is found first. Then the network is built with it, each step by a command of its own; the folding of one layer
is changed, and the network is built again by one command; so for each of the layers that are named, the others as they
were, and the store as the whole build has left it: no change finds what an earlier one has built. MODEL is MetaFi where
``--finn`` names FINN's reports of its build of MetaFi: their times stand beside. With ``--keep-depths`` all changes are
made a second time, with the FIFO depths of the whole build named in the build file: no other layer's FIFO changes.

A folder that is named is kept: what an interrupted run has built is taken from its store, and the columns ``run`` and
``store`` say so.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

BUILD_FILE = """from finnmake import Accelerator

net = Accelerator(
    model="net.onnx",
    board={board!r},
    clock_mhz={clock},
    fold={fold!r},
    target_fps={target},
    synthesis={synthesis!r},
    fifo_depths={depths!r},
)
"""

FINN_COMPILER = (
    "step_tidy_up",
    "step_qonnx_to_finn",
    "step_extract_absorb_bias",
    "step_pre_streamline",
    "step_residual_streamline",
    "step_residual_convert_to_hw",
    "step_create_dataflow_partition",
    "step_specialize_layers",
    "step_target_fps_parallelization",
    "step_apply_folding_config",
    "step_minimize_bit_width",
)
"""FINN's steps, in its ``time_per_step.json``, from the model to folded layers."""


AIM = 0.03
"""What part of the whole build's time a change of one layer may take."""

PR_SET_CHILD_SUBREAPER = 36
"""Of Linux' ``prctl``."""


@dataclass(frozen=True)
class Step:
    """A part of the build.

    Attributes:
        name: for ``--without``.
        title: what the table calls it.
        tasks: doit's patterns of its tasks.
        finn: FINN's steps that do the same.
    """

    name: str
    title: str
    tasks: Sequence[str]
    finn: Sequence[str] = ()


STEPS = (
    Step("folded", "model to folded layers", ("net:unbuffered",), FINN_COMPILER),
    Step("layers", "FIFO depths, layers, reference", ("net:layers", "net:reference"), ("step_set_fifo_depths",)),
    Step("generate", "Verilog and C++ of all cores", ("net:*.generate",), ("step_hw_codegen", "step_hw_ipgen")),
    Step("lint", "lint of all cores", ("net:*.lint",)),
    Step("cppsim", "C++ simulation of all cores", ("net:*.cppsim",)),
    Step("rtlsim", "RTL simulation of all cores", ("net:*.rtlsim",)),
    Step("synth", "netlists of all cores", ("net:*.synth*", "net:resource_table")),
    Step("stitch", "stitched top", ("net:stitch",), ("step_create_stitched_ip",)),
    Step("stitched", "stitched RTL simulation", ("net:lint", "net:rtlsim")),
)


@dataclass(frozen=True)
class Run:
    """A command that has ended.

    Attributes:
        seconds: wall time of its process.
        cpu: seconds of its process and all that it started.
        actions: seconds of the actions that ran, by task.
        store: actions that the store answered.
    """

    seconds: float
    cpu: float
    actions: Mapping[str, float]
    store: int


def timed(folder: Path, command: Sequence[str]) -> Run:
    """Runs a command of finnmake or doit that takes ``--profile``; ends the benchmark where it fails."""
    trace = folder / "trace.json"
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", *command[:2], "--profile", str(trace), *command[2:]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    adopt_finished()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stdout[-4000:] + done.stderr[-4000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    events: list[dict[str, Any]] = json.loads(trace.read_text())["traceEvents"]
    actions = [event for event in events if event.get("cat") == "action"]
    ran = {event["name"]: event["dur"] / 1e6 for event in actions if event["args"]["outcome"] == "run"}
    return Run(seconds, cpu, ran, sum(event["args"]["outcome"] == "store" for event in actions))


def adopt_finished() -> None:
    """Takes the time of what nobody has waited for: bubblewrap ends without waiting for what it ran."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def stored(folder: Path) -> frozenset[Path]:
    """The files of the store of a build in ``folder``."""
    store = folder / ".finnmake" / "store"
    return frozenset(path for part in ("ac", "cas") for path in (store / part).rglob("*") if path.is_file())


def write_build_file(
    folder: Path, options: argparse.Namespace, fold: str, target: float | None, depths: str = "auto"
) -> None:
    """Writes ``dodo.py``."""
    synthesis = [flow for flow in options.synthesis.split(",") if flow]
    text = BUILD_FILE.format(
        board=options.board, clock=options.clock, fold=fold, target=target, synthesis=synthesis, depths=depths
    )
    (folder / "dodo.py").write_text(text)


def found_folding(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The folding that the network gets by itself, and what its file also holds."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copyfile(options.model, folder / "net.onnx")
        write_build_file(folder, options, "auto", options.target_fps)
        timed(folder, ["finnmake.cli", "build", "net", "--until", "layers", "--fifo-depths", "estimated"])
        found: dict[str, dict[str, Any]] = json.loads((folder / "build/net/fold.json").read_text())
        return found


def by_step(actions: Mapping[str, float]) -> str:
    """How many actions of each step ran: ``generate 3, stitch, …``."""
    steps = Counter(name.partition(":")[2].rpartition(".")[2] for name in actions)
    return ", ".join(step if count == 1 else f"{step} {count}" for step, count in steps.items())


def row(title: str, run: Run, finn: float | None, note: str = "") -> None:
    """Prints a row of the table."""
    beside = "" if finn is None else f"{finn:,.0f}"
    summed = sum(run.actions.values())
    counts = f"{title:32}{len(run.actions):6}{run.store:7}"
    print(f"{counts}{run.seconds:10.2f}{run.cpu:10.2f}{summed:10.2f}{beside:>9}  {note}", flush=True)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Builds, changes, builds again; prints the tables."""
    finn = json.loads((options.finn / "time_per_step.json").read_text()) if options.finn else {}
    left_out = options.without.split(",")
    steps = [step for step in STEPS if step.name not in left_out]
    folding = found_folding(options)
    shutil.copyfile(options.model, folder / "net.onnx")
    (folder / "fold.json").write_text(json.dumps(folding, indent=1))
    write_build_file(folder, options, "fold.json", None)
    print(f"{'seconds':32}{'run':>6}{'store':>7}{'wall':>10}{'CPU':>10}{'actions':>10}{'FINN':>9}")
    runs = []
    command = ["doit", "run", "-n", str(options.jobs)]
    for step in steps:
        runs.append(timed(folder, [*command, *step.tasks]))
        row(step.title, runs[-1], sum(finn[name] for name in step.finn) if finn and step.finn else None)
    whole = Run(
        sum(run.seconds for run in runs),
        sum(run.cpu for run in runs),
        {name: seconds for run in runs for name, seconds in run.actions.items()},
        sum(run.store for run in runs),
    )
    row("all of it", whole, None)
    command += [task for step in steps for task in step.tasks]
    row("built again, nothing changed", timed(folder, command), None)
    changes = change_layers(folder, options, folding, whole, command)
    if options.keep_depths:
        (folder / "depths.json").write_bytes((folder / "build/net/fifo_depths.json").read_bytes())
        write_build_file(folder, options, "fold.json", None, "depths.json")
        row("FIFO depths kept", timed(folder, command), None)
        changes += change_layers(folder, options, folding, whole, command)
    if finn:
        finn_whole = sum(finn.values()) - finn["step_synthesize_bitfile"]
        slowest = max(change.seconds for change in changes)
        print(f"ratio to FINN's whole build without the bitfile ({finn_whole:,.0f} s): {slowest / finn_whole:.5f}")


def change_layers(
    folder: Path,
    options: argparse.Namespace,
    folding: Mapping[str, Mapping[str, Any]],
    whole: Run,
    command: Sequence[str],
) -> list[Run]:
    """Changes one layer after the other and builds, each time beginning with ``folding`` and what is stored now."""
    changes, of_cores, kept = [], [], stored(folder)
    for layer in _changed_layers(folding, options.layers):
        before = int(folding[layer]["PE"])
        after = options.pe or _other_pe(folder, layer, before)
        if after is None:
            continue
        changed = {**folding, layer: {**folding[layer], "PE": after}}
        (folder / "fold.json").write_text(json.dumps(changed, indent=1))
        change = timed(folder, command)
        changes.append(change)
        row(f"PE of one layer {before} to {after}", change, None, layer)
        print(f"  ran again: {by_step(change.actions)}")
        print("  the longest: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in _longest(change)))
        print(f"  of the whole build: wall {change.seconds / whole.seconds:.4f}, CPU {change.cpu / whole.cpu:.4f}")
        of_cores.append(_seconds_of_cores(change) / sum(whole.actions.values()))
        print(f"  the actions of its cores alone, of the seconds of all actions: {of_cores[-1]:.4f}")
        (folder / "fold.json").write_text(json.dumps(folding, indent=1))
        row("back again", timed(folder, command), None, layer)
        for path in stored(folder) - kept:
            path.unlink()
    for name, parts in (
        ("wall", [change.seconds / whole.seconds for change in changes]),
        ("CPU", [change.cpu / whole.cpu for change in changes]),
        ("cores alone", of_cores),
    ):
        below = sum(part < AIM for part in parts)
        print(f"{name}: {below} of {len(parts)} changes below {AIM}, median {median(parts):.4f}, most {max(parts):.4f}")
    return changes


def _changed_layers(folding: Mapping[str, Mapping[str, Any]], names: str | None) -> list[str]:
    layers = [name for name in folding if name.startswith("MatrixVectorActivation")]
    if names is None:
        return [layers[len(layers) // 2]]
    return layers if names == "all" else names.split(",")


def _other_pe(folder: Path, layer: str, before: int) -> int | None:
    """Twice as many, or half as many where that is illegal; None where both are."""
    text = (folder / "build/net/layers" / layer / "layer.json").read_text()
    rows = int(json.loads(text)["structure"]["MH"])
    return 2 * before if rows % (2 * before) == 0 else before // 2 if before % 2 == 0 else None


def _seconds_of_cores(run: Run) -> float:
    """Of the actions that belong to a core, not to the whole graph: ``net:LAYER.synth``, not ``net:stitch``."""
    return sum(seconds for name, seconds in run.actions.items() if "." in name)


def _longest(run: Run) -> list[tuple[str, float]]:
    return sorted(run.actions.items(), key=lambda item: -item[1])[:6]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--board", default="zcu104")
    parser.add_argument("--clock", type=float, default=100)
    parser.add_argument("--target-fps", type=float, default=1000)
    parser.add_argument("--synthesis", default="", help="flows beside the board's, with commas")
    parser.add_argument("--finn", type=Path, help="folder of FINN's reports")
    parser.add_argument(
        "--layers", help="whose PE is changed, with commas, or all (default: the middle one of the MVAUs)"
    )
    parser.add_argument("--pe", type=int, help="to what (default: twice, or half where that is illegal)")
    parser.add_argument(
        "--keep-depths",
        action="store_true",
        help="change the layers once more, with the FIFO depths that were found kept",
    )
    parser.add_argument("--without", default="", help=f"of {', '.join(step.name for step in STEPS)}, with commas")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to build (default: a new folder, removed at the end)")
    options = parser.parse_args()
    # Orphans become children of this process, which counts their time.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() if options.folder is None else nullcontext(options.folder) as folder:
        measure(Path(folder).absolute(), options)


if __name__ == "__main__":
    main()
