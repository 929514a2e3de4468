"""A picture of the stream graph: layers as boxes, streams as arrows, as an SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from finnmake.report.build_report import BuildReport, LayerRow

_BOX_WIDTH, _BOX_HEIGHT, _GAP, _MARGIN = 330, 58, 34, 20
_COLOURS = {
    "MatrixVectorActivation": "#cfe2ff",
    "Thresholding": "#d1e7dd",
    "LabelSelect": "#ffe5d0",
}


def report_picture(report: BuildReport) -> str:
    """The SVG text: one box a layer, top to bottom, with its cycles and resources; arrows carry the streams."""
    height = 2 * _MARGIN + len(report.layers) * (_BOX_HEIGHT + _GAP) + _GAP
    width = 2 * _MARGIN + _BOX_WIDTH
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#495057"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    top = _MARGIN
    for row in report.layers:
        parts += _arrow(top, row.input)
        top += _GAP
        parts += _box(top, row)
        top += _BOX_HEIGHT
    parts += _arrow(top, report.layers[-1].output if report.layers else "")
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _arrow(top: int, label: str) -> list[str]:
    middle = _MARGIN + _BOX_WIDTH // 2
    return [
        f'<line x1="{middle}" y1="{top}" x2="{middle}" y2="{top + _GAP - 2}" stroke="#495057" marker-end="url(#tip)"/>',
        f'<text x="{middle + 8}" y="{top + _GAP // 2 + 4}" font-size="11" fill="#495057">{escape(label)}</text>',
    ]


def _box(top: int, row: LayerRow) -> list[str]:
    colour = _COLOURS.get(row.name.rsplit("_", 1)[0], "#e9ecef")
    cost = ", ".join(f"{value} {name}" for name, value in row.resources.items() if value)
    return [
        f'<rect x="{_MARGIN}" y="{top}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" fill="{colour}" '
        'stroke="#495057"/>',
        f'<text x="{_MARGIN + 10}" y="{top + 19}" font-size="14" font-weight="bold">{escape(row.name)}</text>',
        f'<text x="{_MARGIN + 10}" y="{top + 35}" font-size="11">{row.interval} cycles a frame, '
        f"first word after {row.latency}</text>",
        f'<text x="{_MARGIN + 10}" y="{top + 50}" font-size="11">{escape(cost) or "no logic"}</text>',
    ]


def stream_label(datatype: str, elements: int, words: int) -> str:
    """How a stream is written in tables and pictures: words x elements x datatype."""
    return f"{words}x{elements} {datatype}"


__all__: Sequence[str] = ("report_picture", "stream_label")
