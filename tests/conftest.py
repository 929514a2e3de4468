"""What tests of several folders share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.qonnx_peer import QonnxPeer

# How long an example takes depends on what else the machine does.
settings.register_profile("finnmake", deadline=None)
settings.load_profile("finnmake")


@pytest.fixture(scope="session")
def qonnx() -> Iterator[QonnxPeer]:
    """The qonnx package; the test is skipped where it is not installed."""
    with QonnxPeer() as peer:
        yield peer
