"""Builds the simulation of a stitched design out of the simulations of its cores.

    python link.py --top NAME --output model.so [--runtime verilated.a] [--linked-design linked_design.o] stitched.v

The design's Verilog holds instances of cores and wires between them, nothing else: the nets are read from it. The
cores are shared objects that ``build.py`` made; they are no input here but are loaded, as ``CORE.so`` beside the memory
files, when a simulation is constructed. All that designs share is compiled once (``linked_design.py``): of a
design a table of its nets is compiled, which takes a fraction of a second.

The shared object has the same functions as that of a core.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from build import link, missing_ports, port_macros, streams
from linked_design import LINKED_DESIGN
from toolchain import COMPILE

_MODULE = re.compile(r"module (\w+) \((.*?)\);(.*)endmodule\s*", re.DOTALL)
_PORT = re.compile(r"(input|output)\s+wire\s+(?:\[(\d+):0\]\s+)?(\w+)")
_WIRE = re.compile(r"wire (?:\[\d+:0\] )?(\w+);")
_ASSIGNMENT = re.compile(r"assign (\w+) = (\w+);")
_INSTANCE = re.compile(r"(\w+)(?: #\(([^;]*?)\n?\s*\))? (\w+) \(\s*((?:\.\w+\(\w+\),?\s*)+)\);")
_CONNECTION = re.compile(r"\.(\w+)\((\w+)\)")
_MEMORY = re.compile(r'\.(\w+)_FILE\("([^"]*)"\)')


@dataclass(frozen=True)
class Instance:
    """One core in the design.

    Attributes:
        core: its module.
        memories: what the names of its memory files begin with, before the core's own names of them.
        connections: net by port.
    """

    core: str
    memories: str
    connections: dict[str, str]


@dataclass(frozen=True)
class Design:
    """What the Verilog says.

    Attributes:
        ports: (direction, name, width).
        same: nets that are one, pairwise.
        instances: in the order of the text.
    """

    ports: list[tuple[str, str, int]]
    same: list[tuple[str, str]]
    instances: list[Instance]


def read_design(text: str, top: str) -> Design:
    """The design of a stitched top.

    Raises:
        ValueError: the text holds something else than instances and wires.
    """
    text = re.sub(r"//[^\n]*", "", text)
    module = _MODULE.fullmatch(text.strip() + "\n")
    if module is None or module[1] != top:
        raise ValueError(f"holds another module than {top}")
    body = module[3]
    ports = [(direction, name, int(high or 0) + 1) for direction, high, name in _PORT.findall(module[2])]
    instances = [
        Instance(core, _prefix(core, parameters), dict(_CONNECTION.findall(connections)))
        for core, parameters, _, connections in _INSTANCE.findall(body)
    ]
    same = _ASSIGNMENT.findall(body)
    left = _INSTANCE.sub("", _ASSIGNMENT.sub("", _WIRE.sub("", body))).strip()
    if left:
        raise ValueError(f"holds more than instances and wires: {left.splitlines()[0]}")
    return Design(ports, same, instances)


def _prefix(core: str, parameters: str) -> str:
    files = _MEMORY.findall(parameters)
    prefixes = {file.removesuffix(f"{name.lower()}.mem") for name, file in files}
    if len(files) != parameters.count(".") - sum(file.count(".") for _, file in files) or len(prefixes) > 1:
        raise ValueError(f"{core} has parameters that are no names of its memory files")
    return prefixes.pop() if prefixes else ""


def net_numbers(design: Design) -> dict[str, int]:
    """A number for each net, one for those that are the same."""
    names = [name for _, name, _ in design.ports]
    names += [net for instance in design.instances for net in instance.connections.values()]
    group = {name: name for name in (*names, *(name for pair in design.same for name in pair))}

    def find(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for left, right in design.same:
        group[find(left)] = find(right)
    numbers: dict[str, int] = {}
    return {name: numbers.setdefault(find(name), len(numbers)) for name in group}


def tables(design: Design, top: str) -> str:
    """The C++ text of a design: ``linked_tables.hpp`` filled in, and the symbols of its ports.

    Raises:
        ValueError: clock, reset or a part of a stream is missing.
    """
    nets = net_numbers(design)
    found: dict[str, list[tuple[str, int]]] = {"IN": [], "OUT": [], "INOUT": []}
    for direction, name, width in design.ports:
        found["IN" if direction == "input" else "OUT"].append((name, width))
    missing = missing_ports(found)
    if missing:
        raise ValueError(f"{top} has no port {', '.join(missing)}")
    numbers = {name: number for number, (_, name, _) in enumerate(design.ports)}
    entries = {
        "LinkedPort ports": [
            f'"{name}", {width}, {int(direction == "output")}, {nets[name]}' for direction, name, width in design.ports
        ],
        "LinkedStream input_streams": _stream_entries(found, "IN", numbers),
        "LinkedStream output_streams": _stream_entries(found, "OUT", numbers),
        "LinkedInstance instances": [
            f'"{instance.core}", "{instance.memories}", {len(instance.connections)}' for instance in design.instances
        ],
        "LinkedConnection connections": [
            f'"{port}", {nets[net]}' for instance in design.instances for port, net in instance.connections.items()
        ],
    }
    # Connections are counted by their instances.
    counts = [len(entries[table]) for table in entries if table != "LinkedConnection connections"]
    lines = [
        '#include "linked_tables.hpp"',
        "namespace finnmake {",
        *(f"static const {table}[] = {{\n{_rows(rows)}}};" for table, rows in entries.items()),
        "const LinkedTables linked_tables = {",
        f"    {', '.join(table.split()[1] for table in entries)},",
        f"    {', '.join(map(str, counts))}, {max(nets.values()) + 1}",
        "};",
        "}",
        *port_macros(top, found),
        f"enum {{ {', '.join(f'port_{name} = {number}' for name, number in numbers.items())} }};",
        "#define FINNMAKE_PORT(handle, name) finnmake::linked_port(handle, port_##name)",
        '#define FINNMAKE_EXPORT __attribute__((visibility("default")))',
        '#include "port_symbols.hpp"',
    ]
    return "\n".join([*lines, ""])


def _stream_entries(found: dict[str, list[tuple[str, int]]], direction: str, numbers: dict[str, int]) -> list[str]:
    signals = ("tdata", "tvalid", "tready")
    return [
        f'"{name}", {", ".join(str(numbers[f"{name}_{signal}"]) for signal in signals)}'
        for name, _ in streams(found, direction)
    ]


def _rows(rows: list[str]) -> str:
    return "".join(f"    {{{row}}},\n" for row in rows)


def main() -> None:
    """Reads, writes the tables, and links."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--runtime", default="verilated.a")
    parser.add_argument("--linked-design", default=LINKED_DESIGN)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("file")
    arguments = parser.parse_args()
    try:
        text = tables(read_design(Path(arguments.file).read_text(), arguments.top), arguments.top)
    except ValueError as problem:
        sys.exit(f"%Error: {arguments.file}: {problem}")
    Path("model.cpp").write_text(text)
    link(arguments.compiler, arguments.output, [arguments.linked_design, arguments.runtime], [*COMPILE, "-O0"])


if __name__ == "__main__":
    main()
