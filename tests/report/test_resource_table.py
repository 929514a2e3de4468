"""The table of a network: rows, sums, FINN's figures and what is said of layers without a counterpart."""

from __future__ import annotations

import json

from finnmake.report.finn_reports import FinnLayer
from finnmake.report.resource_table import ResourceTable, TableRow, table_text

FINN = FinnLayer("MVAU_hls_0", "MatrixVectorActivation", 200, {"LUT": 300, "BRAM_18K": 2, "URAM": 0, "DSP": 0}, 800)
LOST = FinnLayer("Thresholding_rtl_0", "Thresholding", 9, {"LUT": 40, "BRAM_18K": 0, "URAM": 0, "DSP": 0}, None)


def row(name: str, luts: int, finn: FinnLayer | None = None) -> TableRow:
    resources = {"xcup": {"LUT": luts, "FF": 5, "BRAM": 1, "CARRY": 9}, "ecp5": {"LUT": 2 * luts, "FF": 5}}
    return TableRow(
        name, name[:-2], "core", "4 x 8, 1 vectors", 2, None, 1000, 7, resources, finn, 2.0 if finn else None
    )


def table(*rows: TableRow, lost: tuple[FinnLayer, ...] = ()) -> ResourceTable:
    return ResourceTable("net", "a-board", 100.0, ["xcup", "ecp5"], {"LUT": 4000, "BRAM": 10, "DSP": 5}, rows, lost)


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


def test_every_flow_has_the_columns_that_it_uses() -> None:
    text = table_text(table(row("Pool_0", 100), row("Pool_1", 1100)))
    header, rule, first, _, sums = cells(text)
    assert header[6:] == ["xcup LUT", "xcup FF", "xcup BRAM", "ecp5 LUT", "ecp5 FF"]
    assert len(rule) == len(header) == len(first) == len(sums)
    assert first == ["Pool_0", "4 x 8, 1 vectors", "2", "", "1,000", "7", "100", "5", "1", "200", "5"]
    assert sums[6:] == ["1,200", "10", "2", "2,400", "10"]
    assert "100,000 frames per second at 100 MHz. Different cores, each synthesised once: 1." in text
    assert "Of a-board: LUT 30.0 %, BRAM 20.0 %" in text
    assert "FINN" not in text


def test_finns_figures_stand_beside_and_what_has_no_counterpart_is_said() -> None:
    whole = table(row("MatrixVectorActivation_0", 100, FINN), row("Pool_0", 1), lost=(LOST,))
    text = table_text(whole)
    header, _, first, second, sums = cells(text)
    assert header[-5:] == ["FINN's layer", "size", "FINN cycles", "FINN LUT", "FINN BRAM"]
    assert first[-5:] == ["MVAU_hls_0", "2", "200", "300", "2"]
    assert second[-5:] == ["-"] * 5
    assert sums[-2:] == ["340", "2"]
    assert "without a counterpart here (1): Thresholding_rtl_0." in text
    body = json.loads(json.dumps(whole.as_json()))
    assert body["total"]["finn"] == {"LUT": 340, "BRAM": 2, "URAM": 0, "DSP": 0}
    assert (body["interval"], body["cores"]) == (1000, 1)
