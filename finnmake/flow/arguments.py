"""What the arguments of a target may be: Python does not hold a build file to its annotations."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from finnmake.errors import BuildFileError


@dataclass(frozen=True)
class Argument:
    """What an argument may be.

    Attributes:
        holds: whether a value is such.
        remedy: what to say.
    """

    holds: Callable[[object], bool]
    remedy: str


def check_arguments(target: Any, arguments: Mapping[str, Argument], where: str) -> None:
    """Checks values before anything is done with them. None may stand where it, or an empty text, is the default.

    Args:
        target: a dataclass.
        arguments: by the names of its fields.
        where: the target's name.

    Raises:
        BuildFileError: a value is something else.
    """
    for field in fields(target):
        value, argument = getattr(target, field.name), arguments.get(field.name)
        if argument is None or (value is None and field.default in (None, "")) or argument.holds(value):
            continue
        raise BuildFileError(f"{field.name}={value!r}", where=where, remedy=argument.remedy)


def is_number(value: object) -> bool:
    """A finite number of Python's: NumPy's enter no key. True is an integer to Python, not to users."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value: object) -> bool:
    """A text."""
    return isinstance(value, str)


def is_path(value: object) -> bool:
    """A path as users write it."""
    return isinstance(value, str | Path)


def is_texts(value: object) -> bool:
    """One text or a list of them."""
    return isinstance(value, Sequence) and all(isinstance(entry, str) for entry in value)


def is_table_of_texts(value: object) -> bool:
    """Texts by texts."""
    return isinstance(value, Mapping) and all(map(is_text, [*value, *value.values()]))


def is_table_of_tables(value: object) -> bool:
    """Tables by texts, as a JSON file has them."""
    if not isinstance(value, Mapping) or not all(isinstance(entry, Mapping) for entry in value.values()):
        return False
    try:
        json.dumps({name: dict(entry) for name, entry in value.items()}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


TEXT = Argument(is_text, "Say a text.")
PATH = Argument(is_path, "Say a path: a text, or a pathlib.Path.")
NUMBER = Argument(is_number, "Say a number, an int or a float.")
COUNT = Argument(lambda value: is_number(value) and isinstance(value, int), "Say a whole number, an int.")
FLAG = Argument(lambda value: isinstance(value, bool), "Say True or False.")
