"""What tests of several folders share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.qonnx_peer import QonnxPeer

# How long an example takes depends on what else the machine does.
settings.register_profile("finnmake", deadline=None)
settings.load_profile("finnmake")

# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def qonnx() -> Iterator[QonnxPeer]:
    """The qonnx package; the test is skipped where it is not installed."""
    with QonnxPeer() as peer:
        yield peer
