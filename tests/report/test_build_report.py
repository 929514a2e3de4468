"""The build report as text and picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from finnmake.report.build_report import BuildReport, LayerRow, report_text
from finnmake.report.picture import report_picture


def a_report(**changes: object) -> BuildReport:
    row = LayerRow("Thresholding_0", "Thresholding_ab", "2x4 UINT8", "2x4 INT2", 2, 3, {"LUT": 10, "FF": 20})
    values: dict[str, object] = {
        "name": "net",
        "board": "board",
        "layers": [row],
        "samples": 200,
        "rounding_ties": 0,
        "mismatches": 0,
        "accuracy": 0.965,
        "cycles_per_frame": 64,
        "first_latency_cycles": 200,
        "clock_mhz": 50.0,
        "fmax_mhz": 61.5,
        "utilisation": {"LUT": (10, 100)},
        "bitstream_checked": True,
    }
    return BuildReport(**{**values, **changes})  # type: ignore[arg-type]


def test_text_names_every_figure() -> None:
    text = report_text(a_report())
    for figure in ("Thresholding_0", "64", "200 cycles", "61.5 MHz", "781,250", "LUT 10/100", "96.50 %"):
        assert figure in text


def test_the_cycle_model_is_said_where_there_is_one() -> None:
    assert "cycle model" not in report_text(a_report())
    text = report_text(a_report(cycle_model={"cycles_per_sample": 64.0, "first_latency_cycles": 199}))
    assert "cycle model           64 cycles per frame, latency 199 cycles" in text


def test_text_without_labels_has_no_accuracy() -> None:
    assert "accuracy" not in report_text(a_report(accuracy=None))


def test_rounding_ties_are_said() -> None:
    assert "rounding" not in report_text(a_report())
    assert "3 decided by the model's own rounding" in report_text(a_report(rounding_ties=3))


def test_frames_that_the_host_turns_are_said() -> None:
    assert "turned" not in report_text(a_report())
    text = report_text(a_report(input_order=[((3, 32, 32), (1, 2, 0))]))
    assert "input frames          turned by the host: 3x32x32 transposed by 1 2 0" in text


def test_picture_is_svg_with_a_box_a_layer() -> None:
    root = ElementTree.fromstring(report_picture(a_report()))
    assert root.tag.endswith("svg")
    assert sum(element.text == "Thresholding_0" for element in root.iter()) == 1
