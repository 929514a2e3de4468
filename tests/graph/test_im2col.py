"""Im2Col and DepthwiseMatMul against onnxruntime's Conv."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.errors import ModelError
from tests.support.nodes import infer_datatype, integers, run_node, run_standard
from tests.support.windows import Geometry, geometries


def im2col_attributes(g: Geometry) -> dict[str, Any]:
    return {"kernel_size": g.kernel, "stride": g.strides, "pad_amount": g.pads, "dilations": g.dilations}


@given(g=geometries(), batch=st.integers(1, 3), filters=st.integers(1, 4))
def test_im2col_and_a_product_are_a_convolution(g: Geometry, batch: int, filters: int) -> None:
    x, w = integers(0, (batch, g.channels, g.height, g.width)), integers(1, (filters, g.channels, *g.kernel))
    expected = run_standard("Conv", [x, w], pads=g.pads, strides=g.strides, dilations=g.dilations)
    columns = run_node("Im2Col", [x.transpose(0, 2, 3, 1)], **im2col_attributes(g))
    matrix = w.transpose(2, 3, 1, 0).reshape(-1, filters)
    assert np.array_equal((columns @ matrix).transpose(0, 3, 1, 2), expected)


@given(g=geometries(), batch=st.integers(1, 3))
def test_depthwise_matmul_is_a_depthwise_convolution(g: Geometry, batch: int) -> None:
    x, w = integers(0, (batch, g.channels, g.height, g.width)), integers(1, (g.channels, 1, *g.kernel))
    expected = run_standard("Conv", [x, w], pads=g.pads, strides=g.strides, dilations=g.dilations, group=g.channels)
    columns = run_node("Im2Col", [x.transpose(0, 2, 3, 1)], depthwise=1, **im2col_attributes(g))
    result = run_node("DepthwiseMatMul", [columns, w.transpose(2, 3, 1, 0).reshape(-1, g.channels)])
    assert np.array_equal(result.transpose(0, 3, 1, 2), expected)


def test_padding_has_its_value() -> None:
    x = integers(0, (1, 2, 2, 1))
    result = run_node("Im2Col", [x], kernel_size=[2, 2], stride=[2, 2], pad_amount=[0, 0, 2, 0], pad_value=-3)
    assert result.shape == (1, 2, 1, 4)
    assert np.array_equal(result[0, 1, 0], [-3] * 4)
    assert np.array_equal(result[0, 0, 0], x.ravel())


def test_datatypes() -> None:
    shape = (1, 4, 4, 2)
    geometry = {"kernel_size": [3, 3], "stride": [1, 1]}
    assert infer_datatype("Im2Col", [(shape, "INT4")], **geometry).name == "INT4"
    with pytest.raises(ModelError, match="BIPOLAR, which does not hold the padding value 0"):
        infer_datatype("Im2Col", [(shape, "BIPOLAR")], pad_amount=[1, 1, 1, 1], **geometry)
    assert infer_datatype("Im2Col", [(shape, "BIPOLAR")], pad_amount=[0] * 4, **geometry).name == "BIPOLAR"
    windows = ((1, 2, 2, 18), "UINT4")
    assert infer_datatype("DepthwiseMatMul", [windows, ((9, 2), "INT4")]).name == "INT12"  # 9 · 15 · -8
    assert infer_datatype("DepthwiseMatMul", [windows, ((9, 2), "FLOAT32")]).name == "FLOAT32"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"kernel_size": [3, 3]}, "has no attribute stride"),
        ({"kernel_size": [3], "stride": [1, 1]}, "kernel_size is"),
        ({"kernel_size": [3, 3], "stride": [0, 1]}, "too small"),
        ({"kernel_size": [9, 3], "stride": [1, 1]}, "larger than the padded image"),
    ],
)
def test_impossible_windows_are_refused(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        run_node("Im2Col", [integers(0, (1, 4, 4, 2))], **attributes)


def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(ModelError, match=r"\(N, H, W, C\)"):
        run_node("Im2Col", [integers(0, (1, 4, 4))], kernel_size=[1, 1], stride=[1, 1])
