"""``finnmake cache``: care of the local store, and moving results to and from the remote cache."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finnmake.errors import BuildFileError

if TYPE_CHECKING:
    from finnmake.build.store import LocalStore
    from finnmake.build.workspace import Workspace

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``finnmake cache``."""
    commands = parser.add_subparsers(required=True, metavar="stats|gc|verify|clear|push|pull")

    def add(name: str, purpose: str, what: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.")
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(cache=what)
        return command

    add("stats", "say what the local store holds and who uses it", _stats)
    collect = add("gc", "remove what has not been used for longest; nothing that a build in progress uses", _collect)
    collect.add_argument("--max-size", metavar="SIZE", help="for example 5 GiB (default: max_size of finnmake.toml)")
    add("verify", "read every byte of the local store, drop what is wrong; exit status 1 if something was", _verify)
    clear = add("clear", "remove everything from the local store; not while a build uses it", _clear)
    clear.add_argument("--yes", action="store_true", help="do not ask")
    push = add("push", "upload results that the remote cache lacks: those that builds could not upload", _push)
    push.add_argument("--all", action="store_true", help="the results of all tasks of the build file")
    pull = add("pull", "take all that a target needs from the remote cache, without running anything", _pull)
    pull.add_argument("target", nargs="?", metavar="TARGET", help="target or task (default: all targets)")
    pull.add_argument("-j", "--jobs", type=int, default=0, metavar="N", help="tasks at once (default: CPUs)")


def cache_command(options: argparse.Namespace) -> int:
    """Does what the command line says.

    Returns:
        0 when all is well; 1 where ``verify`` found something, or ``pull`` misses something.
    """
    return int(options.cache(options))


def _workspace() -> Workspace:
    from finnmake.build.workspace import Workspace

    return Workspace.of(Path())


def _store(workspace: Workspace) -> LocalStore:
    from finnmake.build.store import LocalStore

    return LocalStore(workspace.store)


def _print(options: argparse.Namespace, content: Mapping[str, Any], *lines: str) -> None:
    if options.json:
        print(json.dumps(content, indent=1))
    else:
        for line in lines:
            print(line)


def size_text(size: int) -> str:
    """A size in the unit that gives it the fewest digits, for example ``1.4 GiB``."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{size} bytes" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def _stats(options: argparse.Namespace) -> int:
    from finnmake.build.collection import statistics

    workspace = _workspace()
    limit = workspace.configuration.store_size
    found = statistics(_store(workspace))
    used = found.unused_since
    day = "never" if used is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(used))
    content = {
        "store": str(workspace.store),
        "blobs": found.blobs,
        "results": found.results,
        "bytes": found.size,
        "limit": limit or None,
        "oldest_use": used,
        "in_use": found.builds,
    }
    _print(
        options,
        content,
        f"store       {os.path.relpath(workspace.store)}",
        f"blobs       {found.blobs}",
        f"results     {found.results}",
        f"size        {size_text(found.size)} of {size_text(limit) if limit else 'any size'}",
        f"oldest use  {day}",
        f"in use      {'by a build' if found.builds else 'by no build'}",
    )
    return 0


def _collect(options: argparse.Namespace) -> int:
    from finnmake.build.collection import collect
    from finnmake.build.configuration import parse_size

    workspace = _workspace()
    if options.max_size is None and not workspace.configuration.store_size:
        raise BuildFileError("the store has no limit", remedy="Say --max-size SIZE.")
    limit = workspace.configuration.store_size if options.max_size is None else parse_size(options.max_size)
    done = collect(_store(workspace), limit)
    lines = [f"removed {done.removed} files, {size_text(done.freed)}; {size_text(done.size)} are left"]
    if done.in_use:
        lines.append(f"{size_text(done.in_use)} above the limit stay: a build uses them")
    content = {"removed": done.removed, "freed": done.freed, "bytes": done.size, "in_use": done.in_use}
    _print(options, content, *lines)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from finnmake.build.collection import verify

    found = verify(_store(_workspace()))
    wrong = bool(found.corrupt or found.incomplete)
    lines = [
        *(f"dropped, its bytes were wrong: {name}" for name in found.corrupt),
        *(f"dropped, names a blob that is missing: {name}" for name in found.incomplete),
        f"{found.blobs} blobs and {found.results} results read, {len(found.corrupt) + len(found.incomplete)} dropped",
    ]
    _print(options, {"ok": not wrong, **asdict(found)}, *lines)
    return 1 if wrong else 0


def _clear(options: argparse.Namespace) -> int:
    from finnmake.build.collection import clear

    workspace = _workspace()
    if not options.yes:
        if options.json or not sys.stdin.isatty():
            raise BuildFileError("the store is not cleared without being asked to", remedy="Say --yes.")
        if not _agreed(f"Remove everything from {os.path.relpath(workspace.store)}? [y/N] "):
            print("nothing removed")
            return 0
    freed = clear(_store(workspace))
    _print(options, {"freed": freed}, f"removed {size_text(freed)}")
    return 0


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() == "y"
    except EOFError:
        print()
        return False


def _push(options: argparse.Namespace) -> int:
    from finnmake.build.inspection import inspect
    from finnmake.build.pushing import push_all, push_pending
    from finnmake.flow.target import BUILD_FILE

    done = inspect(Path(BUILD_FILE), push_all) if options.all else push_pending(_workspace())
    line = f"{done.uploaded} results uploaded, {done.present} were there, {done.absent} are not in the local store"
    _print(options, asdict(done), line + (f", {done.unknown} cannot be named yet" if done.unknown else ""))
    return 0


def _pull(options: argparse.Namespace) -> int:
    from finnmake.build.api import build
    from finnmake.build.pushing import remote_of
    from finnmake.flow.session import jobs_of
    from finnmake.flow.target import BUILD_FILE

    remote_of(_workspace())
    selection = [options.target] if options.target is not None else []
    result = build(Path(BUILD_FILE), selection, jobs=jobs_of(options), keep_going=True, may_run=False)
    if result.interrupted:
        return 130
    counts = result.actions
    failures = {name: text for name, text in result.failures.items() if name not in result.missing}
    content = {
        "ok": result.ok,
        "downloaded": counts["remote"],
        "from_store": counts["store"],
        "up_to_date": counts["up_to_date"],
        "missing": list(result.missing),
        "failures": failures,
    }
    lines = [
        *(f"missing: {name}" for name in result.missing),
        f"{counts['remote']} results downloaded, {counts['store']} were in the local store, "
        f"{counts['up_to_date']} up to date, {len(result.missing)} missing",
    ]
    if result.missing:
        lines.append("what needs a missing result could not be asked for")
    _print(options, content, *lines)
    for text in failures.values():
        print(f"finnmake: {text}", file=sys.stderr)
    return 0 if result.ok else 1
