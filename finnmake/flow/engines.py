"""Which engine makes which core: the kernel's own Verilog, or an HLS tool from the kernel's C++."""

from __future__ import annotations

from collections.abc import Mapping

from finnmake.flow.manifest import RTL

Engines = str | Mapping[str, str]
"""What a build file says: one engine for all layers, or engines by layer name or op type, ``rtl`` for the others."""

GLUE = frozenset(("StreamingDataWidthConverter", "StreamingFIFO"))
"""Op types that an engine for all layers leaves to ``rtl``: they are wires and memories between the layers."""

FRAMES_BITS = 31
"""Words of one call of an HLS core are counted in this many bits."""


def named_engines(engines: object) -> set[str]:
    """The engines that a build file names, which need not be what the annotation says."""
    values = list(engines.values()) if isinstance(engines, Mapping) else [engines]
    return {str(value) for value in values}


def only_rtl(engines: Engines) -> bool:
    """Whether no HLS tool makes a core."""
    return named_engines(engines) <= {RTL}


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
