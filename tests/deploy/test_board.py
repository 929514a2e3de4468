from __future__ import annotations

import re
from pathlib import Path

import pytest

from finnmake.build.rules import load_rules
from finnmake.deploy.board import Board, known_boards, load_board
from finnmake.errors import BoardError, BuildFileError
from tests.deploy.conftest import BOARDS
from tests.hls_library.harness import LIBRARY, ROOT

RULES = load_rules(ROOT / "rules")


@pytest.mark.parametrize("name", known_boards(BOARDS))
def test_every_board_is_whole(name: str) -> None:
    board = load_board(name, BOARDS)
    assert board.path == BOARDS / f"{name}.toml"
    assert {"LUT", "FF", "BRAM", "DSP"} <= set(board.resources)
    assert f"{board.flow}_synth" in RULES
    assert all(f"{board.flow}_{step}" in RULES for step in ("merge", "pack")) == (board.implementation is not None)


@pytest.mark.parametrize("name", [name for name in known_boards(BOARDS) if load_board(name, BOARDS).implementation])
def test_every_shell_has_its_pins(name: str) -> None:
    board = load_board(name, BOARDS).require_implementation()
    assert all((LIBRARY / file).is_file() for file in board.shell_files)
    pins = board.constraints.read_text(encoding="utf-8")
    ports = board.ports
    for port in (
        ports.clock,
        ports.serial_in,
        ports.serial_out,
        ports.reset_button,
        f"{ports.leds}[7]",
        *ports.held_high,
    ):
        assert f'LOCATE COMP "{port}" SITE' in pins
    sites = re.findall(r'SITE "(\w+)"', pins)
    assert len(sites) == len(set(sites))
    assert f'FREQUENCY PORT "{ports.clock}" {board.oscillator_mhz:g} MHZ' in pins


def test_shell_files_are_all_of_the_folder(ulx3s: Board) -> None:
    assert sorted(ulx3s.require_implementation().shell_files) == sorted(
        f"shell_uart/{path.name}" for path in (LIBRARY / "shell_uart").glob("*.v")
    )


def test_unknown_board_lists_the_known() -> None:
    with pytest.raises(BoardError, match=r"no board 'ulx4s'\n.*ulx3s-12f, ulx3s-85f"):
        load_board("ulx4s", BOARDS)


@pytest.mark.parametrize("name", ["../boards/ulx3s-85f", "", "ulx3s-85f.toml"])
def test_a_path_is_no_board(name: str) -> None:
    with pytest.raises(BoardError):
        load_board(name, BOARDS)


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        ('name = "ulx3s-85f"', 'name = "other"', "not the file's name"),
        ("flow = .*", "", "flow is missing"),
        ("flow = .*", "flow = 5", "flow = 5 is not a text"),
        ("flow = .*", "flow = ", "cannot be read"),
        ("default_mhz = 50", "default_mhz = 0", "clock.default_mhz = 0 is not greater than 0"),
        ("default_mhz = 50", "default_mhz = nan", "is not greater than 0"),
        ("baud = .*", "baud = true", "uart.baud = True is not a whole number"),
        ("baud = .*", "baud = 1000000\nparity = 1", "unknown entry uart.parity"),
        ("shell = .*", 'shell = "pcie"', "no shell 'pcie'"),
        ("shell = .*", "", "entry shell is missing"),
        ("BRAM = .*", "BRAM = -1", "resources.BRAM = -1 is negative"),
    ],
)
def test_malformed_files(tmp_path: Path, board_text: str, pattern: str, replacement: str, message: str) -> None:
    changed = re.sub(pattern, replacement, board_text, count=1)
    assert changed != board_text
    (tmp_path / "ulx3s-85f.toml").write_text(changed)
    with pytest.raises(BuildFileError, match=re.escape(message)):
        load_board("ulx3s-85f", tmp_path)


def test_room(ulx3s: Board) -> None:
    ulx3s.check_room({"LUT": 83640, "BRAM": 208, "CCU2C": 10**6})
    with pytest.raises(BoardError, match=r"needs 209 of 208 BRAM, 100000 of 83640 LUT") as caught:
        ulx3s.check_room({"LUT": 100000, "BRAM": 209, "FF": 3})
    assert "ulx3s-85f" in caught.value.text


def test_a_board_without_place_and_route_makes_no_bitstream() -> None:
    board = load_board("alveo-u250", BOARDS)
    with pytest.raises(BoardError, match=r"no place and route for xcu250.*\n.*--until stitched"):
        board.require_implementation()
