"""What tests of several folders share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from finnmake.runtime.stream_timing import StreamTiming
from tests.hls_library.harness import CXX_RULE, copy_rule, run_script
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


@pytest.fixture(scope="session")
def timing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamTiming]:
    """The solver of stream timings, compiled as a build does it."""
    folder = tmp_path_factory.mktemp("stream_timing")
    copy_rule(CXX_RULE, folder)
    run_script(folder, "build.py", "--output", "stream_timing.so", "stream_timing.cpp")
    with StreamTiming(folder / "stream_timing.so") as solver:
        yield solver
