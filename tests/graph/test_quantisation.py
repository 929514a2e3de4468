"""Quantisers against a reference that is written number by number."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.errors import ModelError
from finnmake.graph.general_ops import GENERAL_DOMAIN, GENERAL_OPS
from finnmake.graph.quantisation import ROUNDING_MODES, IntegerFormat, count_thresholds, quantise


def by_hand(x: float, mode: str) -> int:
    """Rounds one number by the definition of the mode."""
    down, away = math.floor(abs(x)), math.ceil(abs(x))
    sign = -1 if x < 0 else 1
    return {
        "CEIL": math.ceil(x),
        "FLOOR": math.floor(x),
        "UP": sign * away,
        "DOWN": sign * down,
        "ROUND_TO_ZERO": sign * down,
        "HALF_UP": sign * (down if abs(x) - down < 0.5 else away),
        "HALF_DOWN": sign * (down if abs(x) - down <= 0.5 else away),
    }.get(mode, round(x))


@given(
    x=st.integers(-80, 80).map(lambda n: n / 4),
    mode=st.sampled_from(sorted(ROUNDING_MODES)),
    bits=st.integers(2, 6),
    signed=st.booleans(),
    narrow=st.booleans(),
    zero=st.integers(-2, 2),
)
def test_quantise_follows_its_definition(x: float, mode: str, bits: int, signed: bool, narrow: bool, zero: int) -> None:
    form = IntegerFormat(bits, signed, narrow)
    array = np.array([x], dtype=np.float32)
    got = quantise(array, np.float32(0.5), np.float32(zero), form, mode.lower())  # type: ignore[arg-type]
    clipped = min(max(x / 0.5 + zero, form.minimum), form.maximum)
    assert got[0] == by_hand(clipped, mode)


@pytest.mark.parametrize(
    ("form", "name", "low", "high"),
    [
        (IntegerFormat(1, True, False), "BIPOLAR", -1, 1),
        (IntegerFormat(1, False, False), "BINARY", 0, 1),
        (IntegerFormat(2, True, True), "TERNARY", -1, 1),
        (IntegerFormat(2, True, False), "INT2", -2, 1),
        (IntegerFormat(4, False, True), "UINT4", 0, 14),
        (IntegerFormat(8, True, True), "INT8", -127, 127),
    ],
)
def test_integer_formats(form: IntegerFormat, name: str, low: int, high: int) -> None:
    assert (form.datatype().name, form.minimum, form.maximum) == (name, low, high)


def test_unknown_rounding_mode_is_named() -> None:
    with pytest.raises(ModelError, match="SIDEWAYS"):
        quantise(np.zeros(1), np.ones(1), np.zeros(1), IntegerFormat(2, True, False), "SIDEWAYS")


def test_count_thresholds_per_channel() -> None:
    x = np.array([[[0, 5]], [[2, 3]]], dtype=np.float32).reshape(2, 2, 1)
    counts = count_thresholds(x, np.array([[0, 1, 2], [4, 4, 9]], dtype=np.float32))
    assert counts.reshape(2, 2).tolist() == [[1, 2], [3, 0]]


@settings(deadline=None)
@given(
    steps=st.sampled_from([1, 2, 7, 255, 256, 300]),
    axis=st.sampled_from([1, -1]),
    shared=st.booleans(),
    shape=st.sampled_from([(3, 4), (2, 3, 2, 4), (0, 4, 2), (300, 4, 20)]),
    seed=st.integers(0, 9),
)
def test_count_thresholds_by_definition(steps: int, axis: int, shared: bool, shape: tuple[int, ...], seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(-9, 9, shape).astype(np.float32)
    if x.size:
        x[0] = np.nan if seed == 0 else np.inf
    channels = 1 if shared else shape[axis]
    thresholds = random.integers(-9, 9, (channels, steps)).astype(np.float32)
    rows = np.broadcast_to(thresholds, (shape[axis], steps)) if shared else thresholds
    values = np.moveaxis(x, axis, -1)
    expected = np.moveaxis((values[..., None] >= rows).sum(axis=-1), -1, axis)
    np.testing.assert_array_equal(count_thresholds(x, thresholds, axis), expected)


def run_op(op_type: str, arrays: list[np.ndarray], **attributes: object) -> np.ndarray:
    values = [ir.Value(name=f"i{index}") for index in range(len(arrays))]
    node = ir.node(op_type, values, attributes, domain=GENERAL_DOMAIN)  # type: ignore[arg-type]
    op = GENERAL_OPS.find(node)
    assert op is not None
    return op.execute(node, arrays)[0]


def test_xnor_popcount_counts_equal_bits() -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 2, (3, 7)), random.integers(0, 2, (7, 4))
    expected = (a[:, :, None] == b[None]).sum(axis=1)
    got = run_op("XnorPopcountMatMul", [a.astype(np.float32), b.astype(np.float32)])
    assert np.array_equal(got, expected)
