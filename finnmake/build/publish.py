"""Where outputs go in the workspace, and how they get there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from finnmake.build.digest import DigestMemo
from finnmake.build.files import temporary_name
from finnmake.build.result import ActionResult
from finnmake.build.store import LocalStore
from finnmake.errors import BuildFileError


def place_of(scratch: str, outputs: Mapping[str, str]) -> str:
    """Workspace path of an output file; "" for a file that is no output."""
    place = outputs.get(scratch)
    if place is not None:
        return place
    for directory, folder in outputs.items():
        if directory.endswith("/") and scratch.startswith(directory):
            return f"{folder}/{scratch[len(directory) :]}"
    return ""


def publish(
    root: Path, digests: DigestMemo, store: LocalStore, outputs: Mapping[str, str], result: ActionResult
) -> bool:
    """Write the outputs that differ into the workspace; False when the store has lost a blob.

    Raises:
        BuildFileError: a file cannot be written.
    """
    for scratch, file in result.files:
        place = f"{root}/{place_of(scratch, outputs)}"
        with suppress(OSError, BuildFileError):
            if not os.path.islink(place) and digests.file(place) == file:  # noqa: PTH114
                continue
        target = Path(place)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = temporary_name(target.parent)
            try:
                if not store.get_file(file, temporary):
                    return False
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise BuildFileError(f"cannot be written: {error.strerror}", where=str(target)) from error
    for scratch in result.directories:
        (root / outputs[scratch]).mkdir(parents=True, exist_ok=True)
    return True
