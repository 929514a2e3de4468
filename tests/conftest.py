"""What tests of several folders share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.qonnx_peer import QonnxPeer


@pytest.fixture(scope="session")
def qonnx() -> Iterator[QonnxPeer]:
    """The qonnx package; the test is skipped where it is not installed."""
    with QonnxPeer() as peer:
        yield peer
