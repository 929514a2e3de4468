"""What worker processes run: figures of all steps to the build report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from finnmake.report.build_report import RESOURCES, BuildReport, LayerRow, report_text
from finnmake.report.picture import report_picture, stream_label


def _read(name: str) -> Any:
    return json.loads(Path(name).read_text(encoding="utf-8"))


def report(*, name: str, board: str, clock_mhz: float) -> None:
    """The JSON files of all steps to ``out/report.json``, ``out/report.txt`` and ``out/report.svg``."""
    manifest, stitched, timing, reference = (
        _read("manifest.json"),
        _read("stitched.json"),
        _read("timing.json"),
        _read("reference.json"),
    )
    result = BuildReport(
        name=name,
        board=board,
        layers=[_row(position, entry) for position, entry in enumerate(manifest["layers"])],
        samples=stitched["samples"],
        rounding_ties=len(reference["rounding_ties"]),
        mismatches=stitched["mismatches"],
        accuracy=reference["accuracy"],
        cycles_per_frame=stitched["cycles_per_sample"],
        first_latency_cycles=stitched["first_latency_cycles"],
        cycle_model=stitched["cycle_model"],
        clock_mhz=clock_mhz,
        fmax_mhz=timing["fmax_mhz"],
        utilisation={key: (used, available) for key, (used, available) in timing["utilisation"].items()},
        bitstream_checked=_read("check.json")["equal"],
        input_order=_order(manifest["input_order"]),
        output_order=_order(manifest["output_order"]),
    )
    Path("out/report.json").write_text(json.dumps(result.as_json(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    Path("out/report.txt").write_text(report_text(result), encoding="utf-8")
    Path("out/report.svg").write_text(report_picture(result), encoding="utf-8")


def _order(entries: list[dict[str, list[int]]]) -> list[tuple[list[int], list[int]]]:
    return [(entry["shape"], entry["perm"]) for entry in entries]


def _row(position: int, entry: dict[str, Any]) -> LayerRow:
    measured = _read(f"layer_{position}_rtlsim.json")
    resources = _read(f"layer_{position}_resources.json")
    return LayerRow(
        name=entry["name"],
        core=entry["core"],
        input=_label(entry["inputs"]),
        output=_label(entry["outputs"]),
        interval=measured["interval_cycles"],
        latency=measured["first_output_latency"],
        resources={key: int(resources.get(key, 0)) for key in RESOURCES},
    )


def _label(streams: list[dict[str, Any]]) -> str:
    labels = [stream_label(s["datatype"], s["elements_per_word"], s["words_per_frame"]) for s in streams]
    return " + ".join(labels)
