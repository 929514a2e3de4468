"""A build's footprint: which files each of its tasks was judged by, so that the next build asks only some of them.

Where nothing has changed but files of tasks (no build file, module, listed folder, tool, argument, environment), the
tasks are the same, and one that no changed file concerns, nor a task that it comes after, is as up to date as it was.
"""

from __future__ import annotations

import os
from array import array
from binascii import crc32
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from finnmake.build.digest import change_stamp
from finnmake.build.files import write_atomically
from finnmake.build.stamp import states
from finnmake.build.state import State

FORMAT = b"finnmake-footprint-1"
FOLDER = ".finnmake/footprints"
SIZE = len(states(["/"]))
UNKNOWN = bytes(SIZE)
"""In place of the state of a file that is to be looked at again."""


@dataclass(frozen=True)
class Footprint:
    """What a build was derived from that left everything up to date.

    Attributes:
        fixed: path -> state of files and folders on which all tasks depend.
        absent: paths at which there must be nothing.
        files: path, relative to the current directory where it lies in it -> state of the files of tasks; ``UNKNOWN``
            for one that counts as changed.
        tasks: task -> its files: inputs and outputs.
        records: what ``records_of`` said of the state.
    """

    fixed: Mapping[str, bytes]
    absent: tuple[str, ...]
    files: Mapping[str, bytes]
    tasks: Mapping[str, tuple[str, ...]]
    records: str

    def changed_files(self) -> frozenset[str] | None:
        """The files of tasks that are not as they were; None where more than these has changed."""
        try:
            if any(map(os.path.lexists, self.absent)) or states([*self.fixed]) != b"".join(self.fixed.values()):
                return None
        except (OSError, OverflowError):
            return None
        return frozenset(
            path
            for (path, seen), now in zip(self.files.items(), _states_now([*self.files]), strict=True)
            if seen != now
        )


def _states_now(paths: list[str]) -> Iterator[bytes]:
    try:
        found = states(paths)
    except (OSError, OverflowError):
        for path in paths:
            try:
                yield states([path])
            except (OSError, OverflowError):
                yield b""
    else:
        yield from (found[start : start + SIZE] for start in range(0, len(found), SIZE))


def affected(
    footprint: Footprint,
    changed: frozenset[str],
    comes_after: Mapping[str, Iterable[str]],
    outputs: Callable[[str], Iterable[str]],
) -> set[str]:
    """The tasks that may be out of date, or may become so while others are brought up to date; groups among them.

    Args:
        footprint: of the last build.
        changed: files.
        comes_after: from a task or group to those that must be done before it.
        outputs: from a task to the files that it writes.
    """
    followers: dict[str, list[str]] = {}
    for name, earlier in comes_after.items():
        for before in earlier:
            followers.setdefault(before, []).append(name)
    found: set[str] = set()
    while changed:
        waiting = [name for name, files in footprint.tasks.items() if not changed.isdisjoint(files)]
        new: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                new.add(name)
                waiting.extend(followers.get(name, ()))
        # Who reads what they write without coming after them, such as a whole folder.
        changed = frozenset(path for name in new for path in outputs(name))
    return found


def records_of(state: State) -> str:
    """A text that changes when another build, or ``forget``, has changed what is known of tasks."""
    return change_stamp("\n".join(sorted(f"{r.name} {r.fingerprint} {r.build}" for r in state.tasks.values())))


def write(path: Path, asked: bytes, footprint: Footprint) -> None:
    """Leaves a footprint.

    Args:
        path: of its file.
        asked: the question that was answered (``stamp.question``).
        footprint: of the answer.
    """
    numbers = {file: number for number, file in enumerate(footprint.files)}
    counts = array("I", map(len, footprint.tasks.values())).tobytes()
    members = array("I", (numbers[file] for files in footprint.tasks.values() for file in files)).tobytes()
    lists = (footprint.fixed, footprint.absent, footprint.files, footprint.tasks)
    parts = [asked, os.getcwd().encode("utf-8", "surrogateescape"), footprint.records.encode()]  # noqa: PTH109
    parts += ["\0".join(texts).encode("utf-8", "surrogateescape") for texts in lists]
    parts += [b"".join(footprint.fixed.values()), b"".join(footprint.files.values()), counts, members]
    body = b"".join(parts)
    lengths = b" ".join(b"%d" % len(part) for part in parts)
    # Not synced: a damaged one is none.
    write_atomically(path, b"%s %08x %s\n" % (FORMAT, crc32(body), lengths) + body, sync=False)


def read(path: Path, asked: bytes) -> Footprint | None:
    """The footprint that was left for a question; None where there is none that can be used."""
    try:
        header, _, body = path.read_bytes().partition(b"\n")
        form, check, *lengths = header.split(b" ")
        ends = [int(length) for length in lengths]
        if form != FORMAT or int(check, 16) != crc32(body) or len(ends) != 11 or sum(ends) != len(body):
            return None
    except (OSError, ValueError):
        return None
    parts, start = [], 0
    for length in ends:
        parts.append(body[start : start + length])
        start += length
    if parts[0] != asked or parts[1] != os.getcwd().encode("utf-8", "surrogateescape"):  # noqa: PTH109
        return None
    fixed, absent, files, tasks = (_texts(part) for part in parts[3:7])
    counts, members = array("I", parts[9]), array("I", parts[10])
    paths = [files[number] for number in members]
    ends = list(chain([0], counts))
    for place in range(1, len(ends)):
        ends[place] += ends[place - 1]
    return Footprint(
        dict(zip(fixed, _pieces(parts[7]), strict=True)),
        tuple(absent),
        dict(zip(files, _pieces(parts[8]), strict=True)),
        {name: tuple(paths[ends[place] : ends[place + 1]]) for place, name in enumerate(tasks)},
        parts[2].decode(),
    )


def _texts(part: bytes) -> list[str]:
    text = part.decode("utf-8", "surrogateescape")
    return text.split("\0") if text else []


def _pieces(part: bytes) -> list[bytes]:
    return [part[start : start + SIZE] for start in range(0, len(part), SIZE)]
