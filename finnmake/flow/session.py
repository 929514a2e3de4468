"""``finnmake build`` and ``finnmake why``: from the command line to targets, and what is printed of a build."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finnmake.errors import BuildFileError
from finnmake.flow.accelerator import Accelerator
from finnmake.flow.build_files import load_build_file
from finnmake.flow.compile_tasks import NOTES_FILE
from finnmake.flow.engines import Engines
from finnmake.flow.fifo_tasks import WAYS
from finnmake.flow.plan import MAIN_OUTPUTS
from finnmake.flow.stages import STAGE_NAMES, Stage
from finnmake.flow.target import BUILD_FILE, Target

if TYPE_CHECKING:
    from finnmake.build.api import BuildResult


def is_model(target: str | None) -> bool:
    """True where a target is the path of a model, not the name of a target."""
    return target is not None and target.endswith(".onnx")


def targets_of(options: argparse.Namespace) -> dict[str, Target]:
    """The targets that the command line names, with its options applied.

    Raises:
        BuildFileError: no such target, or an option that does not go with it.
    """
    wanted: str | None = options.target
    if is_model(wanted):
        accelerator = _bare_model(options, Path(str(wanted)))
        return {accelerator.name: accelerator}
    if wanted is not None and Path(wanted).is_file():
        raise BuildFileError(
            f"{wanted} is not an .onnx file", remedy="Name a target of the build file or an ONNX model."
        )
    known = load_build_file(Path(BUILD_FILE))
    if not known:
        raise BuildFileError(
            "defines no target", where=BUILD_FILE, remedy='Write one: net = Accelerator(model="net.onnx", board="…").'
        )
    if wanted is None:
        if options.out is not None and len(known) > 1:
            raise BuildFileError(
                f"--out {options.out} is one folder for {len(known)} targets",
                remedy="Name one of them: " + ", ".join(known),
            )
        return {name: _overridden(target, options) for name, target in known.items()}
    name = wanted.partition(":")[0]
    if name not in known:
        raise BuildFileError(f"there is no target {wanted!r}", where=BUILD_FILE, remedy="Known: " + ", ".join(known))
    return {name: _overridden(known[name], options)}


def _bare_model(options: argparse.Namespace, model: Path) -> Accelerator:
    if options.board is None:
        raise BuildFileError(
            "a bare model needs a board", where=str(model), remedy="Say --board NAME, for example ulx3s-85f."
        )
    if not model.is_file():
        raise BuildFileError(f"there is no model {model}", remedy=f"Looked for {model.absolute()}.")
    base = Accelerator(model=str(model.absolute()), board=options.board)
    output = _absolute(options.out or Path("build", base.name))
    # Where no finnmake.toml lies above it, the output folder is the workspace: it holds its own state and store.
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BuildFileError(
            f"cannot be made: {problem.strerror}", where=str(output), remedy="Name another folder with --out."
        ) from None
    return replace(base, **{**_changes(options), "output": ".", "directory": output})


def _absolute(path: Path) -> Path:
    """Without "..", with symbolic links as they are written."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _overridden(target: Target, options: argparse.Namespace) -> Target:
    """The target with what the command line says in place of what the build file says."""
    changes = _changes(options)
    if not isinstance(target, Accelerator):
        changes.pop("until", None)
        unknown = sorted(changes.keys() - {"output"})
        if unknown:
            raise BuildFileError(
                f"has no {', '.join(unknown)}", where=target.name, remedy="It is no accelerator: leave the option out."
            )
    elif changes.get("fold", "auto") != "auto":
        # A folding on the command line is in place of automatic folding, and of what that aims at.
        changes = {"target_fps": None, **changes}
    return replace(target, **changes)


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "board": options.board,
        "clock_mhz": options.clock,
        "target_fps": options.target_fps,
        "input_datatype": options.input_datatype,
        "input_scale": options.input_scale,
        "top_k": options.top_k,
        "fold": options.fold,
        "fifo_depths": options.fifo_depths,
        "engine": None if options.core_engine is None else _engines(options.core_engine),
        "synthesis": None if options.synthesis is None else options.synthesis.split(","),
        "finn_reports": options.finn_reports,
        "output": None if options.out is None else str(_absolute(options.out)),
        "samples": options.samples,
        "labels": options.labels,
    }
    words = {"fold": ("auto",), "fifo_depths": WAYS}
    for name in ("fold", "fifo_depths", "finn_reports", "samples", "labels"):
        value = changes[name]
        if value is not None and value not in words.get(name, ()):
            changes[name] = str(Path(value).absolute())
    if getattr(options, "until", None) is not None:
        changes["until"] = STAGE_NAMES[options.until]
    return {name: value for name, value in changes.items() if value is not None}


def _engines(text: str) -> Engines:
    """One engine for all layers, or engines by layer or op type."""
    if "=" not in text:
        return text
    pairs = [part.partition("=") for part in text.split(",")]
    if wrong := [name for name, _, engine in pairs if not name or not engine]:
        raise BuildFileError(
            f"--core-engine {text}", where=wrong[0], remedy="Say ENGINE, or LAYER=ENGINE with commas between them."
        )
    return {name: engine for name, _, engine in pairs}


def jobs_of(options: argparse.Namespace) -> int:
    """Actions at once: as asked for, or as many as this process may use CPUs."""
    if options.jobs < 0:
        raise BuildFileError(f"-j {options.jobs}", remedy="Say 1 or more.")
    return int(options.jobs) or len(os.sched_getaffinity(0))


def build_command(options: argparse.Namespace) -> int:
    """Builds and prints what was done.

    Returns:
        0 when everything is there, 1 otherwise, 130 after an interrupt.
    """
    from finnmake.build.api import build
    from finnmake.build.reporter import summary_line
    from finnmake.build.stamp import SECONDS
    from finnmake.build.stamp_writer import StampWriter

    # Before anything is looked at: it takes down what the build file opens.
    stamp = StampWriter(options.command_line, options.started)
    targets = targets_of(options)
    step = not is_model(options.target) and ":" in (options.target or "")
    selection = [options.target] if step else list(targets)
    output = None if options.json else sys.stdout
    result = build(
        targets,
        selection,
        jobs=jobs_of(options),
        output=output,
        profile=options.profile,
        remote_execution=options.remote_exec,
        use_slurm=options.executor == "slurm",
        # An answer from a stamp has no profile.
        stamp=stamp if options.profile is None else None,
    )
    if options.json:
        said = _json_of(result, str(round(result.seconds, 3)))
        print(said, end="")
        stamp.write(_json_of(result, SECONDS))
        for message in result.failures.values():
            print(message, file=sys.stderr)
    elif result.ok:
        summary = "".join(_summary(target, result.outputs) for target in targets.values() if target.name in selection)
        print(summary, end="")
        stamp.write(f"{summary_line(result.actions, SECONDS)}\n{summary}")
    if result.interrupted:
        return 130
    return 0 if result.ok else 1


def _json_of(result: BuildResult, seconds: str) -> str:
    body = {
        "ok": result.ok,
        "seconds": "SECONDS",
        "actions": dict(result.actions),
        "ran": list(result.ran),
        "outputs": {name: str(path) for name, path in main_outputs(result.outputs).items()},
        "failures": dict(result.failures),
    }
    return json.dumps(body, indent=1).replace('"SECONDS"', seconds, 1) + "\n"


def main_outputs(outputs: Mapping[str, Path]) -> dict[str, Path]:
    """Outputs by the short names of ``MAIN_OUTPUTS`` where they have one, by ``task/scratch path`` otherwise.

    With more than one accelerator in a build the short names carry the accelerator's: ``NAME.bitstream``.
    """
    targets = {key.partition(":")[0] for key in outputs}
    named: dict[str, Path] = {}
    for key, path in outputs.items():
        target, _, rest = key.partition(":")
        short = MAIN_OUTPUTS.get(rest, key)
        named[f"{target}.{short}" if len(targets) > 1 and short != key else short] = path
    return named


def _summary(target: Target, outputs: Mapping[str, Path]) -> str:
    folder = target.folder()
    if not isinstance(target, Accelerator):
        prefix = f"{target.name}:"
        graphs = [outputs[name] for name in outputs if name.startswith(prefix) and name.endswith(".onnx")]
        # Their names begin with the number of the step.
        return f"  graph                 {_shown(max(graphs))}\n" if graphs else ""
    last = target.last_stage()
    notes = (folder / NOTES_FILE).read_text(encoding="utf-8").splitlines() if last >= Stage.LAYERS else []
    if last < Stage.BITSTREAM:
        lines = [("note", note) for note in notes]
        if target.until is None:
            lines.append(("board", f"{target.board}: no place and route, so no bitstream"))
        return "".join(f"  {name:<21} {text}\n" for name, text in lines)
    return (
        "".join(f"  {'note':<21} {note}\n" for note in notes)
        + "\n"
        + (folder / "report.txt").read_text(encoding="utf-8")
        + f"  files                 {_shown(folder / f'{target.name}.bit')}\n"
        + f"                        {_shown(folder / 'deploy')}/ (driver and description)\n"
        + f"                        {_shown(folder / 'report.json')}, {_shown(folder / 'report.svg')}\n"
    )


def _shown(path: Path) -> str:
    return os.path.relpath(path)


def why_command(options: argparse.Namespace) -> int:
    """Prints for each action of the last build what made it run.

    Returns:
        0, or 1 for a task that no build has made.
    """
    if options.now:
        return _why_now(options.tasks)
    from finnmake.build.state import State
    from finnmake.build.why import explain
    from finnmake.build.workspace import Workspace

    if Path(BUILD_FILE).is_file():
        found = [target.workspace() for target in load_build_file(Path(BUILD_FILE)).values()]
    else:
        found = [Workspace.of(Path())]
    places = dict.fromkeys(workspace.state_folder / "state.sqlite" for workspace in found)
    files = [path for path in places if path.is_file()]
    if not files:
        raise BuildFileError(
            f"nothing has been built in {Path().absolute()}",
            remedy="Name the folder of a build file, or of a bare model's build, with -C.",
        )
    unknown = set(options.tasks)
    for path in files:
        with contextlib.closing(State(path)) as state:
            known = {name for task in state.tasks for name in (task, task.partition(":")[0])}
            unknown -= known
            wanted = [name for name in options.tasks if name in known]
            if wanted or not options.tasks:
                for line in explain(state, wanted):
                    print(line)
    for name in sorted(unknown):
        print(f"{name}: never built")
    return 1 if unknown else 0


def _why_now(names: Sequence[str]) -> int:
    """Prints what would make tasks run if they were built now."""
    from finnmake.build.inspection import Inspection, inspect
    from finnmake.build.why import explain_now

    def look(inspection: Inspection) -> tuple[list[str], int]:
        session, lines, up_to_date = inspection.session, list[str](), 0
        for name in inspection.engine_tasks(tuple(names)):
            found = explain_now(session.rebuilder(name), name, session.tasks[name].action)
            lines.extend(found)
            up_to_date += not found
        return lines, up_to_date

    lines, up_to_date = inspect(Path(BUILD_FILE), look)
    for line in lines:
        print(line)
    print(f"{up_to_date} up to date")
    return 0
