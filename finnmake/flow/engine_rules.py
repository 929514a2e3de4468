"""The rules that make cores by HLS tools, and whether a build can use the engines that it names."""

from __future__ import annotations

from finnmake.build.rules import RuleSet
from finnmake.build.tools import Toolbox
from finnmake.errors import BuildFileError, ToolError
from finnmake.flow.engines import Engines, named_engines
from finnmake.flow.manifest import RTL

_RULE = "_core"


def rule_of(engine: str) -> str:
    """Name of the rule that makes a core by an HLS tool."""
    return f"{engine}{_RULE}"


def engine_names(rules: RuleSet) -> tuple[str, ...]:
    """All engines there are: ``rtl``, and one for every rule ``NAME_core``."""
    return (RTL, *sorted(name.removesuffix(_RULE) for name in rules if name.endswith(_RULE)))


def check_engines(engines: Engines, rules: RuleSet, where: str) -> None:
    """Checks what a build file says before anything is built.

    Raises:
        BuildFileError: no such engine, or neither a name nor a mapping of names.
        ToolError: the tool of an engine is not installed; says which, how to get it, and what does without it.
    """
    legal = engine_names(rules)
    named = named_engines(engines)
    if not named <= set(legal):
        raise BuildFileError(
            f"engine={engines!r}",
            where=where,
            remedy=f"Engines are {', '.join(legal)}: one of them, or {{layer or op type: engine}}.",
        )
    toolbox = Toolbox(rules.tools)
    for engine in sorted(named - {RTL}):
        for tool in rules[rule_of(engine)].tools:
            try:
                toolbox.require_installed(tool)
            except ToolError as error:
                raise ToolError(error.what, where=f"{where}, engine={engine!r}", remedy=error.remedy) from error
