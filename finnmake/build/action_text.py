"""The ingredients of action keys as text that can be saved, sent to a colleague, and compared. Pure functions.

One paragraph for each action: ``action NAME``, ``key HEX``, then a line ``INGREDIENT = "VALUE"`` for each ingredient,
the value as a JSON string. The text of the same action is the same wherever and whenever it is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from finnmake.build.key import Resolved, host_properties, reapi_action
from finnmake.build.why import changes
from finnmake.errors import BuildFileError

_ACTION, _KEY = "action ", "  key "


@dataclass(frozen=True)
class ActionText:
    """What the key of a task's action is made of.

    Attributes:
        task: its name.
        key: 64 hex digits.
        ingredients: name -> value: those of ``Resolved.ingredients``, and what the key says of the machine.
    """

    task: str
    key: str
    ingredients: Mapping[str, str]

    @classmethod
    def of(cls, task: str, resolved: Resolved) -> ActionText:
        """Of an action whose inputs have been looked up."""
        platform = {f"platform {name}": value for name, value in sorted(host_properties().items())}
        return cls(task, reapi_action(resolved).key, resolved.ingredients() | platform)

    def lines(self) -> Iterable[str]:
        """The paragraph."""
        yield f"{_ACTION}{self.task}"
        yield f"{_KEY}{self.key}"
        for name, value in self.ingredients.items():
            yield f"  {_name(name)} = {json.dumps(value)}"


def parse(text: str, where: str) -> dict[str, ActionText]:
    """Reads what ``ActionText.lines`` wrote, by task.

    Args:
        text: paragraphs.
        where: for messages.

    Raises:
        BuildFileError: a line is none of such a text.
    """
    found: dict[str, ActionText] = {}
    task, key, ingredients = "", "", dict[str, str]()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if line.startswith(_ACTION):
                task, key, ingredients = line[len(_ACTION) :], "", {}
            elif line.startswith(_KEY) and not key and task:
                key = line[len(_KEY) :]
                found[task] = ActionText(task, key, ingredients)
            elif line.strip():
                name, value = _ingredient(line)
                if not key:
                    raise ValueError
                ingredients[name] = value
        except ValueError:
            raise BuildFileError(
                f"line {number} is not one of a text of `finnmake aquery`",
                where=where,
                remedy="Save one with: finnmake aquery TASK > FILE",
            ) from None
    if not found:
        raise BuildFileError("names no action", where=where, remedy="Save one with: finnmake aquery TASK > FILE")
    return found


def _name(name: str) -> str:
    """As it is, unless a reader could mistake it."""
    plain = " = " not in name and name.isprintable() and name == name.strip() and not name.startswith('"')
    return name if plain else json.dumps(name)


def _ingredient(line: str) -> tuple[str, str]:
    text = line.strip()
    if text.startswith('"'):
        name, end = json.JSONDecoder().raw_decode(text)
        rest = text[end:]
        if not rest.startswith(" = "):
            raise ValueError
        value = json.loads(rest[3:])
    else:
        name, separator, rest = text.partition(" = ")
        value = json.loads(rest) if separator else None
    if not isinstance(name, str) or not isinstance(value, str):
        raise ValueError
    return name, value


def differences(before: Mapping[str, ActionText], after: Mapping[str, ActionText]) -> dict[str, list[str]]:
    """Task -> a line for each ingredient that is not the same, for each task that is not the same.

    Tasks that only one side has are there with one line that says so.
    """
    found: dict[str, list[str]] = {}
    for task in dict.fromkeys((*before, *after)):
        old, new = before.get(task), after.get(task)
        if old is None:
            found[task] = ["only in the second"]
        elif new is None:
            found[task] = ["only in the first"]
        elif lines := changes(old.ingredients, new.ingredients):
            found[task] = lines
        elif old.key != new.key:
            found[task] = [f"key: {old.key[:12]} -> {new.key[:12]}, from the same ingredients: a text has been edited"]
    return found
