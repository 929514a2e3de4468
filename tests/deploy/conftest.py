"""Boards, a small accelerator, and the bench that holds Verilator's compiled runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from finnmake.deploy.board import Board, load_board
from tests.hls_library.harness import ROOT, Bench

BOARDS = ROOT / "boards"


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"), request.config.cache.mkdir("verilator_runtime"))


@pytest.fixture(scope="session")
def ulx3s() -> Board:
    return load_board("ulx3s-85f", BOARDS)


@pytest.fixture
def board_text() -> str:
    return Path(BOARDS / "ulx3s-85f.toml").read_text(encoding="utf-8")
