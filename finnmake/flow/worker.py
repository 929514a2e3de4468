"""``finnmake worker doctor``: whether this machine can run actions for a remote execution engine."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from finnmake.build.key import LAUNCHER, WORKER_PATH, host_properties, package_property
from finnmake.build.rules import load_rules
from finnmake.build.sandbox import Bubblewrap
from finnmake.build.tools import Toolbox
from finnmake.errors import BuildFileError
from finnmake.resources import find_resources


@dataclass(frozen=True)
class Check:
    """One thing that a worker needs.

    Attributes:
        kind: ``launcher``, ``tool``, ``package`` or ``sandbox``.
        found: its version or place; "" where it is missing.
        remedy: what to do about it where it is missing.
    """

    kind: str
    name: str
    found: str
    remedy: str = ""


def worker_doctor_command(options: argparse.Namespace) -> int:
    """Prints what this machine has of what a worker needs (as JSON with ``--json``).

    Returns:
        0 when it qualifies, 1 otherwise.

    Raises:
        BuildFileError: a tool is asked for that no rule declares.
    """
    checks = [*_launcher(), *_tools(options.tools), *_packages(), *_sandbox()]
    qualifies = all(check.found for check in checks)
    properties = host_properties()
    for check in checks:
        if check.found and check.kind in ("tool", "package"):
            properties[check.name if check.kind == "tool" else package_property(check.name)] = check.found
    if options.json:
        body = {"ok": qualifies, "checks": [asdict(check) for check in checks], "properties": properties}
        print(json.dumps(body, indent=1))
    else:
        print(worker_text(checks))
        print(f"this machine {'qualifies' if qualifies else 'does not qualify'} as a worker")
    return 0 if qualifies else 1


def worker_text(checks: Sequence[Check]) -> str:
    """One check a line; below what is missing, what to do."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        state = "ok     " if check.found else "MISSING"
        lines.append(f"{state}  {check.kind:8}  {check.name:{width}}  {check.found}".rstrip())
        if not check.found:
            lines.append(f"         {check.remedy}")
    return "\n".join(lines)


def _launcher() -> list[Check]:
    # Where an action's command is looked up, which is not this user's PATH.
    found = shutil.which(LAUNCHER, path=WORKER_PATH)
    beside = Path(sys.executable).with_name(LAUNCHER)
    return [Check("launcher", LAUNCHER, found or "", f"link it to where actions look: ln -s {beside} /usr/local/bin/")]


def _tools(wanted: Sequence[str]) -> list[Check]:
    toolbox = Toolbox(load_rules(find_resources().rules).tools)
    tools, rows = toolbox.tools, {row.name: row for row in toolbox.doctor()}
    if unknown := sorted(set(wanted) - set(rows)):
        raise BuildFileError(
            f"no rule declares a tool {', '.join(unknown)}", remedy=f"known: {', '.join(sorted(rows))}"
        )
    return [
        Check("tool", row.name, row.version, f"get it: {row.get}")
        for row in rows.values()
        if row.name in wanted or not (wanted or (tools[row.name].optional and not row.found))
    ]


def _packages() -> list[Check]:
    """What Python actions may import: finnmake's own dependencies."""
    checks = []
    for requirement in requires("finnmake") or ():
        name, _, condition = requirement.partition(";")
        match = re.match(r"[A-Za-z0-9._-]+", name)
        if match is None or "extra" in condition:
            continue
        try:
            found = version(match[0])
        except PackageNotFoundError:
            found = ""
        checks.append(Check("package", match[0], found, f"pip install {match[0]}"))
    return checks


def _sandbox() -> list[Check]:
    bubblewrap = shutil.which("bwrap") or ""
    works = "work" if bubblewrap and Bubblewrap().works else ""
    return [
        Check("sandbox", "bubblewrap", bubblewrap, "get it: apt install bubblewrap"),
        Check(
            "sandbox",
            "user namespaces",
            works,
            "bubblewrap cannot make them: allow them to this user (sysctl kernel.unprivileged_userns_clone=1), "
            "or outside of a container",
        ),
    ]
