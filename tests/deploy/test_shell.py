"""What is decided about a shell: what it can do, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finnmake.deploy.board import Board
from finnmake.deploy.shell import ShellStream, plan_shell
from finnmake.errors import BoardError

BYTES = ShellStream("UINT8", 8, 0, 255, elements_per_word=1, words_per_frame=4, shape=(4,))


@pytest.mark.parametrize("baud", [300, 20_000_000])
def test_baud_rates_that_the_serial_line_cannot_have(ulx3s: Board, baud: int) -> None:
    implementation = replace(ulx3s.require_implementation(), baud=baud)
    with pytest.raises(BoardError, match=f"{baud} baud cannot be made of 50 MHz"):
        plan_shell(replace(ulx3s, implementation=implementation), "stitched", BYTES, BYTES, 50)


def test_frames_larger_than_the_buffer(ulx3s: Board) -> None:
    with pytest.raises(BoardError, match="a frame of 65537 bytes"):
        plan_shell(ulx3s, "stitched", replace(BYTES, words_per_frame=65537, shape=(65537,)), BYTES, 50)


def test_two_frames_fit_the_buffer(ulx3s: Board) -> None:
    shell = plan_shell(ulx3s, "stitched", replace(BYTES, words_per_frame=1025, shape=(1025,)), BYTES, 50)
    assert 1 << shell.buffer_address_bits == 4096
