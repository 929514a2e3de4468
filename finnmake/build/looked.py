"""An action whose inputs have been looked up: their digests, and where their bytes are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from finnmake.build.action import Action, Canonical, DirectoryOf, Input, PythonCommand
from finnmake.build.canonical import CanonicalInputs
from finnmake.build.deferred import Deferred
from finnmake.build.digest import Digest, DigestMemo, FileDigest, files_below
from finnmake.build.key import Resolved
from finnmake.build.sources import SourceIndex
from finnmake.build.state import State
from finnmake.build.store import LocalStore
from finnmake.build.tools import Toolbox
from finnmake.errors import BuildFileError

Originals = tuple[tuple[Path | str, FileDigest], ...]
"""Files and what was found in them."""


@dataclass(frozen=True)
class Looked:
    """A resolved action and where its inputs' bytes are.

    Attributes:
        paths: scratch path -> file, None for canonical inputs (the store has them).
        originals: the files that must not change while the action runs, and their digests.
    """

    resolved: Resolved
    paths: Mapping[str, Path | str | None]
    originals: Originals

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


@dataclass
class Lookup:
    """Looks the inputs of actions up.

    Attributes:
        root: of the workspace.
        state: what earlier actions have produced.
        digests: of the input files.
        toolbox: versions of the tools.
        sources: of Python commands.
        deferred: outputs that are inputs and not here.
        canonical: answers for canonical inputs.
        listed: paths of the folders that were listed.
    """

    root: Path
    state: State
    digests: DigestMemo
    toolbox: Toolbox
    sources: SourceIndex
    deferred: Deferred
    canonical: CanonicalInputs

    def __post_init__(self) -> None:
        self._prefix = f"{self.root}/"
        self.listed: set[str] = set()

    def look(self, action: Action, *, may_run: bool) -> Looked:
        """An action with everything that its key is made of, as it is now.

        Args:
            action: the action.
            may_run: allows canonical inputs' functions to be run.

        Raises:
            FinnmakeError: an input or a tool is missing.
        """
        files: dict[str, FileDigest] = {}
        paths: dict[str, Path | str | None] = {}
        originals: list[tuple[Path | str, FileDigest]] = []
        for scratch, source in action.inputs.items():
            if isinstance(source, Canonical):
                self.deferred.require([self.root / source.path])
                known = self.canonical.look(scratch, source, may_run=may_run)
                files[scratch], paths[scratch] = known.digest, None
                originals.extend(known.originals)
                continue
            if isinstance(source, str) and not scratch.endswith("/"):
                # Most inputs are of this kind; pathlib would cost more than looking at the file.
                place = source if source.startswith("/") else self._prefix + source
                file = self.digests.known(place) or input_file(self.digests, self.deferred, scratch, place)
                files[scratch], paths[scratch] = file, place
                originals.append((place, file))
                continue
            for name, path in self._expand(scratch, source):
                files[name] = input_file(self.digests, self.deferred, name, path)
                paths[name] = path
                originals.append((path, files[name]))
        command = action.command
        sources = None
        if isinstance(command, PythonCommand):
            sources = self.sources.of(command)
        versions = {name: self.toolbox.find(name).version for name in action.tools}
        return Looked(Resolved(action, files, versions, sources), paths, tuple(originals))

    def _expand(self, scratch: str, source: Input) -> Iterator[tuple[str, Path]]:
        if isinstance(source, DirectoryOf):
            record = self.state.tasks.get(source.task)
            if record is None:
                raise BuildFileError(f"input {scratch}: task {source.task} has not been built")
            for output in record.outputs:
                if output.scratch.startswith(source.scratch):
                    yield scratch + output.scratch[len(source.scratch) :], self.root / output.path
        elif not isinstance(source, Canonical):
            path = self.root / source
            if scratch.endswith("/"):
                self.deferred.require(self.deferred.below(path))
                if not path.is_dir():
                    raise BuildFileError("there is no such folder", where=str(path), remedy=f"it is input {scratch}")
                for name, file in files_below(path, self.listed):
                    yield scratch + name, file
            else:
                yield scratch, path


def input_file(digests: DigestMemo, deferred: Deferred, scratch: str, path: Path | str) -> FileDigest:
    """Digest of an input file.

    Args:
        digests: knows those of files that are here.
        deferred: knows those of files that lie with a remote engine.
        scratch: what messages call the input.
        path: of the file.

    Raises:
        BuildFileError: it cannot be read.
    """
    try:
        return digests.look(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        known = deferred.find(path)
        if known is not None:
            return known
        raise BuildFileError("there is no such file", where=str(path), remedy=f"it is input {scratch}") from error
    except OSError as error:
        raise BuildFileError(
            f"cannot be read: {error.strerror}", where=str(path), remedy=f"it is input {scratch}"
        ) from error
