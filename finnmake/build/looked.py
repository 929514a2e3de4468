"""An action whose inputs have been looked up: their digests, and where their bytes are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from finnmake.build.digest import Digest, FileDigest
from finnmake.build.key import Resolved
from finnmake.build.store import LocalStore


@dataclass(frozen=True)
class Looked:
    """A resolved action and where its inputs' bytes are.

    Attributes:
        paths: scratch path -> file, None for canonical inputs (the store has them).
        originals: the files that must not change while the action runs, and their digests.
    """

    resolved: Resolved
    paths: Mapping[str, Path | str | None]
    originals: tuple[tuple[Path | str, FileDigest], ...]

    def places_of(self, blobs: Collection[Digest]) -> list[Path | str]:
        """The files that have, or should have, these bytes."""
        found = []
        for path, file in self.resolved.inputs.items():
            place = self.paths[path]
            if place is not None and file.digest in blobs:
                found.append(place)
        return found

    def blobs(self, store: LocalStore) -> dict[Digest, Path]:
        """A file for each blob of the action's inputs and sources, in the store where it has them."""
        found: dict[Digest, Path] = {}
        for path, file in self.resolved.inputs.items():
            source = self.paths[path]
            if source is None or store.contains(file.digest):
                source = store.blob_path(file.digest)
            found[file.digest] = Path(source)
        if self.resolved.sources is not None:
            sources = self.resolved.sources
            found.update((file.digest, sources.paths[name]) for name, file in sources.files.items())
        return found
