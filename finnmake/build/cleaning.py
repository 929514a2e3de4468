"""Removing what tasks have produced: what nobody produces any more, or what ``doit clean`` names."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from finnmake.build.digest import hash_file
from finnmake.build.files import prune_empty_parents
from finnmake.build.state import State, TaskRecord


def remove_leftovers(root: Path, state: State, *, dry_run: bool = False) -> tuple[str, ...]:
    """Remove unedited files that tasks do not produce any more; returns them.

    Not while tasks run: tasks may share a folder, and what one has given up another may just be producing.
    """
    current = {output.path for record in state.tasks.values() for output in record.outputs}
    removed = []
    for path, sha256 in state.memos("leftover").items():
        file = root / path
        if path not in current and file.is_file() and hash_file(file) == sha256:
            removed.append(path)
            if not dry_run:
                file.unlink()
                prune_empty_parents(file, root)
        if not dry_run:
            state.remove_memo("leftover", path)
    return tuple(removed)


def clean(root: Path, record: TaskRecord, folders: Iterable[str] = (), *, dry_run: bool = False) -> tuple[str, ...]:
    """Remove the files that a task has produced, and its output folders if they are empty then.

    Returns:
        The files that were there.
    """
    removed = []
    for output in record.outputs:
        path = root / output.path
        if path.is_file() or path.is_symlink():
            removed.append(output.path)
            if not dry_run:
                path.unlink()
                prune_empty_parents(path, root)
    if not dry_run:
        for folder in folders:
            # A folder without files has no parent of a file to go with.
            with suppress(OSError):
                (root / folder).rmdir()
                prune_empty_parents(root / folder, root)
    return tuple(removed)
