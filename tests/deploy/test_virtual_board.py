"""The shell in Verilog and the real driver, against each other over a pseudo-terminal."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finnmake.deploy.board import Board
from finnmake.deploy.driver import ESCAPE, Accelerator, LinkError
from finnmake.deploy.shell import ShellStream, plan_shell, render_shell, shell_description
from finnmake.deploy.virtual_board import VirtualBoard
from finnmake.errors import ToolError
from tests.hls_library.harness import LIBRARY, ROOT, VERILATOR_RULE, Bench, copy_rule, run_script

pytest.importorskip("serial", reason="the driver talks to boards with pyserial")

FRAME_WORDS = 5
# Elements of 3 bits, 6 in a word: a word of 18 bits is 3 bytes on the line. Each word comes back inverted, and a word
# more a frame tells the sum of the frame, so that lost or doubled words are seen.
ACCELERATOR = """
module accelerator_under_test (
    input  wire aclk,
    input  wire aresetn,
    input  wire [17:0] s_axis_tdata,
    input  wire s_axis_tvalid,
    output wire s_axis_tready,
    output reg  [17:0] m_axis_tdata,
    output reg  m_axis_tvalid,
    input  wire m_axis_tready
);
    reg [2:0] position;
    reg [17:0] sum;
    wire free = !m_axis_tvalid || m_axis_tready;
    assign s_axis_tready = free && position != 3'd5;
    always @(posedge aclk) begin
        if (free) begin
            m_axis_tvalid <= position == 3'd5 || s_axis_tvalid;
            m_axis_tdata <= position == 3'd5 ? sum : ~s_axis_tdata;
            if (position == 3'd5) begin
                position <= 3'd0;
                sum <= 18'd0;
            end else if (s_axis_tvalid) begin
                position <= position + 3'd1;
                sum <= sum + s_axis_tdata;
            end
        end
        if (!aresetn) begin
            position <= 3'd0;
            sum <= 18'd0;
            m_axis_tvalid <= 1'b0;
        end
    end
endmodule
"""


def expected(frames: Any) -> Any:
    weights = 8 ** np.arange(6)
    sums = (frames * weights).sum(axis=(1, 2)) % 2**18
    last = sums[:, None, None] // weights % 8
    return np.concatenate([7 - frames, last], axis=1)


@dataclass(frozen=True)
class Built:
    program: Path
    description: Path


@pytest.fixture(scope="module")
def built(bench: Bench, ulx3s: Board, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("virtual_board")
    copy_rule(ROOT / "rules" / "virtual_board", folder)
    shutil.copy(VERILATOR_RULE / "toolchain.py", folder)
    shutil.copy(bench.runtime(), folder)
    shell = plan_shell(
        ulx3s,
        "accelerator_under_test",
        ShellStream("UINT3", 3, 0, 7, 6, FRAME_WORDS, (FRAME_WORDS, 6)),
        ShellStream("UINT3", 3, 0, 7, 6, FRAME_WORDS + 1, (FRAME_WORDS + 1, 6)),
        50,
    )
    (folder / "shell.v").write_text(render_shell(shell))
    (folder / "accelerator_under_test.v").write_text(ACCELERATOR)
    implementation = ulx3s.require_implementation()
    for name in (*implementation.shell_files, "shell_uart/simulation/EHXPLLL.v"):
        shutil.copy(LIBRARY / name, folder)
    ports = implementation.ports
    run_script(
        folder, "build.py", "--top", implementation.top, "--clock", ports.clock, "--serial-in", ports.serial_in,
        "--serial-out", ports.serial_out, "--divisor", str(shell.divisor), "--output", "virtual_board",
        *sorted(path.name for path in folder.glob("*.v")),
    )  # fmt: skip
    (folder / "accelerator.json").write_text(json.dumps(shell_description(shell)))
    return Built(folder / "virtual_board", folder / "accelerator.json")


@pytest.fixture
def board(built: Built, tmp_path: Path) -> Iterator[VirtualBoard]:
    with VirtualBoard(built.program, tmp_path) as running:
        yield running


def frames(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 8, (count, FRAME_WORDS, 6))


def test_batches(board: VirtualBoard, built: Built) -> None:
    with Accelerator.open(board.port, built.description, timeout=10) as accelerator:
        for count in (1, 0, 300):
            assert np.array_equal(accelerator.run(frames(count)), expected(frames(count)))


def test_all_bytes_cross_the_line(board: VirtualBoard, built: Built) -> None:
    # Words whose bytes are escapes, before and after the inversion.
    words = [0x1B1B1B & 0x3FFFF, ~0x1B1B1B & 0x3FFFF, 0x01021B & 0x3FFFF, 0x031B02 & 0x3FFFF, ~0x01021B & 0x3FFFF]
    batch = np.array([[[word >> 3 * element & 7 for element in range(6)] for word in words]])
    with Accelerator.open(board.port, built.description, timeout=10) as accelerator:
        assert np.array_equal(accelerator.run(batch), expected(batch))


@pytest.mark.parametrize(
    "left_behind", [b"\x01\x02", bytes([ESCAPE]), b"\x01" * 700, bytes([ESCAPE, 0x77]), b"\xff" * 40]
)
def test_a_host_that_died_leaves_nothing(board: VirtualBoard, built: Built, left_behind: bytes) -> None:
    port = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    os.write(port, left_behind)
    os.close(port)
    with Accelerator.open(board.port, built.description, timeout=10) as accelerator:
        assert np.array_equal(accelerator.run(frames(3)), expected(frames(3)))


def test_another_design_is_refused(board: VirtualBoard, built: Built, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**json.loads(built.description.read_text()), "identifier": 1}))
    with pytest.raises(LinkError, match="not 00000001"):
        Accelerator.open(board.port, other, timeout=10)


def test_an_overflow_is_said(board: VirtualBoard, built: Built) -> None:
    with Accelerator.open(board.port, built.description, timeout=10) as accelerator:
        accelerator.run(frames(1))
        # A host that does not wait for outputs: each frame comes back longer than it went in, so the buffer fills up.
        accelerator._frames_on_the_way = 10**9
        with pytest.raises(LinkError, match=r"overflowed|stopped|damaged"):
            accelerator.run(frames(900))
        accelerator._frames_on_the_way = 100
        assert np.array_equal(accelerator.run(frames(2)), expected(frames(2)))


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="does not start"):
        VirtualBoard(tmp_path / "nothing", tmp_path)
