"""Makes one core with Vitis HLS.

    python core.py --vitis-hls vitis_hls --part PART --function NAME --module NAME --clock-period 5 --frames N
                   --streams in:s_axis:32 out:m_axis:16

Reads ``top.cpp`` and what it includes; writes ``out/core.v``, ``out/memories/`` and ``out/hls.json``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from wrapper import Control, module_ports, own_modules, parse_stream, place_memories, wrapper

SOLUTION = Path("project/solution/syn")
RESOURCES = {"LUT": ("LUT",), "FF": ("FF",), "BRAM_18K": ("BRAM_18K",), "DSP": ("DSP", "DSP48E"), "URAM": ("URAM",)}
"""Resources in the report of this project, and the elements that name them in the tool's, newest first."""


def tcl(template: str, values: dict[str, str]) -> str:
    """The script.

    Raises:
        KeyError: a name in the template that has no value.
    """
    return re.sub(r"@(\w+)@", lambda match: values[match.group(1)], template)


def read_report(xml: str) -> dict[str, object]:
    """Latency, interval, clock and resources as ``csynth.xml`` has them; what is missing or unknown there is null.

    Cycles are of one call, which are many frames: the RTL simulation measures those of a frame.

    Raises:
        ElementTree.ParseError: the text is no XML.
    """
    if "<!DOCTYPE" in xml:
        raise ElementTree.ParseError("a report declares no document type")
    root = ElementTree.fromstring(xml)

    def number(*paths: str) -> float | None:
        for path in paths:
            text = (root.findtext(path) or "").strip()
            if re.fullmatch(r"\d+(\.\d+)?", text):
                return float(text) if "." in text else int(text)
        return None

    latency = "PerformanceEstimates/SummaryOfOverallLatency"
    return {
        "tool": (root.findtext("ReportVersion/Version") or "").strip() or None,
        "part": (root.findtext("UserAssignments/Part") or "").strip() or None,
        "call_latency_cycles": number(f"{latency}/Worst-caseLatency"),
        "call_interval_cycles": number(f"{latency}/Interval-max"),
        "estimated_clock_period_ns": number("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"),
        **{
            name: number(*(f"AreaEstimates/Resources/{element}" for element in elements))
            for name, elements in RESOURCES.items()
        },
    }


def control(frames: int) -> Control:
    """Started for ever: ``ap_ctrl_hs`` takes ``ap_start`` that stays high as one call behind the other."""
    connections = {"ap_clk": "aclk", "ap_rst_n": "aresetn", "ap_start": "1'b1", "frames": f"32'd{frames}"}
    return Control(connections, "", ("ap_done", "ap_idle", "ap_ready"))


def without_date(verilog: str) -> str:
    """The Verilog without the comment lines that name the time and place of the run."""
    return "".join(line for line in verilog.splitlines(keepends=True) if not re.match(r"// (Date|Time|Host)\b", line))


def main() -> None:
    """Runs Vitis HLS and collects."""
    parser = argparse.ArgumentParser()
    for name in ("vitis-hls", "part", "function", "module", "clock-period"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--streams", nargs="+", required=True)
    arguments = parser.parse_args()
    values = {name: getattr(arguments, name) for name in ("function", "part", "clock_period")}
    Path("filled.tcl").write_text(tcl(Path("run.tcl").read_text(encoding="utf-8"), values), encoding="utf-8")
    done = subprocess.run([arguments.vitis_hls, "-f", "filled.tcl"], check=False)
    if done.returncode != 0:
        sys.exit(f"ERROR: Vitis HLS ended with status {done.returncode}")
    memories = Path("out/memories")
    memories.mkdir(parents=True, exist_ok=True)
    try:
        parts = [path.read_text(encoding="utf-8") for path in sorted((SOLUTION / "verilog").glob("*.v"))]
        verilog = without_date("\n".join(parts))
        streams = [parse_stream(text) for text in arguments.streams]
        ports = module_ports(verilog, arguments.function)
        verilog = own_modules(place_memories(verilog, arguments.module, memories), arguments.module)
        top = f"{arguments.module}__{arguments.function}"
        around = wrapper(arguments.module, top, streams, ports, control(arguments.frames))
        report = read_report((SOLUTION / "report" / "csynth.xml").read_text(encoding="utf-8"))
    except (OSError, ValueError, ElementTree.ParseError) as problem:
        sys.exit(f"ERROR: what Vitis HLS made is not as expected: {problem}")
    Path("out/core.v").write_text(f"{around}\n{verilog}", encoding="utf-8")
    body = {"engine": "vitis_hls", "clock_period_ns": float(arguments.clock_period), **report}
    Path("out/hls.json").write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
