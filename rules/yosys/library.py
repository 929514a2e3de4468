"""Parts of Yosys' libraries: a small core's time is that of reading, and then copying, what it has no use for."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from pyosys import libyosys as yosys

_END = re.compile(r"^endmodule\b.*\n?", re.MULTILINE)
_NAME = re.compile(r"^module +\\?([^\s(]+)", re.MULTILINE)
_START = re.compile(r"^(?:\(\*|`ifdef|module )", re.MULTILINE)


def library(name: str) -> str:
    """The text of a file of Yosys."""
    return Path(yosys.proc_share_dirname(), name).read_text(encoding="utf-8")


def modules(text: str, names: Collection[str]) -> str:
    """Those modules of a Verilog text, with their attributes, that have one of the names."""
    parts = ((part, _NAME.search(part)) for part in _END.split(text))
    return "".join(f"{_from_start(part)}endmodule\n" for part, name in parts if name and name.group(1) in names)


def _from_start(part: str) -> str:
    start = _START.search(part)
    return part[start.start() :] if start else part
