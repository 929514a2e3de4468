"""The whole-graph stamp: whether a command line that found nothing to do would find nothing to do again.

A stamp names every file and folder that the answer was derived from, with what the file system said of each. Checking
it costs one ``stat`` a file and imports nothing of the engine. It is written by ``stamp_writer`` after a build that
found everything up to date, and belongs to one question: arguments, folder, environment, Python. Whatever does not
agree, cannot be read or was not foreseen makes ``answer`` say None, and the build looks at everything.
"""

from __future__ import annotations

import os
import sys
from array import array
from binascii import crc32
from itertools import chain
from operator import attrgetter

FORMAT = b"finnmake-stamp-1"
FOLDER = ".finnmake/stamps"
SECONDS = "{seconds}"
"""Stands in a remembered answer for how long this time took."""

_NOT_ASKED = frozenset(("_", "SHLVL", "OLDPWD"))
"""Environment variables that shells change with every command."""
_STATE = attrgetter("st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")


def question(arguments: list[str]) -> bytes:
    """All that is not a file and could make the answer another one."""
    environment = sorted(f"{name}={value}" for name, value in os.environ.items() if name not in _NOT_ASKED)
    lines = [*arguments, "", os.getcwd(), sys.executable, sys.version, __file__, *environment]  # noqa: PTH109
    return "\0".join(lines).encode("utf-8", "surrogateescape")


def name_of(asked: bytes) -> str:
    """File name of the stamp that belongs to a question; the question itself is in the file."""
    return f"{crc32(asked):08x}"


def states(paths: list[str]) -> bytes:
    """What the file system says of files and folders: inode, size, mtime, ctime of each (64 bits, ns).

    Raises:
        OSError: one is not there.
        OverflowError: a time before 1970.
    """
    # All in C, nothing kept: this line is most of what a null build costs.
    return array("Q", chain.from_iterable(map(_STATE, map(os.stat, paths)))).tobytes()


def encode(asked: bytes, said: str, paths: list[str], absent: list[str], seen: bytes) -> bytes:
    """The bytes of a stamp file.

    Args:
        asked: the question.
        said: the answer.
        paths: of files and folders that must be as they were.
        absent: paths at which there must be nothing.
        seen: what ``states(paths)`` was.
    """
    texts = [said, "\0".join(paths), "\0".join(absent)]
    parts = [asked, *(text.encode("utf-8", "surrogateescape") for text in texts), seen]
    body = b"".join(parts)
    lengths = b" ".join(b"%d" % len(part) for part in parts)
    return b"%s %08x %s\n" % (FORMAT, crc32(body), lengths) + body


def answer(folder: str, arguments: list[str]) -> str | None:
    """What a build would say that has nothing to do; None where there may be something to do.

    Args:
        folder: of the build file.
        arguments: of the command line, with the command's name.
    """
    asked = question(arguments)
    name = name_of(asked)
    folder = os.path.abspath(folder)  # noqa: PTH100
    while True:
        try:
            with open(f"{folder}/{FOLDER}/{name}", "rb") as file:  # noqa: PTH123
                return _checked(file.read(), asked)
        except OSError:
            pass
        above = os.path.dirname(folder)  # noqa: PTH120
        if above == folder:
            return None
        folder = above


def _checked(content: bytes, asked: bytes) -> str | None:
    header, _, body = content.partition(b"\n")
    try:
        form, check, *lengths = header.split(b" ")
        ends = [int(length) for length in lengths]
        if form != FORMAT or int(check, 16) != crc32(body) or len(ends) != 5 or sum(ends) != len(body):
            return None
        parts = []
        for length in ends:
            parts.append(body[:length])
            body = body[length:]
        if parts[0] != asked:
            return None
        said, paths, absent = (part.decode("utf-8", "surrogateescape") for part in parts[1:4])
        if any(map(os.path.lexists, filter(None, absent.split("\0")))):
            return None
        return said if states(paths.split("\0")) == parts[4] else None
    except (ValueError, OSError, OverflowError):
        return None
