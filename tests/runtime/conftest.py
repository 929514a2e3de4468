"""The bench that builds and runs cores, and small designs to drive."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hls_library.harness import CXX_RULE, LIBRARY, VERILATOR_RULE, Bench, copy_rule, run_script

BuildRtl = Callable[..., Path]
BuildCpp = Callable[..., Path]


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One bench for all tests of a session."""
    return Bench(tmp_path_factory.mktemp("bench"), request.config.cache.mkdir("verilator_runtime"))


@pytest.fixture(scope="session")
def build_rtl(bench: Bench) -> BuildRtl:
    """build_rtl(folder, verilog text of module `tested`, *options of build.py) -> shared object."""

    def build(folder: Path, text: str, *options: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        copy_rule(VERILATOR_RULE, folder)
        shutil.copy(bench.runtime(), folder)
        (folder / "tested.v").write_text(text)
        run_script(folder, "build.py", "--top", "tested", "--output", "model.so", *options, "tested.v")
        return folder / "model.so"

    return build


@pytest.fixture(scope="session")
def build_cpp() -> BuildCpp:
    """build_cpp(folder, C++ text of a top) -> shared object."""

    def build(folder: Path, text: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        copy_rule(CXX_RULE, folder)
        shutil.copytree(LIBRARY / "include", folder / "include", dirs_exist_ok=True)
        (folder / "top.cpp").write_text(text)
        run_script(folder, "build.py", "--output", "model.so", "top.cpp")
        return folder / "model.so"

    return build
