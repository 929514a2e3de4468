"""Rules: how one kind of artefact is made, as data in ``rules/<tool flow>/rule.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from finnmake.build.action import Action, Input, ToolCommand
from finnmake.build.tools import Tool
from finnmake.errors import BuildFileError

Parameter = str | int | Sequence[str]
"""A value for a ``{placeholder}``: a text, a number, or a list of texts that expands in place."""

_PLACEHOLDER = re.compile(r"\{\{|\}\}|(?<!\$)\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FILE = re.compile(r"(\.\./[\w-]+/)?[\w-][\w.-]*")
_FILE_KEYS = {"tool", "rule"}


@dataclass(frozen=True)
class Rule:
    """One ``[rule.<name>]`` table.

    Attributes:
        name: unique among all rules.
        folder: where its files are.
        command: argv with ``{parameter}`` placeholders. A placeholder that is a whole argument may be a list, which
            expands in place; ``{inputs}`` is the list of the scratch paths that the caller gives as inputs, without
            the rule's own files. ``{{`` and ``}}`` are braces.
        tools: tools whose versions enter the key; ``command[0]`` is always among them.
        files: files of the rule's folder, or of one beside it (``../folder/name``); they become inputs under their own
            names, without the folder.
        outputs: scratch paths that an application of this rule always produces, with placeholders.
        environment: with placeholders in the values.
        error_patterns: lines of the log that make the action a failure.
        licence: name of the licence that the tool holds while it runs, such as ``vivado``.
    """

    name: str
    folder: Path
    mnemonic: str
    command: tuple[str, ...]
    tools: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    error_patterns: tuple[str, ...] = ()
    licence: str = ""

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names of the placeholders, without ``inputs``."""
        texts = (*self.command, *self.outputs, *self.environment.values())
        return frozenset(m.group(1) for text in texts for m in _PLACEHOLDER.finditer(text) if m.group(1)) - {"inputs"}

    def action(
        self,
        parameters: Mapping[str, Parameter],
        inputs: Mapping[str, Input],
        outputs: Mapping[str, str] | str,
    ) -> Action:
        """Apply the rule.

        Args:
            parameters: a value for each placeholder.
            inputs: scratch path -> source, as in ``Action``.
            outputs: scratch path -> workspace path, as in ``Action``; or a workspace folder that all ``self.outputs``
                go to.

        Raises:
            BuildFileError: a placeholder has no value, a value no placeholder, or an output of the rule is missing.
        """
        where = f"rule {self.name}"
        values: dict[str, Parameter] = {**parameters, "inputs": list(inputs)}
        if missing := sorted(self.parameters - parameters.keys()):
            raise BuildFileError(f"no value for {', '.join(missing)}", where=where)
        if unknown := sorted(parameters.keys() - self.parameters):
            known = ", ".join(sorted(self.parameters)) or "none"
            raise BuildFileError(f"no placeholder {', '.join(unknown)}", where=where, remedy=f"known: {known}")
        names = [_fill_text(text, values, where) for text in self.outputs]
        if isinstance(outputs, str):
            if not names:
                raise BuildFileError("states no outputs, so each must be given a place", where=where)
            outputs = {name: f"{outputs.removesuffix('/')}/{name.removesuffix('/')}" for name in names}
        elif absent := [name for name in names if name not in outputs]:
            raise BuildFileError(f"no place given for its output {', '.join(absent)}", where=where)
        all_inputs = dict(inputs)
        for name, path in self._own_inputs:
            if name in all_inputs:
                raise BuildFileError(f"input {name!r} is a file of the rule itself", where=where)
            all_inputs[name] = path
        command = ToolCommand(
            argv=tuple(argument for text in self.command for argument in _fill(text, values, where)),
            environment={name: _fill_text(text, values, where) for name, text in self.environment.items()},
            error_patterns=self.error_patterns,
        )
        return Action(self.mnemonic, command, all_inputs, outputs, self.tools, self.licence)

    @cached_property
    def _own_inputs(self) -> tuple[tuple[str, str], ...]:
        places = [
            self.folder.parent / file[3:] if file.startswith("../") else self.folder / file for file in self.files
        ]
        return tuple((place.name, str(place)) for place in places)


def _fill(text: str, values: Mapping[str, Parameter], where: str) -> list[str]:
    match = _PLACEHOLDER.fullmatch(text)
    if match and match.group(1):
        value = values[match.group(1)]
        if not isinstance(value, str | int):
            return [str(item) for item in value]
    return [_fill_text(text, values, where)]


def _fill_text(text: str, values: Mapping[str, Parameter], where: str) -> str:
    if "{" not in text and "}" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return match.group()[0]
        value = values[name]
        if not isinstance(value, str | int):
            raise BuildFileError(
                f"{{{name}}} is a list and must be a whole argument, not part of {text!r}", where=where
            )
        return str(value)

    return _PLACEHOLDER.sub(replace, text)


class RuleSet(Mapping[str, Rule]):
    """The rules of a folder by name, and the tools that they declare.

    Attributes:
        tools: by name.
    """

    def __init__(self, rules: Mapping[str, Rule], tools: Mapping[str, Tool]) -> None:
        self._rules = MappingProxyType(dict(rules))
        self.tools = MappingProxyType(dict(tools))

    def __getitem__(self, name: str) -> Rule:
        return self._rules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)


def load_rules(folder: Path) -> RuleSet:
    """Read every ``<folder>/*/rule.toml``.

    Raises:
        BuildFileError: a file cannot be read, an entry is unknown, missing or of the wrong type, a name is there
            twice with different contents, a rule names a tool that no file declares or a file that is not there.
    """
    rules: dict[str, Rule] = {}
    tools: dict[str, Tool] = {}
    for path in sorted(Path(folder).glob("*/rule.toml")):
        where = f"{path.parent.name}/{path.name}"
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BuildFileError(f"cannot be read: {error}", where=where) from error
        if unknown := sorted(set(content) - _FILE_KEYS):
            raise BuildFileError(f"unknown tables {', '.join(unknown)}", where=where, remedy="known: tool, rule")
        for table in content.get("tool", []):
            tool = _tool(table, where)
            if tools.setdefault(tool.name, tool) != tool:
                raise BuildFileError(f"tool {tool.name!r} is declared elsewhere in another way", where=where)
        for name, table in content.get("rule", {}).items():
            if name in rules:
                raise BuildFileError(f"rule {name!r} is there twice", where=where)
            rules[name] = _rule(name, table, path.parent, where)
    for rule in rules.values():
        for tool_name in (*rule.tools, rule.command[0]):
            if tool_name != "python" and tool_name not in tools:
                raise BuildFileError(
                    f"rule {rule.name!r} names a tool {tool_name!r} that no rule.toml declares",
                    where=f"{rule.folder.name}/rule.toml",
                    remedy=f"add a [[tool]] table with name = {tool_name!r}",
                )
    return RuleSet(rules, tools)


def _tool(table: Mapping[str, Any], where: str) -> Tool:
    values = dict(table)
    cache = values.pop("cache", None)
    if cache is not None:
        if not isinstance(cache, dict) or set(cache) != {"variable", "directory"}:
            raise BuildFileError('cache is not {variable = "...", directory = "..."}', where=where)
        values["cache_variable"] = cache["variable"]
        values["cache_directory"] = cache["directory"]
    tool = Tool(**_checked(values, Tool, where, f"tool {values.get('name')!r}", required=("name",)))
    if not tool.candidates and not tool.package and tool.name != "python":
        raise BuildFileError(f"tool {tool.name!r} has neither candidates nor package", where=where)
    try:
        re.compile(tool.version_pattern)
    except re.error as error:
        raise BuildFileError(f"tool {tool.name!r}: version_pattern: {error}", where=where) from error
    return tool


def _rule(name: str, table: Mapping[str, Any], folder: Path, where: str) -> Rule:
    what = f"rule {name!r}"
    if not isinstance(table, dict):
        raise BuildFileError(f"{what} is not a table", where=where)
    values = _checked(table, Rule, where, what, required=("command",), hidden=("name", "folder"))
    environment = values.get("environment", {})
    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        raise BuildFileError(f"{what}: environment is not a table of texts", where=where)
    rule = Rule(**{"mnemonic": name, **values, "name": name, "folder": folder})
    if not rule.command or _PLACEHOLDER.search(rule.command[0]):
        raise BuildFileError(f"{what}: command does not start with a tool's name", where=where)
    for file in rule.files:
        if not _FILE.fullmatch(file) or not (folder / file).is_file():
            raise BuildFileError(f"{what}: {file!r} is not a file of its folder or of one beside it", where=where)
    for pattern in rule.error_patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise BuildFileError(f"{what}: error pattern {pattern!r}: {error}", where=where) from error
    return rule


def _checked(
    table: Mapping[str, Any],
    kind: type[Tool] | type[Rule],
    where: str,
    what: str,
    *,
    required: tuple[str, ...],
    hidden: tuple[str, ...] = (),
) -> dict[str, Any]:
    types = {f.name: str(f.type) for f in fields(kind) if f.name not in hidden}
    if unknown := sorted(set(table) - set(types)):
        raise BuildFileError(
            f"{what}: unknown entry {', '.join(unknown)}", where=where, remedy=f"known: {', '.join(sorted(types))}"
        )
    if missing := [name for name in required if name not in table]:
        raise BuildFileError(f"{what}: entry {', '.join(missing)} is missing", where=where)
    values: dict[str, Any] = {}
    for name, value in table.items():
        if types[name] == "str" and not isinstance(value, str):
            raise BuildFileError(f"{what}: {name} is not a text", where=where)
        if types[name] == "bool" and not isinstance(value, bool):
            raise BuildFileError(f"{what}: {name} is neither true nor false", where=where)
        if types[name].startswith("tuple"):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise BuildFileError(f"{what}: {name} is not a list of texts", where=where)
            value = tuple(value)
        values[name] = value
    return values
