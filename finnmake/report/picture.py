"""A picture of the stream graph: layers as boxes, streams as arrows, as an SVG file."""

from __future__ import annotations

from xml.sax.saxutils import escape

from finnmake.report.build_report import BuildReport, LayerRow

_COLUMNS = 4
_BOX_WIDTH, _BOX_HEIGHT, _ACROSS, _DOWN, _MARGIN = 218, 74, 92, 46, 20
_LINE = "#495057"
_COLOURS = {
    "MatrixVectorActivation": "#cfe2ff",
    "Thresholding": "#d1e7dd",
    "LabelSelect": "#ffe5d0",
}


def report_picture(report: BuildReport) -> str:
    """The SVG text: a box a layer in rows from left to right, arrows labelled with what crosses the stream."""
    rows = -(-len(report.layers) // _COLUMNS)
    columns = min(len(report.layers), _COLUMNS)
    width = 2 * _MARGIN + columns * _BOX_WIDTH + (columns + 1) * _ACROSS
    height = 2 * _MARGIN + rows * _BOX_HEIGHT + (rows - 1) * _DOWN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{_LINE}"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, layer in enumerate(report.layers):
        left, top = _place(number)
        if number and number % _COLUMNS == 0:
            parts += _arrow_to_next_row(left, top, width, layer.input)
        else:
            parts += _arrow(left - _ACROSS, top, layer.input)
        parts += _box(left, top, layer)
    left, top = _place(len(report.layers) - 1)
    parts += [*_arrow(left + _BOX_WIDTH, top, report.layers[-1].output), "</svg>"]
    return "\n".join(parts) + "\n"


def _place(number: int) -> tuple[int, int]:
    """Left and top edge of a layer's box."""
    row, column = divmod(number, _COLUMNS)
    return _MARGIN + _ACROSS + column * (_BOX_WIDTH + _ACROSS), _MARGIN + row * (_BOX_HEIGHT + _DOWN)


def _arrow(left: int, top: int, label: str) -> list[str]:
    height = top + _BOX_HEIGHT // 2
    words, _, datatype = label.partition(" ")
    return [
        f'<line x1="{left + 2}" y1="{height}" x2="{left + _ACROSS - 2}" y2="{height}" stroke="{_LINE}" '
        'marker-end="url(#tip)"/>',
        *_label(left + _ACROSS // 2, height, words, datatype),
    ]


def _arrow_to_next_row(left: int, top: int, width: int, label: str) -> list[str]:
    right = width - _MARGIN - _ACROSS
    before, between, after = top - _DOWN - _BOX_HEIGHT // 2, top - _DOWN // 2, top + _BOX_HEIGHT // 2
    edge = left - _ACROSS + 20
    path = f"M{right + 2},{before} h{_ACROSS - 20} V{between} H{edge} V{after} H{left - 2}"
    words, _, datatype = label.partition(" ")
    return [
        f'<path d="{path}" fill="none" stroke="{_LINE}" marker-end="url(#tip)"/>',
        *_label(right + _ACROSS // 2, before, words, datatype),
    ]


def _label(middle: int, height: int, above: str, below: str) -> list[str]:
    style = f'font-size="11" fill="{_LINE}" text-anchor="middle"'
    return [
        f'<text x="{middle}" y="{height - 6}" {style}>{escape(above)}</text>',
        f'<text x="{middle}" y="{height + 15}" {style}>{escape(below)}</text>',
    ]


def _box(left: int, top: int, row: LayerRow) -> list[str]:
    colour = _COLOURS.get(row.name.rsplit("_", 1)[0], "#e9ecef")
    cost = ", ".join(f"{value} {name}" for name, value in row.resources.items() if value)
    lines = [
        ("13", ' font-weight="bold"', row.name.replace("StreamingDataWidthConverter", "WidthConverter")),
        ("11", "", f"{row.interval} cycles, first word after {row.latency}"),
        ("11", "", cost or "no logic"),
    ]
    return [
        f'<rect x="{left}" y="{top}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" fill="{colour}" '
        f'stroke="{_LINE}"/>',
        *(
            f'<text x="{left + 10}" y="{top + 22 + 19 * number}" font-size="{size}"{weight}>{escape(text)}</text>'
            for number, (size, weight, text) in enumerate(lines)
        ),
    ]


def stream_label(datatype: str, elements: int, words: int) -> str:
    """How a stream is written in tables and pictures: words x elements, datatype."""
    return f"{words}x{elements} {datatype}"
