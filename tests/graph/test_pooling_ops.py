"""MaxPoolNHWC against onnxruntime's MaxPool, QuantAvgPool2d against its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.errors import ModelError
from tests.support.nodes import infer_datatype, integers, run_node, run_standard
from tests.support.windows import Geometry, geometries


@given(g=geometries(), batch=st.integers(1, 3), ceil_mode=st.booleans())
def test_max_pool_is_the_standard_one(g: Geometry, batch: int, ceil_mode: bool) -> None:
    x = integers(0, (batch, g.channels, g.height, g.width))
    attributes: dict[str, Any] = {
        "kernel_shape": g.kernel,
        "strides": g.strides,
        "pads": g.pads,
        "dilations": g.dilations,
        "ceil_mode": int(ceil_mode),
    }
    result = run_node("MaxPoolNHWC", [x.transpose(0, 2, 3, 1)], **attributes)
    assert np.array_equal(result.transpose(0, 3, 1, 2), run_standard("MaxPool", [x], **attributes))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(("signed", "low", "high"), [(0, 0, 16), (1, -8, 8)])
@pytest.mark.parametrize(("kernel", "stride", "obits", "dropped"), [(2, 2, 4, 2), (4, 4, 4, 4), (3, 1, 8, 0)])
def test_quantised_average(
    layout: str, signed: int, low: int, high: int, kernel: int, stride: int, obits: int, dropped: int
) -> None:
    x = integers(3, (2, 3, 8, 8), low, high)
    sums = run_standard(
        "Conv", [x, np.ones((3, 1, kernel, kernel), np.float32)], strides=[stride, stride], group=3
    ).astype(int)
    given_ = x if layout == "NCHW" else x.transpose(0, 2, 3, 1)
    attributes = {"kernel": kernel, "stride": stride, "ibits": 4, "obits": obits, "signed": signed}
    result = run_node("QuantAvgPool2d", [given_], data_layout=layout, **attributes)
    result = result if layout == "NCHW" else result.transpose(0, 3, 1, 2)
    assert np.array_equal(result, sums >> dropped)
    expected = f"{'INT' if signed else 'UINT'}{obits}"
    assert infer_datatype("QuantAvgPool2d", [((1, 3, 8, 8), "INT4")], **attributes).name == expected


def test_max_pool_keeps_the_datatype() -> None:
    geometry = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0] * 4}
    assert infer_datatype("MaxPoolNHWC", [((1, 4, 4, 2), "UINT3")], **geometry).name == "UINT3"


def test_bad_attributes_are_refused() -> None:
    x = integers(0, (1, 4, 4, 2))
    with pytest.raises(ModelError, match="data_layout is 'HWC'"):
        run_node("QuantAvgPool2d", [x], kernel=2, stride=2, ibits=4, obits=4, data_layout="HWC")
    with pytest.raises(ModelError, match="no attribute ibits"):
        run_node("QuantAvgPool2d", [x], kernel=2, stride=2, obits=4, data_layout="NHWC")
    with pytest.raises(ModelError, match="obits is 33"):
        infer_datatype("QuantAvgPool2d", [((1, 4, 4, 2), "INT4")], kernel=2, stride=2, ibits=4, obits=33)
