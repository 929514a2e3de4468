"""Boards: what a TOML file in ``boards/`` says of one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from finnmake.errors import BoardError, BuildFileError

SHELL_FILES = MappingProxyType(
    {
        "uart": tuple(
            f"shell_uart/{module}.v"
            for module in (
                "byte_fifo",
                "bytes_to_words",
                "link_checksum",
                "link_decoder",
                "link_encoder",
                "shell_uart",
                "uart_receiver",
                "uart_transmitter",
                "words_to_bytes",
            )
        )
    }
)
"""Verilog of each shell, relative to the kernel library, without the generated top."""


@dataclass(frozen=True)
class Ports:
    """Names of the top module's ports, as the board's constraint file spells them.

    Attributes:
        clock: the oscillator.
        serial_in: what the FPGA receives.
        serial_out: what the FPGA sends.
        reset_button: high while pressed; "" where there is none.
        leds: a port of 8 bits; "" where there is none.
        held_high: outputs that must be high.
    """

    clock: str
    serial_in: str
    serial_out: str
    reset_button: str = ""
    leds: str = ""
    held_high: tuple[str, ...] = ()


@dataclass(frozen=True)
class Implementation:
    """How a board's bitstreams are made, loaded and talked to.

    Attributes:
        shell: what connects the accelerator to the host, a key of ``SHELL_FILES``.
        constraints: constraint file: pins, oscillator.
        program: commands that load a bitstream, with ``{bitstream}``.
        place_and_route: parameters of the rule ``<flow>_place_and_route``.
        oscillator_mhz: clock on the board.
        baud: bits per second on the serial line.
        ports: of the top module.
    """

    shell: str
    constraints: Path
    program: tuple[str, ...]
    place_and_route: Mapping[str, str]
    oscillator_mhz: float
    baud: int
    ports: Ports

    @property
    def top(self) -> str:
        """Name of the top module that the shell renders."""
        return "board_top"

    @property
    def shell_files(self) -> tuple[str, ...]:
        """The shell's Verilog, relative to the kernel library."""
        return SHELL_FILES[self.shell]


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes:
        name: as users write it, the TOML file's name.
        path: the TOML file.
        title: for people.
        part: the FPGA's full name; its package and speed are also in ``place_and_route``.
        flow: prefix of the rules that make its netlists and bitstreams, e.g. ``ecp5``.
        default_clock_mhz: clock of an accelerator that names none.
        resources: what the FPGA has, by the names that synthesis reports: LUT, FF, BRAM (of 18 kbit), URAM, DSP, PLL.
        implementation: None for a board that designs are folded, simulated and synthesised for, but not placed and
            routed.
    """

    name: str
    path: Path
    title: str
    part: str
    flow: str
    default_clock_mhz: float
    resources: Mapping[str, int]
    implementation: Implementation | None

    @property
    def device(self) -> str:
        """The FPGA, for messages."""
        return self.part

    def require_implementation(self) -> Implementation:
        """How its bitstreams are made.

        Raises:
            BoardError: there is no place and route for it.
        """
        if self.implementation is None:
            raise BoardError(
                f"no bitstream can be made: there is no place and route for {self.part}",
                where=f"board {self.name}",
                remedy="Build with --until stitched: cores, their netlists, and the simulation of the whole design.",
            )
        return self.implementation

    def check_room(self, needed: Mapping[str, int]) -> None:
        """Whether a design fits.

        Args:
            needed: resource counts as synthesis reports them; what the board does not list is not looked at.

        Raises:
            BoardError: with every resource that the FPGA has too little of.
        """
        short = [
            f"{count} of {self.resources[name]} {name}"
            for name, count in sorted(needed.items())
            if name in self.resources and count > self.resources[name]
        ]
        if short:
            raise BoardError(
                f"no room for the design: needs {', '.join(short)}",
                where=f"board {self.name} ({self.part})",
                remedy="Choose a folding with smaller PE and SIMD, fewer frames per second, or a larger board.",
            )


def known_boards(folder: Path) -> list[str]:
    """Names of the boards in a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load_board(name: str, folder: Path) -> Board:
    """A board by name.

    Args:
        name: the TOML file's name without ``.toml``.
        folder: the ``boards`` folder.

    Raises:
        BoardError: no such board; the message lists those that there are.
        BuildFileError: the board's file is not well-formed, or names another board.
    """
    known = known_boards(folder)
    if name not in known:
        raise BoardError(f"there is no board {name!r}", where="board", remedy=f"Boards: {', '.join(known) or 'none'}.")
    board = read_board(folder / f"{name}.toml")
    if board.name != name:
        raise BuildFileError(f"entry name = {board.name!r} is not the file's name", where=board.path.name)
    return board


def read_board(path: Path) -> Board:
    """A board from its file.

    Raises:
        BuildFileError: the file cannot be read or is not well-formed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BuildFileError(f"cannot be read: {error}", where=path.name) from error
    board = _Table(content, path.name)
    clock, resources = board.table("clock"), board.table("resources")
    result = Board(
        name=board.text("name"),
        path=path,
        title=board.text("title"),
        part=board.text("part"),
        flow=board.text("flow"),
        default_clock_mhz=clock.number("default_mhz"),
        resources=MappingProxyType({key: resources.count(key) for key in list(resources.values)}),
        implementation=_implementation(board, clock, path) if _IMPLEMENTATION & set(board.values) else None,
    )
    for table in (board, clock, resources):
        table.finish()
    return result


_IMPLEMENTATION = {"shell", "constraints", "program", "place_and_route", "uart", "ports"}
"""Entries of boards that bitstreams are made for; the others have none of them."""


def _implementation(board: _Table, clock: _Table, path: Path) -> Implementation:
    shell = board.text("shell")
    if shell not in SHELL_FILES:
        raise BuildFileError(f"no shell {shell!r}", where=path.name, remedy=f"Shells: {', '.join(SHELL_FILES)}.")
    uart, ports, place_and_route = board.table("uart"), board.table("ports"), board.table("place_and_route")
    result = Implementation(
        shell=shell,
        constraints=path.parent / board.text("constraints"),
        program=board.texts("program"),
        place_and_route=MappingProxyType({key: place_and_route.text(key) for key in list(place_and_route.values)}),
        oscillator_mhz=clock.number("oscillator_mhz"),
        baud=uart.count("baud"),
        ports=Ports(
            clock=ports.text("clock"),
            serial_in=ports.text("serial_in"),
            serial_out=ports.text("serial_out"),
            reset_button=ports.text("reset_button", ""),
            leds=ports.text("leds", ""),
            held_high=ports.texts("held_high"),
        ),
    )
    for table in (uart, ports, place_and_route):
        table.finish()
    return result


class _Table:
    """A TOML table whose entries are taken one by one; `finish` refuses what is left."""

    def __init__(self, values: Mapping[str, Any], file: str, name: str = "") -> None:
        self.values = dict(values)
        self._file = file
        self._prefix = f"{name}." if name else ""

    def _take(self, key: str, kinds: tuple[type, ...], what: str, default: Any = None) -> Any:
        value = self.values.pop(key, default)
        if value is None:
            raise BuildFileError(f"entry {self._prefix}{key} is missing", where=self._file)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise BuildFileError(f"entry {self._prefix}{key} = {value!r} is not {what}", where=self._file)
        return value

    def text(self, key: str, default: str | None = None) -> str:
        return str(self._take(key, (str,), "a text", default))

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._take(key, (list,), "a list of texts", [])
        if not all(isinstance(value, str) for value in values):
            raise BuildFileError(f"entry {self._prefix}{key} is not a list of texts", where=self._file)
        return tuple(values)

    def number(self, key: str) -> float:
        value = float(self._take(key, (int, float), "a number"))
        if not value > 0:
            raise BuildFileError(f"entry {self._prefix}{key} = {value:g} is not greater than 0", where=self._file)
        return value

    def count(self, key: str) -> int:
        value = int(self._take(key, (int,), "a whole number"))
        if value < 0:
            raise BuildFileError(f"entry {self._prefix}{key} = {value} is negative", where=self._file)
        return value

    def table(self, key: str) -> _Table:
        return _Table(self._take(key, (dict,), "a table"), self._file, f"{self._prefix}{key}")

    def finish(self) -> None:
        if self.values:
            names = ", ".join(f"{self._prefix}{key}" for key in sorted(self.values))
            raise BuildFileError(f"unknown entry {names}", where=self._file)
