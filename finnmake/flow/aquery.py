"""``finnmake aquery``: what the keys of actions are made of, now; and what differs between two such texts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finnmake.errors import BuildFileError, FinnmakeError

if TYPE_CHECKING:
    from finnmake.build.action_text import ActionText
    from finnmake.build.inspection import Inspection

TROUBLE = 2
"""Exit status where a comparison is not possible, as with diff."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``finnmake aquery``."""
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="a task as `doit list --all` names it, or a group")
    parser.add_argument(
        "--diff",
        nargs="+",
        type=Path,
        metavar="FILE.txt",
        help="compare saved texts: two of them, or one with the named tasks as they are now",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def aquery_command(options: argparse.Namespace) -> int:
    """Prints texts of actions or their differences.

    Returns:
        0; 1 where inputs of a task have not been built yet. With ``--diff`` 0 where there is no difference, 1 where
        there is one, 2 where the comparison is not possible.
    """
    if options.diff is not None:
        options.error_status = TROUBLE
        return _compare(options)
    if not options.tasks:
        raise BuildFileError("no task is named", remedy="`doit list --all` names them all.")
    found, unknown = _now(options.tasks)
    if options.json:
        actions = {name: {"key": action.key, "ingredients": dict(action.ingredients)} for name, action in found.items()}
        print(json.dumps({"actions": actions, "unknown": unknown}, indent=1))
    else:
        print("\n\n".join("\n".join(action.lines()) for action in found.values()))
    for name, message in list(unknown.items())[:1]:
        print(f"finnmake: {name}: its key is not known yet: {message}", file=sys.stderr)
    if len(unknown) > 1:
        print(f"  and those of {len(unknown) - 1} more tasks (--json names them all)", file=sys.stderr)
    return 1 if unknown else 0


def _now(names: Sequence[str]) -> tuple[dict[str, ActionText], dict[str, str]]:
    """Texts of the tasks of the build file, and messages of those whose inputs are not all there."""
    from finnmake.build.action_text import ActionText
    from finnmake.build.inspection import inspect
    from finnmake.flow.target import BUILD_FILE

    def look(inspection: Inspection) -> tuple[dict[str, ActionText], dict[str, str]]:
        found: dict[str, ActionText] = {}
        unknown: dict[str, str] = {}
        for name in inspection.engine_tasks(tuple(names)):
            session = inspection.session
            try:
                found[name] = ActionText.of(name, session.rebuilder(name).resolved(session.tasks[name].action))
            except FinnmakeError as error:
                unknown[name] = error.text
        return found, unknown

    return inspect(Path(BUILD_FILE), look)


def _compare(options: argparse.Namespace) -> int:
    from finnmake.build.action_text import differences

    wanted = 1 if options.tasks else 2
    if len(options.diff) != wanted:
        raise BuildFileError(
            f"--diff has {len(options.diff)} files",
            remedy="Say --diff A.txt B.txt, or TASK --diff OTHER.txt for the tasks as they are now.",
        )
    before = _read(options.diff[0])
    if options.tasks:
        after, unknown = _now(options.tasks)
        if unknown:
            raise BuildFileError("; ".join(unknown.values()), remedy="Build what they need first.")
        before = {name: action for name, action in before.items() if name in after}
        _require(before, after, options.diff[0])
    else:
        after = _read(options.diff[1])
    found = differences(before, after)
    if options.json:
        print(json.dumps({"equal": not found, "differences": found}, indent=1))
    else:
        for name, lines in found.items():
            print(name)
            for line in lines:
                print(f"  {line}")
    return 1 if found else 0


def _require(before: Mapping[str, ActionText], tasks: Iterable[str], path: Path) -> None:
    missing = [task for task in tasks if task not in before]
    if missing and not before:
        raise BuildFileError(f"has no action {', '.join(missing)}", where=str(path), remedy="Save it with aquery.")


def _read(path: Path) -> dict[str, ActionText]:
    from finnmake.build.action_text import parse

    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BuildFileError(f"cannot be read: {reason}", where=str(path)) from None
