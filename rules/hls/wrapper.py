"""What the rules of both HLS tools share: the Verilog around a tool's module, and the files that come with it.

Stand-alone, as the scripts of the rules are: the standard library only. A tool's module has AXI4-Streams with
``TDATA``, ``TVALID`` and ``TREADY``, a clock, a reset, a handshake of its own for starts, and a number of frames after
which it ends; the wrapper has the ports of a core of finnmake, never ends, and keeps the tool's module inside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MEMORY_FILE = re.compile(r'\(\s*"(?:\./)?([\w.-]+\.(?:mem|dat))"')
"""A memory file as Verilog names it where it is read; defaults of parameters are no files."""

_PORT = re.compile(r"\b(input|output)\s+(?:wire\s+|reg\s+)?(?:\[\s*(\d+)\s*:\s*0\s*\]\s*)?([\w, ]+?)\s*[;,)\n]")


@dataclass(frozen=True)
class Stream:
    """A stream of the core.

    Attributes:
        name: of its ports, before ``_tdata`` and the like.
        width: bits of a word.
        is_input: words go into the core.
    """

    name: str
    width: int
    is_input: bool


@dataclass(frozen=True)
class Control:
    """How a tool's module is started.

    Attributes:
        connections: port to expression, for all ports that belong to no stream and take something.
        declarations: Verilog in front of the instance; ``done`` is the wire that ``done`` of the module drives.
        unused: output ports that nobody looks at.
    """

    connections: Mapping[str, str]
    declarations: str
    unused: Sequence[str] = ()


def parse_stream(text: str) -> Stream:
    """``in:NAME:WIDTH`` or ``out:NAME:WIDTH``, as the command line has it."""
    direction, name, width = text.split(":")
    return Stream(name, int(width), direction == "in")


def module_ports(verilog: str, module: str) -> dict[str, int]:
    """Ports of a module and their bits.

    Raises:
        ValueError: the text has no such module.
    """
    match = re.search(rf"^\s*module\s+{re.escape(module)}\b(.*?)^\s*endmodule", verilog, re.MULTILINE | re.DOTALL)
    if match is None:
        raise ValueError(f"the Verilog has no module {module}")
    ports = {}
    for declared in _PORT.finditer(match.group(1)):
        for name in declared.group(3).replace(" ", "").split(","):
            ports[name] = int(declared.group(2) or 0) + 1
    return ports


def wrapper(module: str, top: str, streams: Sequence[Stream], ports: Mapping[str, int], control: Control) -> str:
    """The Verilog of the wrapper.

    Args:
        module: its name.
        top: the tool's module.
        streams: of the core.
        ports: of the tool's module, with their bits: a word may be narrower than its port, which is whole bytes.
        control: how the tool's module is started.

    Raises:
        ValueError: the tool's module lacks a port of a stream or of the control.
    """
    wanted = [f"{stream.name}_{signal}" for stream in streams for signal in ("TDATA", "TVALID", "TREADY")]
    if missing := [port for port in (*wanted, *control.connections) if port not in ports]:
        raise ValueError(f"module {top} has no port {', '.join(missing)}")
    lines = [
        f"// {module}: a core that an HLS tool made, with the ports of every core.",
        "//",
        "// Interface: AXI4-Streams " + ", ".join(f"{'in' if s.is_input else 'out'} {s.name}" for s in streams) + ";",
        "//            one clock, synchronous active-low reset. The core runs from the first cycle after reset on.",
        f"module {module} (",
        "    input  wire aclk,",
        "    input  wire aresetn,",
    ]
    declared = []
    for stream in streams:
        data, valid, ready = ("input ", "input ", "output") if stream.is_input else ("output", "output", "input ")
        declared += [
            f"    {data} wire [{stream.width - 1}:0] {stream.name}_tdata",
            f"    {valid} wire {stream.name}_tvalid",
            f"    {ready} wire {stream.name}_tready",
        ]
    lines += [",\n".join(declared), ");", "", control.declarations]
    connections = dict(control.connections)
    for stream in streams:
        name, port_width = stream.name, ports[f"{stream.name}_TDATA"]
        if port_width < stream.width:
            raise ValueError(f"port {name}_TDATA has {port_width} bits, the stream {stream.width}")
        padding = port_width - stream.width
        if stream.is_input:
            word = f"{{{padding}'d0, {name}_tdata}}" if padding else f"{name}_tdata"
            connections[f"{name}_TDATA"] = word
        else:
            lines.append(f"    wire [{port_width - 1}:0] {name}_word;")
            lines.append(f"    assign {name}_tdata = {name}_word[{stream.width - 1}:0];")
            if padding:
                lines.append(f"    wire unused_{name} = &{{1'b0, {name}_word[{port_width - 1}:{stream.width}]}};")
            connections[f"{name}_TDATA"] = f"{name}_word"
        connections[f"{name}_TVALID"] = f"{name}_tvalid"
        connections[f"{name}_TREADY"] = f"{name}_tready"
    ignored = [port for port in control.unused if port in ports]
    for port in ignored:
        lines.append(f"    wire {port}_ignored;")
        connections[port] = f"{port}_ignored"
    if ignored:
        lines.append(f"    wire unused_control = &{{1'b0, {', '.join(f'{port}_ignored' for port in ignored)}}};")
    instance = ",\n".join(f"        .{port}({value})" for port, value in connections.items())
    return "\n".join([*lines, "", f"    {top} core (", instance, "    );", "", "endmodule", ""])


def own_modules(verilog: str, module: str) -> str:
    """The Verilog with its modules renamed, so that those of several cores can lie in one design: MODULE__NAME."""
    names = sorted(set(re.findall(r"^\s*module\s+(\w+)", verilog, re.MULTILINE)), key=len, reverse=True)
    if not names:
        return verilog
    return re.sub(rf"\b(?:{'|'.join(names)})\b(?!\.(?:mem|dat))", lambda match: f"{module}__{match.group()}", verilog)


def place_memories(verilog: str, module: str, folder: Path) -> str:
    """The Verilog with the names that its memory files have from now on: below a folder named after the module.

    The files that it names go to ``folder``, and a list of them, which says so where there are none.

    Raises:
        ValueError: a file that is not there.
    """
    names = sorted(set(MEMORY_FILE.findall(verilog)))
    (folder / "index.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    for name in names:
        found = sorted(Path().rglob(name))
        if not found:
            raise ValueError(f"the memory file {name} is not there")
        (folder / name).write_bytes(found[0].read_bytes())
    return MEMORY_FILE.sub(lambda match: f'("{module}/{match.group(1)}"', verilog)
