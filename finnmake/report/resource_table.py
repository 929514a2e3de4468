"""The table of a network's layers: cycles, latency, what each takes in every flow, and FINN's figures beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from finnmake.report.finn_reports import FinnLayer

COUNTS = ("LUT", "FF", "BRAM", "URAM", "DSP")
"""Resources by the names that synthesis reports; BRAM counts 18 kbit."""

FINN_NAMES = {"LUT": "LUT", "BRAM_18K": "BRAM", "URAM": "URAM", "DSP": "DSP"}
"""FINN's names and ours."""


@dataclass(frozen=True)
class TableRow:
    """One layer.

    Attributes:
        name: of the layer.
        op_type: of the layer.
        core: module name of the core with its parameters: equal ones are one core, synthesised once.
        shape: elements of a frame in and out, of a matrix its size and the vectors of a frame.
        PE: None for a layer that has none.
        SIMD: None for a layer that has none.
        cycles: between frames.
        latency: cycles from the first word in to the first word out.
        resources: flow -> counts of its synthesis.
        finn: the layer of FINN's reports that it is, if any.
        size_of_finns: work of FINN's layer by that of ours, None where FINN's folding is not known.
    """

    name: str
    op_type: str
    core: str
    shape: str
    PE: int | None
    SIMD: int | None
    cycles: int
    latency: int
    resources: Mapping[str, Mapping[str, int]]
    finn: FinnLayer | None
    size_of_finns: float | None


@dataclass(frozen=True)
class ResourceTable:
    """All layers of a network.

    Attributes:
        name: of the accelerator.
        board: that it is folded for.
        clock_mhz: of the accelerator.
        flows: names of the synthesis flows, the board's first.
        available: what the board has.
        rows: in stream order.
        unmatched: FINN's layers that none of ours is.
    """

    name: str
    board: str
    clock_mhz: float
    flows: Sequence[str]
    available: Mapping[str, int]
    rows: Sequence[TableRow]
    unmatched: Sequence[FinnLayer]

    @property
    def interval(self) -> int:
        """Cycles between frames: those of the slowest layer."""
        return max(row.cycles for row in self.rows)

    def total(self, flow: str) -> dict[str, int]:
        """Sums over all layers."""
        return {name: sum(row.resources[flow].get(name, 0) for row in self.rows) for name in COUNTS}

    def finn_total(self) -> dict[str, int]:
        """Sums over FINN's layers, matched and unmatched."""
        layers = [*(row.finn for row in self.rows if row.finn is not None), *self.unmatched]
        return {ours: sum(layer.resources[name] for layer in layers) for name, ours in FINN_NAMES.items()}

    @property
    def has_finn(self) -> bool:
        """True where there are figures of FINN's."""
        return bool(self.unmatched) or any(row.finn is not None for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """The table's fields, the interval and the sums."""
        sums = {flow: self.total(flow) for flow in self.flows}
        if self.has_finn:
            sums["finn"] = self.finn_total()
        return {**asdict(self), "interval": self.interval, "total": sums, "cores": len({r.core for r in self.rows})}


def table_text(table: ResourceTable) -> str:
    """The table as Markdown."""
    used = {flow: [name for name in COUNTS if table.total(flow)[name]] for flow in table.flows}
    header = ["layer", "shape", "PE", "SIMD", "cycles", "latency"]
    header += [f"{flow} {name}" for flow in table.flows for name in used[flow]]
    finn = [name for name, ours in FINN_NAMES.items() if table.finn_total()[ours]] if table.has_finn else []
    if table.has_finn:
        header += ["FINN's layer", "size", "FINN cycles", *(f"FINN {FINN_NAMES[name]}" for name in finn)]
    rows = [_cells(row, table, used, finn) for row in table.rows]
    sums = ["sum", f"{len(table.rows)} layers", "", "", _number(table.interval), ""]
    sums += [_number(table.total(flow)[name]) for flow in table.flows for name in used[flow]]
    if table.has_finn:
        sums += ["all", "", "", *(_number(table.finn_total()[FINN_NAMES[name]]) for name in finn)]
    fps = table.clock_mhz * 1e6 / table.interval
    rate = f"{fps:,.0f}" if fps >= 100 else f"{fps:.3g}"
    lines = [
        f"# {table.name} for {table.board}",
        "",
        f"A frame every {_number(table.interval)} cycles (the slowest layer): {rate} frames per second at "
        f"{table.clock_mhz:g} MHz. Different cores, each synthesised once: {len({row.core for row in table.rows})}. "
        "BRAM counts 18 kbit.",
        "",
        *_room(table),
        *_markdown([header, *rows, sums]),
        "",
        *(_notes(table) if table.has_finn else []),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _room(table: ResourceTable) -> list[str]:
    total = table.total(table.flows[0])
    shares = [f"{name} {100 * total[name] / there:.1f} %" for name, there in table.available.items() if total.get(name)]
    return [f"Of {table.board}: {', '.join(shares)}, without what connects it to the host.", ""] if shares else []


def _cells(row: TableRow, table: ResourceTable, used: Mapping[str, Sequence[str]], finn: Sequence[str]) -> list[str]:
    numbers = [row.PE, row.SIMD, row.cycles, row.latency]
    numbers += [row.resources[flow].get(name, 0) for flow in table.flows for name in used[flow]]
    cells = [row.name, row.shape, *map(_number, numbers)]
    if table.has_finn and row.finn is None:
        cells += ["-"] * (3 + len(finn))
    elif row.finn is not None:
        size = "" if row.size_of_finns is None else f"{row.size_of_finns:.3g}"
        cells += [row.finn.name, size, _number(row.finn.cycles), *(_number(row.finn.resources[name]) for name in finn)]
    return cells


def _number(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    header, *others = ("| " + " | ".join(row) + " |" for row in rows)
    return [header, "|---|---" + "|---:" * (len(rows[0]) - 2) + "|", *others]


def _notes(table: ResourceTable) -> list[str]:
    matched = sum(row.finn is not None for row in table.rows)
    lines = [
        f"FINN's figures are the estimates of its build. Its reports name no shapes: {matched} layers are matched by "
        "op type and order. `size` is the work (cycles x PE x SIMD) of FINN's layer by that of ours: where it is not "
        "1, the layers are not the same.",
    ]
    if table.unmatched:
        names = ", ".join(layer.name for layer in table.unmatched)
        lines += ["", f"FINN's layers without a counterpart here ({len(table.unmatched)}): {names}."]
    return lines
