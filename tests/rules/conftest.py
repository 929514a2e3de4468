"""The bench of the kernels' tests, for what the rules of the HLS tools make."""

from __future__ import annotations

from tests.hls_library.conftest import bench

__all__ = ["bench"]
