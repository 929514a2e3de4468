"""Builds the simulation of a stitched design out of the simulations of its cores.

    python link.py --top NAME --output model.so --runtime verilated.a stitched.v

The design's Verilog holds instances of cores and wires between them, nothing else: the nets are read from it. The
cores are shared objects that ``build.py`` made; they are no input here but are loaded, as ``CORE.so`` beside the memory
files, when a simulation is constructed. What is built here takes a second and does not depend on any core.

The shared object has the same functions as that of a core.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from build import link, port_macros

CLOCK = "aclk"
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


def _type(width: int) -> str:
    for bits, name in ((8, "CData"), (16, "SData"), (32, "IData"), (64, "QData")):
        if width <= bits:
            return name
    return f"VlWide<{(width + 31) // 32}>"


def header(design: Design) -> str:
    """``Vmodel.h``: the class that stream_driver.cpp drives."""
    nets = net_numbers(design)
    connections = [
        f'    {{"{port}", {nets[net]}}},' for instance in design.instances for port, net in instance.connections.items()
    ]
    instances, first = [], 0
    for instance in design.instances:
        count = len(instance.connections)
        instances.append(f'    {{"{instance.core}", "{instance.memories}", {first}, {count}}},')
        first += count
    ports = [
        f'{{"{name}", &{name}, {width}, {"true" if direction == "output" else "false"}, {nets[name]}}}'
        for direction, name, width in design.ports
        if name != CLOCK
    ]
    lines = [
        '#include "linked_design.hpp"',
        '#include "Vmodel___024root.h"',
        f"static const finnmake::LinkedConnection linked_connections[] = {{\n{chr(10).join(connections)}\n}};",
        f"static const finnmake::LinkedInstance linked_instances[] = {{\n{chr(10).join(instances)}\n}};",
        "struct Vmodel : finnmake::LinkedDesign {",
        "    Vmodel___024root root;",
        "    Vmodel___024root* const rootp = &root;",
        *(f"    {_type(width)} {name}{{}};" for _, name, width in design.ports),
        "    explicit Vmodel(VerilatedContext* context, const char*) {",
        f"        connect({{{', '.join(ports)}}}, {nets[CLOCK]}, linked_instances, {len(instances)},",
        f"                linked_connections, {max(nets.values()) + 1},",
        "                context->randReset() == 0 ? 0 : context->randSeed());",
        "    }",
        f"    void eval() {{ eval_with({CLOCK}); }}",
        "};",
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Reads, compiles and links."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--runtime", default="verilated.a")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("file")
    arguments = parser.parse_args()
    try:
        design = read_design(Path(arguments.file).read_text(), arguments.top)
    except ValueError as problem:
        sys.exit(f"%Error: {arguments.file}: {problem}")
    found: dict[str, list[tuple[str, int]]] = {"IN": [], "OUT": [], "INOUT": []}
    for direction, name, width in design.ports:
        found["IN" if direction == "input" else "OUT"].append((name, width))
    Path("Vmodel.h").write_text(header(design))
    # The state is that of the cores.
    Path("Vmodel___024root.h").write_text("#pragma once\nstruct Vmodel___024root {};\n")
    Path("model.cpp").write_text("\n".join([*port_macros(arguments.top, found), '#include "stream_driver.cpp"', ""]))
    link(arguments.compiler, arguments.output, arguments.runtime, ["-O2"])


if __name__ == "__main__":
    main()
