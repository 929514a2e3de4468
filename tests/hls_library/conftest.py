"""The bench that builds and runs cores."""

from __future__ import annotations

import pytest

from tests.hls_library.harness import Bench


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One bench for all tests of a session."""
    return Bench(tmp_path_factory.mktemp("bench"), request.config.cache.mkdir("verilator_runtime"))
