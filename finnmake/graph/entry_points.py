"""Which installed packages bring custom ops of their own: read from their metadata, nothing of them is imported.

A package says in its ``pyproject.toml`` ::

    [project.entry-points."finnmake.custom_ops"]
    my_ops = "my_package.ops:OPS"

where ``OPS`` maps (domain, op type) to ``CustomOp`` objects. An entry may also be one ``CustomOp`` class or object;
the entry is then called after its op: ``"my.domain.MyOp" = "my_package.ops:MyOp"``.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass

GROUP = "finnmake.custom_ops"


@dataclass(frozen=True, order=True)
class CustomOpEntry:
    """One entry point.

    Attributes:
        package: name of the distribution that has it.
        version: of the distribution.
        name: of the entry.
        value: ``module:attribute``.
    """

    package: str
    version: str
    name: str
    value: str

    @property
    def module(self) -> str:
        """The module that the entry is in."""
        return self.value.partition(":")[0].strip()


def custom_op_entries() -> list[CustomOpEntry]:
    """The entries of all installed packages, sorted; an entry that is found twice counts once."""
    return sorted({_entry(point) for point in importlib.metadata.entry_points(group=GROUP)})


def _entry(point: importlib.metadata.EntryPoint) -> CustomOpEntry:
    package = point.dist
    return CustomOpEntry(
        package.name if package is not None else "",
        package.version if package is not None else "",
        point.name,
        point.value,
    )
