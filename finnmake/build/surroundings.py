"""What the answer of a build depends on besides the files of its tasks, and what the file system says of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from finnmake.build.configuration import CONFIGURATION
from finnmake.build.digest import RACY_NS
from finnmake.build.rebuilder import Rebuilder
from finnmake.build.stamp import states

_QUIET_NS = 2 * RACY_NS
"""How long before the start of the build a file must have changed last whose digest is not known: modules were loaded a
little before."""


class RacyError(Exception):
    """Something changed too lately: its times would not show the next change."""


@dataclass(frozen=True)
class Seen:
    """Files and folders, and what the file system said of them.

    Attributes:
        present: path -> ``stamp.states`` of it.
        absent: paths at which there is nothing.
    """

    present: dict[str, bytes]
    absent: list[str]


def surroundings(
    rebuilder: Rebuilder, opened: Collection[str], listed: Collection[str], found_in: Iterable[str]
) -> Iterator[str]:
    """Paths, there or not. Python's own files are known by their folders.

    Args:
        rebuilder: of the build.
        opened: files that the process has opened for reading.
        listed: folders that it has listed.
        found_in: files; their folders are yielded, since another file may be found first in them.
    """
    python = tuple(f"{os.path.realpath(prefix)}/" for prefix in (sys.base_prefix, sys.prefix))
    modules = [os.path.abspath(file) for file in map(_file_of, list(sys.modules.values())) if file]  # noqa: PTH100
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    loaded = [path for path in modules if path.startswith(f"{package}/") or not path.startswith(python)]
    known = ("/dev/", *python)
    read = [path for path in opened if "/__pycache__/" not in path and not path.startswith(known)]
    yield from (path for path in listed if not f"{path}/".startswith(known))
    files = dict.fromkeys((*loaded, *read, str(rebuilder.workspace.build_file)))
    yield from files
    yield from dict.fromkeys(
        folder
        for folder in map(os.path.dirname, (*files, *found_in))
        if not folder.startswith(str(rebuilder.workspace.state_folder))
    )
    yield from (os.path.abspath(entry) for entry in (*sys.path, *os.get_exec_path()))  # noqa: PTH100
    yield from (str(tool.path) for tool in rebuilder.toolbox.found)
    above = rebuilder.workspace.build_file
    for folder in (above, *above.parents):
        yield str(folder / CONFIGURATION)
        if folder == rebuilder.workspace.root:
            break


def look_at(paths: Iterable[str], started: int, known: Collection[str] = ()) -> Seen:
    """What the file system says of files and folders.

    Args:
        paths: of them.
        started: when the process began (ns since the epoch).
        known: paths that are left out.

    Raises:
        RacyError: one has changed since or little before the start.
        OSError: one cannot be looked at.
        OverflowError: a time before 1970.
    """
    seen = Seen({}, [])
    for path in paths:
        if path in known or path in seen.present:
            continue
        try:
            status = os.stat(path)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            seen.absent.append(path)
            continue
        if max(status.st_mtime_ns, status.st_ctime_ns) > started - _QUIET_NS:
            raise RacyError
        seen.present[path] = states([path])
    return seen


def _file_of(module: ModuleType) -> str:
    return str(getattr(module, "__file__", None) or "")
