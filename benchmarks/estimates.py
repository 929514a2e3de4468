"""What cores were estimated to take, beside the netlists of a build, per kind of layer.

    python -m benchmarks.estimates BUILD [BUILD …] [--cores N]

BUILD is the output folder of an accelerator whose ``resource_table`` has been built (``build/NAME`` with
``synthesis.json`` and ``layers/``). Each core counts once. ``--cores`` lists those whose LUTs are furthest off.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finnmake.dataflow.layer_file import read_layer
from finnmake.dataflow.resource_estimate import Resources, estimate_resources
from finnmake.errors import FinnmakeError

KINDS = {"LUT": "LUT", "BRAM_18K": "BRAM", "DSP": "DSP"}
"""Fields of ``Resources``, and what netlists call them."""


@dataclass(frozen=True)
class Core:
    """A core that has been synthesised.

    Attributes:
        name: of the first layer that it is of.
        kind: its layer's type.
        flow: what synthesised it.
        estimate: of what it takes.
        netlist: what it takes.
    """

    name: str
    kind: str
    flow: str
    estimate: Resources
    netlist: Mapping[str, int]

    @property
    def error(self) -> float:
        """LUTs that were estimated too many, as a share of those in the netlist."""
        return self.estimate.LUT / max(1, self.netlist["LUT"]) - 1


def cores(build: Path) -> Iterator[Core]:
    """The cores of an accelerator, each once in every flow."""
    table: dict[str, Any] = json.loads((build / "synthesis.json").read_text(encoding="utf-8"))
    for row in {row["core"]: row for row in reversed(table["rows"])}.values():
        folder = build / "layers" / row["name"]

        def parameter(name: str, folder: Path = folder) -> bytes:
            return (folder / f"{name}.npy").read_bytes()

        layer = read_layer((folder / "layer.json").read_text(encoding="utf-8"), parameter)
        for flow, netlist in row["resources"].items():
            yield Core(row["name"], layer.op_type, flow, estimate_resources(layer, flow), netlist)


def table_text(found: Sequence[Core]) -> str:
    """A line for every kind of layer in every flow, and one for all of a flow."""
    head = ["flow", "layer", "cores"]
    head += [text for kind in KINDS.values() for text in (f"{kind} estimated", "netlist", "%")] + ["LUT median error %"]
    rows = [head]
    for flow in sorted({core.flow for core in found}):
        ours = [core for core in found if core.flow == flow]
        rows += [_row(kind, [core for core in ours if core.kind == kind]) for kind in sorted({c.kind for c in ours})]
        rows.append(_row("all", ours))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(text.ljust(width) if column < 2 else text.rjust(width) for column, (text, width) in enumerate(line))
        for line in (list(zip(row, widths, strict=True)) for row in rows)
    )


def _row(kind: str, found: Sequence[Core]) -> list[str]:
    row = [found[0].flow, kind, str(len(found))]
    for field, name in KINDS.items():
        estimate = sum(core.estimate.as_dict()[field] for core in found)
        netlist = sum(core.netlist[name] for core in found)
        row += [str(estimate), str(netlist), f"{100 * (estimate / netlist - 1):+.1f}" if netlist else ""]
    return [*row, f"{100 * statistics.median(abs(core.error) for core in found):.1f}"]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", nargs="+", type=Path, metavar="BUILD", help="output folder of an accelerator")
    parser.add_argument("--cores", type=int, default=0, metavar="N", help="list so many cores")
    options = parser.parse_args()
    try:
        found = [core for build in options.builds for core in cores(build)]
    except (OSError, FinnmakeError) as problem:
        sys.exit(f"{problem}\nBuild the table first: finnmake build NAME:resource_table.")
    print(table_text(found))
    for core in sorted(found, key=lambda core: -abs(core.error))[: options.cores]:
        print(f"{core.flow}  {core.name}: {core.estimate.LUT} LUT, {core.netlist['LUT']} in the netlist")


if __name__ == "__main__":
    main()
