"""Which engine makes which core: the kernel's own Verilog, or an HLS tool from the kernel's C++."""

from __future__ import annotations

from collections.abc import Mapping

from finnmake.build.rules import RuleSet
from finnmake.build.tools import Toolbox
from finnmake.errors import BuildFileError, ToolError
from finnmake.flow.manifest import RTL

Engines = str | Mapping[str, str]
"""What a build file says: one engine for all layers, or engines by layer name or op type, ``rtl`` for the others."""

GLUE = frozenset(("StreamingDataWidthConverter", "StreamingFIFO"))
"""Op types that an engine for all layers leaves to ``rtl``: they are wires and memories between the layers."""

_RULE = "_core"
FRAMES_BITS = 31
"""Words of one call of an HLS core are counted in this many bits."""


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
    named = _named(engines)
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


def _named(engines: object) -> set[str]:
    """The engines that a build file names, which need not be what the annotation says."""
    values = list(engines.values()) if isinstance(engines, Mapping) else [engines]
    return {str(value) for value in values}


def only_rtl(engines: Engines) -> bool:
    """Whether no HLS tool makes a core."""
    return _named(engines) <= {RTL}


def engine_of(name: str, op_type: str, engines: Engines) -> str:
    """The engine of a layer; its own name counts before its op type."""
    if isinstance(engines, str):
        return RTL if op_type in GLUE else engines
    return engines.get(name, engines.get(op_type, RTL))


def unknown_layers(engines: Engines, names: Mapping[str, str]) -> list[str]:
    """Entries of a mapping that are about no layer; ``names`` gives the op type of each layer."""
    if isinstance(engines, str):
        return []
    return sorted(set(engines) - set(names) - set(names.values()))


def frames_of_a_call(words_per_frame: int) -> int:
    """Frames that one call of an HLS core takes: as many as its counter of words holds, a power of two."""
    return 1 << (FRAMES_BITS - max(1, words_per_frame).bit_length())
