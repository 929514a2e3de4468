"""The Jinja2 environment for templates: undefined names are errors, templates are read from the folder given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import jinja2


def render(template: Path, values: Mapping[str, object]) -> str:
    """Renders one template file.

    Raises:
        jinja2.UndefinedError: where the template uses a name that is not among ``values``.
    """
    return _compiled(template.read_text(encoding="utf-8")).render(values)


# A worker renders the same few templates for every core, and compiling one takes longer than all else about a core.
@lru_cache(maxsize=32)
def _compiled(text: str) -> jinja2.Template:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(text)
