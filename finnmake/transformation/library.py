"""All transformations of this package by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType

# Not "from finnmake.transformation import": that asks the package, which asks this module.
import finnmake.transformation.absorb as absorb
import finnmake.transformation.general as general
import finnmake.transformation.reorder as reorder
import finnmake.transformation.streamline as streamline
import finnmake.transformation.to_hls as to_hls
from finnmake.transformation.apply_config import ApplyConfig
from finnmake.transformation.apply_folding import ApplyFolding
from finnmake.transformation.base import Transformation


def _exported(package: ModuleType) -> Iterator[tuple[str, type[Transformation]]]:
    for name in package.__all__:
        yield name, getattr(package, name)


TRANSFORMATIONS: Mapping[str, type[Transformation]] = {
    "ApplyConfig": ApplyConfig,
    "ApplyFolding": ApplyFolding,
    **{name: kind for package in (general, streamline, absorb, reorder, to_hls) for name, kind in _exported(package)},
}
"""The transformations by the names that their packages export."""
