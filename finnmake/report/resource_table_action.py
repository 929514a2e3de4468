"""What worker processes run: resource counts of all layers to the table of a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from finnmake.report.finn_reports import FinnLayer, OurLayer, match_layers, read_finn_reports
from finnmake.report.resource_table import ResourceTable, TableRow, table_text


def _read(name: str) -> Any:
    return json.loads(Path(name).read_text(encoding="utf-8"))


def resource_table(
    *, name: str, board: str, clock_mhz: float, flows: list[str], available: dict[str, int], finn: list[str]
) -> None:
    """Layer files, resource counts and FINN's reports to ``out/synthesis.json`` and ``out/synthesis.md``.

    Reads ``manifest.json``, ``layer_N.json`` and ``layer_N_FLOW.json`` of each layer, and FINN's reports by name.

    Args:
        name: of the accelerator.
        board: its name.
        clock_mhz: of the accelerator.
        flows: of synthesis, the board's first.
        available: what the board has.
        finn: names of FINN's reports that there are.
    """
    entries = _read("manifest.json")["layers"]
    structures = [_read(f"layer_{position}.json")["structure"] for position in range(len(entries))]
    ours = [
        OurLayer(entry["op_type"], entry["interval"] * structure.get("PE", 1) * structure.get("SIMD", 1))
        for entry, structure in zip(entries, structures, strict=True)
    ]
    layers = read_finn_reports({file: Path(file) for file in finn}) if finn else []
    matches = match_layers(ours, layers)
    rows = [
        _table_row(position, entry, structure, flows, matches.get(position), our.work)
        for position, (entry, structure, our) in enumerate(zip(entries, structures, ours, strict=True))
    ]
    known = {layer.name for layer in matches.values()}
    table = ResourceTable(
        name, board, clock_mhz, flows, available, rows, [layer for layer in layers if layer.name not in known]
    )
    Path("out/synthesis.json").write_text(
        json.dumps(table.as_json(), indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    Path("out/synthesis.md").write_text(table_text(table), encoding="utf-8")


def _table_row(
    position: int,
    entry: dict[str, Any],
    structure: dict[str, Any],
    flows: list[str],
    finn: FinnLayer | None,
    work: int,
) -> TableRow:
    def elements(streams: list[dict[str, Any]]) -> str:
        return " + ".join(str(stream["elements_per_word"] * stream["words_per_frame"]) for stream in streams)

    shape = f"{elements(entry['inputs'])} -> {elements(entry['outputs'])}"
    if "MW" in structure:
        shape = f"{structure['MW']} x {structure['MH']}, {structure['numInputVectors']} vectors"
    return TableRow(
        name=entry["name"],
        op_type=entry["op_type"],
        core=entry["configured"],
        shape=shape,
        PE=structure.get("PE"),
        SIMD=structure.get("SIMD"),
        cycles=entry["interval"],
        latency=entry["latency"],
        resources={flow: _read(f"layer_{position}_{flow}.json") for flow in flows},
        finn=finn,
        size_of_finns=finn.work / work if finn is not None and finn.work is not None else None,
    )
