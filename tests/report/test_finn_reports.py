"""Layers of FINN's reports and ours: by op type and order, by their work where there are not equally many."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from finnmake.errors import ModelError
from finnmake.report.finn_reports import CYCLES, FOLDING, RESOURCES, OurLayer, match_layers, read_finn_reports
from tests.support.qonnx_models import shared_file


def written(folder: Path, **files: Mapping[str, object]) -> dict[str, Path]:
    names = {"cycles": CYCLES, "resources": RESOURCES, "folding": FOLDING}
    for key, content in files.items():
        (folder / names[key]).write_text(json.dumps(content))
    return {names[key]: folder / names[key] for key in files}


CYCLES_OF = {
    "MVAU_hls_0": 100,
    "Thresholding_rtl_0": 8,
    "MVAU_hls_1": 50,
    "Thresholding_rtl_1": 9,
    "AddStreams_hls_0": 4,
}
RESOURCES_OF = {
    "MVAU_hls_0": {"LUT": 40.5, "BRAM_18K": 1, "BRAM_efficiency": 0.3, "URAM": 0, "DSP": "2"},
    "total": {"LUT": 40.5},
}
FOLDING_OF = {
    "Defaults": {},
    "MVAU_hls_0": {"PE": 2, "SIMD": 3},
    "Thresholding_rtl_0": {"PE": 2},
    "Thresholding_rtl_1": {},
}


def test_equally_many_layers_are_matched_in_order(tmp_path: Path) -> None:
    finn = read_finn_reports(written(tmp_path, cycles=CYCLES_OF, resources=RESOURCES_OF))
    assert finn[0].resources == {"LUT": 40, "BRAM_18K": 1, "URAM": 0, "DSP": 2}
    assert {layer.work for layer in finn} == {None}
    ours = [OurLayer(kind, 7) for kind in ("MatrixVectorActivation", "ElementwiseAdd", "MatrixVectorActivation")]
    found = match_layers(ours, finn)
    assert {position: layer.name for position, layer in found.items()} == {
        0: "MVAU_hls_0",
        1: "AddStreams_hls_0",
        2: "MVAU_hls_1",
    }


def test_fewer_layers_are_matched_by_their_work(tmp_path: Path) -> None:
    finn = read_finn_reports(written(tmp_path, cycles=CYCLES_OF, resources=RESOURCES_OF, folding=FOLDING_OF))
    assert [layer.work for layer in finn] == [600, 16, None, 9, None]
    for work, name in ((16, "Thresholding_rtl_0"), (9, "Thresholding_rtl_1"), (10, None)):
        found = match_layers([OurLayer("Thresholding", work)], finn)
        assert [layer.name for layer in found.values()] == ([name] if name else [])


@pytest.mark.parametrize("content", ["[]", "{", '{"MVAU": 3}', '{"MVAU_hls_0": "3"}'])
def test_what_is_no_report(tmp_path: Path, content: str) -> None:
    files = written(tmp_path, cycles={}, resources={})
    files[CYCLES].write_text(content)
    with pytest.raises(ModelError, match=CYCLES):
        read_finn_reports(files)


def test_the_shared_reports_of_metafi() -> None:
    files = {name: shared_file(f"reference/metafi/{name}") for name in (CYCLES, RESOURCES, FOLDING)}
    finn = read_finn_reports(files)
    products = [layer for layer in finn if layer.op_type == "MatrixVectorActivation"]
    assert len(finn) == 143
    assert [layer.work for layer in products[:2]] == [54 * 32 * 38 * 114, 288 * 48 * 38 * 114]
