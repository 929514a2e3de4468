"""The command line: ``finnmake build | run | why | doctor | …``.

Parsing and printing only; what the commands do lies in ``finnmake.flow``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import finnmake
from finnmake.errors import BuildFileError, FinnmakeError
from finnmake.flow.aquery import add_arguments as aquery_arguments
from finnmake.flow.aquery import aquery_command
from finnmake.flow.cache import add_arguments as cache_arguments
from finnmake.flow.cache import cache_command
from finnmake.flow.diff import add_arguments as diff_arguments
from finnmake.flow.diff import diff_command
from finnmake.flow.query import add_arguments as query_arguments
from finnmake.flow.query import query_command
from finnmake.flow.show import add_arguments as show_arguments
from finnmake.flow.show import show_command
from finnmake.flow.stages import STAGE_NAMES

ENGINES = ("reference", "cpp", "rtl", "stitched")


def main(arguments: Sequence[str] | None = None, started: int | None = None) -> int:
    """Runs one command.

    Args:
        arguments: without the command's name; those of the process by default.
        started: when the process began, ns since the epoch; now by default.

    Returns:
        The exit status: 0 when all is well, 1 when something is wrong with model, build file, tool or build, 2 for a
        command line that cannot be understood. ``diff`` has its own, those of diff: 0 equal, 1 different, 2 trouble.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = build_parser().parse_args(arguments)
    options.command_line = ["finnmake", *arguments]
    options.started = time.time_ns() if started is None else started
    try:
        _change_directory(options.directory)
        status = int(options.command(options))
        # Here, not when Python ends: nobody would catch what it raises.
        sys.stdout.flush()
        return status
    except FinnmakeError as error:
        return _say_error(options, error.text)
    except BrokenPipeError:
        # Who read has gone; Python must not find out again when it ends.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _say_error(options, f"{where}{error.strerror or error}\n  Check that it can be read and written.")
    except KeyboardInterrupt:
        print("finnmake: interrupted", file=sys.stderr)
        return 130


def _say_error(options: argparse.Namespace, text: str) -> int:
    if getattr(options, "json", False):
        print(json.dumps({"ok": False, "error": text}))
    print(f"finnmake: {text}", file=sys.stderr)
    return int(getattr(options, "error_status", 1))


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="finnmake", description="Quantised neural networks to streaming-dataflow FPGA accelerators."
    )
    parser.add_argument("--version", action="version", version=f"finnmake {finnmake.__version__}")
    parser.add_argument(
        "-C", dest="directory", type=Path, default=Path(), metavar="DIR", help="folder of the build file"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_build(commands.add_parser("build", help="build a target of the build file, or a bare model"))
    _add_run(commands.add_parser("run", help="execute a batch of inputs on a target or a model"))
    show = commands.add_parser("show", help="open a graph of the flow in Netron")
    show_arguments(show)
    show.set_defaults(command=show_command)
    diff = commands.add_parser("diff", help="say what a transformation did: the differences of two graphs")
    diff_arguments(diff)
    diff.set_defaults(command=diff_command)
    why = commands.add_parser("why", help="say for each action of the last build why it ran")
    why.add_argument("--now", action="store_true", help="say which actions would run now, and why")
    why.add_argument("tasks", nargs="*", metavar="TASK")
    why.set_defaults(command=_why)
    query = commands.add_parser("query", help="print what a target needs, what needs it, what it makes")
    query_arguments(query)
    query.set_defaults(command=query_command)
    aquery = commands.add_parser("aquery", help="print what the keys of actions are made of, or compare two of these")
    aquery_arguments(aquery)
    aquery.set_defaults(command=aquery_command)
    cache = commands.add_parser("cache", help="care for the local store; push to and pull from the remote cache")
    cache_arguments(cache)
    cache.set_defaults(command=cache_command)
    doctor = commands.add_parser("doctor", help="list every tool: found, version, where, what is skipped without it")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(command=_doctor)
    worker = commands.add_parser("worker", help="what a machine needs that runs actions for a remote execution engine")
    qualifies = worker.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "doctor", help="say whether this machine qualifies as a worker"
    )
    qualifies.add_argument("tools", nargs="*", metavar="TOOL", help="tools that it is to have (default: all)")
    qualifies.add_argument("--json", action="store_true", help="print JSON")
    qualifies.set_defaults(command=_worker_doctor)
    return parser


def _change_directory(folder: Path) -> None:
    """Like make and ninja: everything else on the command line is relative to DIR."""
    try:
        os.chdir(folder)
    except OSError as problem:
        raise BuildFileError(f"cannot change to {folder}: {problem.strerror}", remedy="Check -C.") from None


def _add_target_options(parser: argparse.ArgumentParser) -> None:
    bare = parser.add_argument_group(
        "what a build file says", "needed (--board) or possible for a bare model; for a target in place of its own"
    )
    bare.add_argument("--board", help="name of the board")
    bare.add_argument("--fold", metavar="FILE|auto", help="folding file, or auto (default)")
    bare.add_argument("--target-fps", type=float, metavar="N", help="frames per second that automatic folding aims at")
    bare.add_argument(
        "--fifo-depths", metavar="WAY|FILE", help="auto (default), measured, estimated, or a file of depths"
    )
    bare.add_argument(
        "--core-engine",
        metavar="ENGINE",
        help="what makes the cores: rtl (default), bambu, vitis_hls; or LAYER=ENGINE,…",
    )
    bare.add_argument("--clock", type=float, metavar="MHZ", help="clock of the accelerator")
    bare.add_argument("--input-datatype", metavar="TYPE", help="datatype of the input integers, for example UINT8")
    bare.add_argument("--input-scale", metavar="X", help="value of one input step, for example 1/255")
    bare.add_argument("--top-k", type=int, metavar="K", help="end with a LabelSelect of K labels, or (0) with none")
    bare.add_argument("--synthesis", metavar="FLOW,…", help="further flows for the table of resources: ecp5, xc7, xcup")
    bare.add_argument("--finn-reports", metavar="DIR", help="FINN's reports of the same network, for the same table")
    bare.add_argument("--samples", metavar="FILE.npy", help="inputs that simulations are verified on")
    bare.add_argument("--labels", metavar="FILE.npy", help="class labels of the samples")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to build (default build/NAME)")
    parser.add_argument("-j", "--jobs", type=int, default=0, metavar="N", help="actions at once (default: CPUs)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", nargs="?", help="target of the build file, or an .onnx file (default: all targets)")
    parser.add_argument("--until", choices=list(STAGE_NAMES), help="last stage to build")
    parser.add_argument(
        "--profile", type=Path, metavar="FILE.json", help="write a trace of the build (Perfetto, chrome://tracing)"
    )
    _add_target_options(parser)
    elsewhere = parser.add_mutually_exclusive_group()
    elsewhere.add_argument(
        "--executor",
        choices=("local", "slurm"),
        default="local",
        help="where tools run (default: local); with slurm, -j may exceed the CPUs",
    )
    elsewhere.add_argument(
        "--remote-exec",
        nargs="?",
        const="",
        metavar="URL",
        help="run actions on a remote engine: grpc(s)://host:port, or that of finnmake.toml; -j may exceed the CPUs",
    )
    parser.set_defaults(command=_build)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="target of the build file, or an .onnx file")
    parser.add_argument("--engine", choices=ENGINES, default="reference", help="what computes (default: reference)")
    parser.add_argument("--inputs", type=Path, required=True, metavar="X.npy", help="batch of inputs, one sample a row")
    parser.add_argument("--output", type=Path, required=True, metavar="Y.npy", help="where the outputs go")
    _add_target_options(parser)
    parser.set_defaults(command=_run)


def _build(options: argparse.Namespace) -> int:
    from finnmake.flow.session import build_command

    return build_command(options)


def _run(options: argparse.Namespace) -> int:
    from finnmake.flow.run import run_command

    return run_command(options)


def _why(options: argparse.Namespace) -> int:
    from finnmake.flow.session import why_command

    return why_command(options)


def _doctor(options: argparse.Namespace) -> int:
    from finnmake.flow.doctor import doctor_command

    return doctor_command(options)


def _worker_doctor(options: argparse.Namespace) -> int:
    from finnmake.flow.worker import worker_doctor_command

    return worker_doctor_command(options)


if __name__ == "__main__":
    sys.exit(main())
