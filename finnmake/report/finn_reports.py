"""What FINN's build reported of a network, and which of its layers are which of ours.

FINN's reports (``estimate_layer_cycles.json``, ``estimate_layer_resources.json``) name layers by op type and number and
say nothing of their shapes. Layers are therefore matched by op type and order. Where FINN's folding file lies beside
them, cycles times PE times SIMD is the size of a layer's work, which is compared with ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from finnmake.errors import ModelError
from finnmake.transformation.apply_folding import finn_op_type

CYCLES, RESOURCES, FOLDING = "estimate_layer_cycles.json", "estimate_layer_resources.json", "auto_folding_config.json"
"""Names that FINN gives its reports; the first two must be there."""

FINN_COUNTS = ("LUT", "BRAM_18K", "URAM", "DSP")
_NAME = re.compile(r"(.+?)(?:_hls|_rtl)?_(\d+)")


@dataclass(frozen=True)
class FinnLayer:
    """A layer of FINN's reports.

    Attributes:
        name: FINN's.
        op_type: ours.
        cycles: between frames, as FINN estimates them.
        resources: as FINN estimates them, by ``FINN_COUNTS``.
        work: cycles times PE times SIMD; None where the folding is not known.
    """

    name: str
    op_type: str
    cycles: int
    resources: Mapping[str, int]
    work: int | None


@dataclass(frozen=True)
class OurLayer:
    """What of a layer is compared: its op type, and its cycles times PE times SIMD."""

    op_type: str
    work: int


def read_finn_reports(files: Mapping[str, Path]) -> list[FinnLayer]:
    """FINN's layers, in its order.

    Args:
        files: by the names that FINN gives them.

    Raises:
        ModelError: a file is not what FINN writes.
    """
    cycles, resources = _read(files[CYCLES]), _read(files[RESOURCES])
    folding = _read(files[FOLDING]) if FOLDING in files else {}
    layers = []
    for name, count in cycles.items():
        match = _NAME.fullmatch(name)
        counts, parallel = resources.get(name, {}), folding.get(name)
        if match is None or not isinstance(count, int | float) or not isinstance(counts, dict):
            raise ModelError(f"{name!r}: {count!r} is no layer with its cycles", where=files[CYCLES].name)
        factor = None
        if isinstance(parallel, dict):
            factor = int(parallel.get("PE", 1)) * int(parallel.get("SIMD", 1))
        layers.append(
            FinnLayer(
                name=name,
                op_type=finn_op_type(match[1]),
                cycles=int(count),
                resources={key: int(float(counts.get(key, 0))) for key in FINN_COUNTS},
                work=None if factor is None else int(count) * factor,
            )
        )
    return layers


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ModelError(f"cannot be read: {problem}", where=path.name) from None
    if not isinstance(content, dict):
        raise ModelError("is not a table of layers", where=path.name)
    return content


def match_layers(ours: Sequence[OurLayer], finn: Sequence[FinnLayer]) -> dict[int, FinnLayer]:
    """Which of FINN's layers each of ours is, by position; those without a counterpart are left out.

    Layers of an op type of which there are equally many are matched in order. Otherwise those whose work is equal are,
    in order: a longest common run.
    """
    matches: dict[int, FinnLayer] = {}
    for op_type in dict.fromkeys(layer.op_type for layer in ours):
        here = [position for position, layer in enumerate(ours) if layer.op_type == op_type]
        there = [layer for layer in finn if layer.op_type == op_type]
        if len(here) == len(there):
            matches.update(zip(here, there, strict=True))
            continue
        works = [ours[position].work for position in here], [layer.work for layer in there]
        for block in SequenceMatcher(None, *works, autojunk=False).get_matching_blocks():
            for offset in range(block.size):
                matches[here[block.a + offset]] = there[block.b + offset]
    return matches
