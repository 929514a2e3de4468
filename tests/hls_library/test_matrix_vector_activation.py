"""What the kernel of MatrixVectorActivation promises beyond its numbers and cycles."""

from __future__ import annotations

import pytest

from tests.hls_library import harness
from tests.hls_library.harness import Bench, core_cpp, random_frames
from tests.hls_library.random_layers import grid_mvau, random_mvau


def test_other_weights_need_no_other_core(bench: Bench) -> None:
    first, second = grid_mvau("ternary", seed=0), grid_mvau("ternary", seed=1)
    frames = random_frames(first, 8)
    assert (first.execute(frames) != second.execute(frames)).any()
    bench.check_rtl(first, frames)
    built = (bench.folder / f"{first.core_name()}-rtl" / "model.so").stat().st_mtime_ns
    bench.check_rtl(second, frames)
    assert (bench.folder / f"{second.core_name()}-rtl" / "model.so").stat().st_mtime_ns == built


def test_output_that_waits_for_ever_loses_nothing(bench: Bench) -> None:
    layer = grid_mvau("ternary")
    bench.run_rtl(layer, random_frames(layer, 12), output_stall=0.99, seed=5)


def test_loops_as_bambu_sees_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "core_cpp", lambda layer: "#define FINNMAKE_BASIC_BLOCKS\n" + core_cpp(layer))
    # Another seed than in the grid is the same core: a shape of its own, so that it is compiled here.
    layer = random_mvau((12, 9), (3, 3), ("UINT3", "INT3"), (3, "UINT2"), vectors=2)
    bench.check_cpp(layer, random_frames(layer, 50))
