"""The table of a network's resources as a build makes it."""

from __future__ import annotations

import json

from tests.support.project import Project


def test_the_table_has_the_counts_of_every_layer(built: Project) -> None:
    table = json.loads((built.output / "synthesis.json").read_text())
    layers = built.manifest()
    assert [row["name"] for row in table["rows"]] == [layer["name"] for layer in layers]
    counts = [json.loads((built.output / f"layers/{layer['name']}/resources.json").read_text()) for layer in layers]
    assert [row["resources"]["ecp5"] for row in table["rows"]] == counts
    assert table["total"]["ecp5"]["LUT"] == sum(count["LUT"] for count in counts)
    assert table["interval"] == max(layer["interval"] for layer in layers)
    text = (built.output / "synthesis.md").read_text()
    assert all(f"| {layer['name']} |" in text for layer in layers)


def test_finns_reports_stand_beside(built: Project) -> None:
    folder = built.folder / "finn"
    folder.mkdir()
    cycles = {"Thresholding_rtl_0": 4, "MVAU_hls_0": 16, "MVAU_hls_1": 32, "MVAU_hls_2": 1}
    (folder / "estimate_layer_cycles.json").write_text(json.dumps(cycles))
    (folder / "estimate_layer_resources.json").write_text(json.dumps({"Thresholding_rtl_0": {"LUT": 77}}))
    build = built.build("--until", "synth", "--finn-reports", "finn")
    assert build.ran == {"resource_table"}
    text = (built.output / "synthesis.md").read_text()
    assert "| Thresholding_rtl_0 |  | 4 | 77 |" in text
    assert "without a counterpart here (3): MVAU_hls_0, MVAU_hls_1, MVAU_hls_2." in text
