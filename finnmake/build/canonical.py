"""Canonical inputs: what a function makes of a file counts, not how the file is spelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from finnmake.build.action import Canonical, PythonCommand
from finnmake.build.digest import FileDigest, change_stamp
from finnmake.build.sandbox import ScratchFolder
from finnmake.build.sources import SourceIndex
from finnmake.build.state import State
from finnmake.build.store import LocalStore
from finnmake.build.worker import WorkerPool
from finnmake.errors import BuildFileError, FinnmakeError

_RESULT = ".canonical-result"


class CanonicalUnknownError(FinnmakeError):
    """A canonical input's function would have to be run to know."""


@dataclass(frozen=True)
class CanonicalInput:
    """What is known of a canonical input.

    Attributes:
        digest: of the bytes that its function gives; the store has them.
        originals: the files that they were made of, and their digests.
    """

    digest: FileDigest
    originals: tuple[tuple[Path, FileDigest], ...]


_File = tuple[str, Path, FileDigest]


@dataclass(frozen=True)
class _Question:
    """One function and the files it is asked about, that of the input first."""

    function: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    files: tuple[_File, ...]

    @property
    def command(self) -> PythonCommand:
        return PythonCommand(self.function, packages=self.packages, modules=self.modules)

    @property
    def name(self) -> str:
        """The same for the same bytes, whatever the input's own file is called."""
        (_, _, first), *others = self.files
        return " ".join([self.function, first.sha256, *(f"{name} {digest.sha256}" for name, _, digest in others)])


@dataclass(frozen=True)
class CanonicalInputs:
    """Asks the functions of canonical inputs, and remembers their answers by the bytes of the files they read.

    Attributes:
        root: of the workspace.
        state: remembers.
        sources: of the functions.
        store: of the canonical bytes.
        scratch: where the functions run.
        pool: of the worker processes that run them.
        log: of what they print.
        digest_of: digest of an input file, by what messages call it and its path.
    """

    root: Path
    state: State
    sources: SourceIndex
    store: LocalStore
    scratch: ScratchFolder
    pool: WorkerPool
    log: Path
    digest_of: Callable[[str, Path], FileDigest]

    def look(self, name: str, source: Canonical, *, may_run: bool) -> CanonicalInput:
        """Digest and files of a canonical input.

        Args:
            name: of the input, for messages.
            source: the input.
            may_run: allows its functions to be run.

        Raises:
            CanonicalUnknownError: a function would have to be run.
            FinnmakeError: a file is missing, or a function refuses the files.
        """
        files = self._files(name, source, may_run=may_run)
        question = _Question(source.function, source.packages, source.modules, files)
        known = self._known(question, source, may_run=may_run)
        if known is None:
            with self._answer(question) as result:
                digest = self.store.put_file(result)
            known = f"{digest.sha256} {digest.size}"
            self._remember(question, known)
        sha256, size = known.split()
        return CanonicalInput(FileDigest(sha256, int(size), False), tuple((path, d) for _, path, d in files))

    def restore(self, name: str, source: Canonical) -> None:
        """Puts canonical bytes into the store again that it has lost."""
        files = self._files(name, source, may_run=True)
        with self._answer(_Question(source.function, source.packages, source.modules, files)) as result:
            self.store.put_file(result)

    def _files(self, name: str, source: Canonical, *, may_run: bool) -> tuple[_File, ...]:
        """The input's file and its companions: names in its folder, paths, digests."""
        path = self.root / source.path
        files = [(path.name, path, self.digest_of(name, path))]
        if source.companions:
            question = _Question(source.companions, source.packages, source.modules, tuple(files))
            known = self._known(question, source, may_run=may_run)
            if known is None:
                with self._answer(question) as result:
                    known = result.read_text(encoding="utf-8")
                self._remember(question, known)
            for line in dict.fromkeys(known.splitlines()):
                companion = _companion(line, path)
                if companion != path.name:
                    files.append((companion, path.parent / companion, self.digest_of(name, path.parent / companion)))
        return tuple(files)

    def _known(self, question: _Question, source: Canonical, *, may_run: bool) -> str | None:
        known = self.state.memo("canonical", question.name, self._stamp(question))
        if known is None and not may_run:
            raise CanonicalUnknownError(f"{question.function} has not been asked about {self.root / source.path} yet")
        return known

    def _remember(self, question: _Question, answer: str) -> None:
        self.state.record_memo("canonical", question.name, self._stamp(question), answer)

    def _stamp(self, question: _Question) -> str:
        return change_stamp(f"{question.name} {self.sources.of(question.command).digest}")

    @contextmanager
    def _answer(self, question: _Question) -> Iterator[Path]:
        """Runs a function; the file with what it returned, which may be moved away."""
        command = question.command
        sources = self.sources.of(command)
        with self.scratch.scratch() as scratch:
            for name, path, digest in question.files:
                scratch.add(name, path, digest)
            self.pool.run(
                question.function,
                {"path": question.files[0][0]},
                packages=sources.packages,
                modules=sources.modules,
                folders=command.folders,
                folder=scratch.folder,
                log=self.log,
                result=_RESULT,
            )
            yield scratch.box / _RESULT


def _companion(line: str, path: Path) -> str:
    """A companion's path relative to the folder of the file that names it."""
    pure = PurePosixPath(line)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in line:
        raise BuildFileError(
            f"refers to the file {line!r}, which does not lie in its folder",
            where=str(path),
            remedy="Keep the files that belong together in one folder.",
        )
    return str(pure)
