"""The one exception family that users see."""

from __future__ import annotations


class FinnmakeError(Exception):
    """An error that the user can act on.

    Printed as one message, never as a traceback. The message says what is wrong, where, and what to do.

    Args:
        what: what is wrong, one sentence, with the offending value.
        where: the file, node, tensor, layer or task it was found in.
        remedy: what to change.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(self.text)

    @property
    def text(self) -> str:
        """The whole message: ``where: what. remedy``."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.remedy}" if self.remedy else head

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(kind: type[FinnmakeError], what: str, where: str, remedy: str) -> FinnmakeError:
    return kind(what, where=where, remedy=remedy)


class ModelError(FinnmakeError):
    """The model file or the network in it cannot be used."""


class FoldingError(FinnmakeError):
    """A folding is not legal for its layer."""


class BoardError(FinnmakeError):
    """A board is unknown or has no room for the design."""


class ToolError(FinnmakeError):
    """A tool is missing or has failed."""


class VerificationError(FinnmakeError):
    """Hardware and reference do not compute the same integers."""


class StoreError(FinnmakeError):
    """The store or the build state cannot be read or written."""


class BuildFileError(FinnmakeError):
    """A build file (dodo.py, rule.toml, board TOML, folding file) says something that cannot be."""
