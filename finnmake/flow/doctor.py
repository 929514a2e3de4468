"""``finnmake doctor``: every tool, found or not, and what is skipped without it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from finnmake.build.rules import load_rules
from finnmake.build.tools import DoctorRow, Tool, Toolbox
from finnmake.resources import find_resources

OPTIONAL_TOOLS = (
    Tool(
        name="bubblewrap",
        candidates=("bwrap",),
        why="running tools where they see nothing but their declared inputs",
        get="apt install bubblewrap",
        skipped="the sandbox: undeclared reads by absolute path are not caught",
    ),
    Tool(
        name="make",
        candidates=("make",),
        version_pattern=r"GNU Make (\S+)",
        why="`make demo` and `make test` of a checkout",
        get="apt install make",
        skipped="the Makefile's targets; the finnmake command does not need it",
    ),
    Tool(
        name="perl",
        candidates=("perl",),
        version_argument="-v",
        version_pattern=r"\(v([0-9.]+)\)",
        why="the script `verilator`, for use by hand: builds start its program themselves",
        get="apt install perl",
        skipped="nothing that finnmake does",
    ),
    Tool(
        name="iverilog",
        candidates=("iverilog",),
        version_argument="-V",
        version_pattern=r"version (\S+)",
        why="a second opinion on the kernels' Verilog in the tests",
        get="apt install iverilog",
        skipped="tests that compile the kernels with Icarus Verilog",
    ),
)
"""Tools that no rule names."""


def doctor_command(options: argparse.Namespace) -> int:
    """Prints the table (or JSON with ``--json``).

    Returns:
        0 when every tool of the rules is there, 1 otherwise.
    """
    rules = load_rules(find_resources().rules)
    required = Toolbox(rules.tools).doctor()
    optional = [row for row in Toolbox({t.name: t for t in OPTIONAL_TOOLS}).doctor() if row.name != "python"]
    rows = [*required, *optional]
    complete = all(row.found for row in required if row.name == "python" or not rules.tools[row.name].optional)
    if options.json:
        print(json.dumps({"ok": complete, "tools": [asdict(row) for row in rows]}, indent=1))
    else:
        print(doctor_text(rows))
    return 0 if complete else 1


def doctor_text(rows: Sequence[DoctorRow]) -> str:
    """The table as text: one tool a line; below it, what is skipped and how to get the missing ones."""
    width = max(len(row.name) for row in rows)
    version_width = max(len(row.version) for row in rows)
    lines = [
        "  ".join(
            ("ok     " if row.found else "MISSING", row.name.ljust(width), row.version.ljust(version_width), row.where)
        )
        for row in rows
    ]
    for row in rows:
        if not row.found:
            lines += ["", row.note, f"  skipped without it: {row.skipped}", f"  get it: {row.get}"]
    return "\n".join(line.rstrip() for line in lines)
