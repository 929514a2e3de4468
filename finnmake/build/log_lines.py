"""Which lines of a log say that its tool has failed. Synthesis tools write logs of fifty megabytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLAIN = re.compile(r"(?:\\b|\^)?([A-Za-z0-9_%:=, -]+)")


def lines_of(log: bytes) -> list[str]:
    """The lines of a log, whatever bytes it has."""
    return log.decode("utf-8", errors="replace").splitlines()


def error_lines(log: bytes, patterns: Sequence[str]) -> list[str]:
    """The lines that at least one of the regular expressions is found in."""
    # Looking for a text goes through a log a hundred times as fast as a regular expression does.
    possible = [pattern for pattern in patterns if required_text(pattern).encode() in log]
    if not possible:
        return []
    searches = [re.compile(pattern).search for pattern in possible]
    return [line for line in lines_of(log) if any(search(line) for search in searches)]


def required_text(pattern: str) -> str:
    """An ASCII text that is in every line in which a regular expression is found; "" where it shows none."""
    match = _PLAIN.match(pattern)
    # Alternatives and extensions, flags among them, can make any part of it optional.
    if match is None or "|" in pattern or "(?" in pattern:
        return ""
    text = match.group(1)
    return text[:-1] if pattern[match.end() : match.end() + 1] in ("?", "*", "{") else text
