"""Files in which users say something of layers: foldings and FIFO depths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finnmake.errors import FoldingError


def read_layer_table(file: str) -> Mapping[str, Any]:
    """The table of a JSON file, ``{layer: {attribute: value}}``; what the layers have is not looked at.

    Raises:
        FoldingError: the file cannot be read, holds no table, or a key twice in one table.
    """
    name = Path(file).name

    def table(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, value in pairs:
            if key in content:
                # JSON lets the last one win, which need not be the one that its writer looks at.
                raise FoldingError(f"has {key!r} twice in one table", where=name, remedy="Leave all but one out.")
            content[key] = value
        return content

    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"), object_pairs_hook=table)
    except OSError as problem:
        raise FoldingError(
            f"cannot be read: {problem.strerror}", where=name, remedy="Name a file that is there and that you may read."
        ) from None
    except (ValueError, RecursionError) as problem:
        raise FoldingError(
            f"is not JSON: {problem}", where=name, remedy='It holds {"layer": {"attribute": value, ..}, ..}.'
        ) from None
    if not isinstance(content, dict):
        raise FoldingError(
            "is not a table of layers", where=name, remedy='It holds {"layer": {"attribute": value, ..}, ..}.'
        )
    return content
