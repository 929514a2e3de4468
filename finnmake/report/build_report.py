"""The build report: what each layer and the whole design cost and achieve, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

RESOURCES = ("LUT", "FF", "BRAM", "DSP")


@dataclass(frozen=True)
class LayerRow:
    """One layer of the report.

    Attributes:
        interval: cycles between frames, as stated and as the RTL simulation measured.
        latency: cycles from first word in to first word out, as stated and as measured.
        resources: LUT, FF, BRAM, DSP of the synthesised core.
    """

    name: str
    core: str
    input: str
    output: str
    interval: int
    latency: int
    resources: Mapping[str, int]


@dataclass(frozen=True)
class BuildReport:
    """All figures of one build.

    Attributes:
        cycles_per_frame: measured on the stitched RTL.
        first_latency_cycles: from the first input word to the first output word, measured on the stitched RTL.
        cycle_model: ``cycles_per_sample`` and ``first_latency_cycles`` as composed from the cores' measured schedules;
            None where FIFO depths were estimated.
        accuracy: top-1 of the stitched RTL on the labelled samples, 0 to 1; None without labels.
        rounding_ties: samples on which the model's own float32 rounding decides; there the hardware equals the model
            with exact sums.
        mismatches: samples on which the stitched RTL and the reference differ (0, or the build has failed).
        clock_mhz: the clock that was asked for.
        fmax_mhz: the clock that place and route reached.
        utilisation: used and available by name, of the routed design.
        input_order: what the host does to a frame of the model's input: (shape, permutation) each.
        output_order: what the host does to a frame that comes out.
    """

    name: str
    board: str
    layers: Sequence[LayerRow]
    samples: int
    rounding_ties: int
    mismatches: int
    accuracy: float | None
    cycles_per_frame: int
    first_latency_cycles: int
    clock_mhz: float
    fmax_mhz: float
    utilisation: Mapping[str, tuple[int, int]]
    bitstream_checked: bool
    cycle_model: Mapping[str, float] | None = None
    input_order: Sequence[tuple[Sequence[int], Sequence[int]]] = ()
    output_order: Sequence[tuple[Sequence[int], Sequence[int]]] = ()

    @property
    def frames_per_second(self) -> float:
        """At the clock that was asked for."""
        return self.clock_mhz * 1e6 / self.cycles_per_frame

    def as_json(self) -> dict[str, object]:
        """For ``report.json``."""
        return {**asdict(self), "frames_per_second": self.frames_per_second}


def report_text(report: BuildReport) -> str:
    """The report as a screen of text."""
    lines = [f"{report.name} on {report.board}", ""]
    header = ("layer", "in", "out", "cycles", "latency", *RESOURCES)
    rows = [
        (
            row.name,
            row.input,
            row.output,
            str(row.interval),
            str(row.latency),
            *(str(row.resources.get(r, 0)) for r in RESOURCES),
        )
        for row in report.layers
    ]
    lines.extend(_table([header, *rows]))
    ties = f", {report.rounding_ties} decided by the model's own rounding" if report.rounding_ties else ""
    accuracy = "" if report.accuracy is None else f", accuracy {100 * report.accuracy:.2f} %"
    lines += [
        "",
        f"  cycles per frame      {report.cycles_per_frame}",
        f"  first-frame latency   {report.first_latency_cycles} cycles",
        *_cycle_model(report),
        f"  clock                 {report.clock_mhz:g} MHz asked, Fmax {report.fmax_mhz:.1f} MHz",
        f"  frames per second     {report.frames_per_second:,.0f} at {report.clock_mhz:g} MHz",
        "  device                "
        + ", ".join(f"{name} {used}/{available}" for name, (used, available) in report.utilisation.items()),
        f"  verified              {report.samples} samples in stitched RTL, "
        f"{report.mismatches} mismatches{ties}{accuracy}",
        f"  bitstream             {'unpacked and equal to the routed design' if report.bitstream_checked else '-'}",
    ]
    for side, order in (("input", report.input_order), ("output", report.output_order)):
        if order:
            steps = ", then ".join(f"{_sizes(shape)} transposed by {_sizes(perm, ' ')}" for shape, perm in order)
            lines.append(f"  {side} frames".ljust(24) + f"turned by the host: {steps}")
    return "\n".join(lines) + "\n"


def _sizes(numbers: Sequence[int], between: str = "x") -> str:
    return between.join(str(number) for number in numbers)


def _cycle_model(report: BuildReport) -> list[str]:
    if report.cycle_model is None:
        return []
    interval, latency = report.cycle_model["cycles_per_sample"], report.cycle_model["first_latency_cycles"]
    return [f"  cycle model           {interval:g} cycles per frame, latency {latency} cycles"]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(c.ljust(w) if n < 3 else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
