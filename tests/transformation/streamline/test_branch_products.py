"""Products of two branches, and sums that broadcast, give the model's integers, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.errors import ModelError
from finnmake.frontend import import_model
from finnmake.runtime.exact_sums import run_with_exact_sums
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.streamline.integer_graph import REASON_KEY
from finnmake.transformation.streamline.streamline import Streamline
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder
from tests.support.streamlining import integer_ops, streamlined

SHAPE = (1, 4, 3, 5)


def gate(builder: GraphBuilder, x: str, scale: float = 2.0**-3, **attributes: Any) -> str:
    """A quantised sigmoid: unsigned."""
    return builder.quant(builder.node("Sigmoid", [x]), scale, 3, signed=0, **attributes)


def scaled(builder: GraphBuilder, exact: bool, random: Any) -> Any:
    powers = 2.0 ** random.integers(-3, 1, 4).reshape(1, 4, 1, 1)
    return powers if exact else np.float32(powers * random.uniform(1, 2, powers.shape))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    op_type=st.sampled_from(["Mul", "Mul", "Add", "Sub"]),
    axes=st.sampled_from([(), (2,), (2, 3), (1,), (1, 2, 3)]),
    swapped=st.booleans(),
    per_channel=st.booleans(),
    bits=st.integers(2, 4),
)
def test_a_product_of_two_branches(
    seed: int, op_type: str, axes: tuple[int, ...], swapped: bool, per_channel: bool, bits: int
) -> None:
    random, builder = np.random.default_rng(seed), GraphBuilder(SHAPE)
    scale: Any = scaled(builder, True, random) if per_channel and op_type == "Mul" else 0.5
    x = builder.quant(builder.input, scale, bits, signed=int(random.integers(0, 2)))
    y = builder.input
    for axis in axes:
        limits = [builder.constant(np.array([number])) for number in (0, 1, axis)]
        y = builder.node("Slice", [y, *limits])
    y = gate(builder, y, 0.125) if op_type == "Mul" else builder.quant(y, 0.25, 4)
    z = builder.node(op_type, [y, x] if swapped else [x, y])
    model = streamlined(builder, builder.quant(z, 0.25, 4), SHAPE)
    expected = {"Mul": "Mul", "Add": "Add", "Sub": "Add"}[op_type]
    assert integer_ops(model)[-2:] == [expected, "MultiThreshold"]


def test_scales_that_are_no_powers_of_two_give_what_exact_products_give() -> None:
    builder = GraphBuilder(SHAPE)
    scale = np.array([0.3, 0.17, 0.41, 0.09]).reshape(1, 4, 1, 1)
    product = builder.node("Mul", [builder.quant(builder.input, scale, 4), gate(builder, builder.input, 0.0713)])
    model = import_model(builder.model(builder.quant(product, 0.0377, 5), SHAPE), input_datatype="INT5", input_scale=1)
    values = np.random.default_rng(0).integers(-16, 16, (40, *SHAPE[1:]))
    expected = run_with_exact_sums(model, values.reshape(40, -1))
    actual = execute_onnx(model.transform(Streamline()), {"global_in": values})["global_out"]
    np.testing.assert_array_equal(actual, expected)


def test_a_branch_of_signs_and_one_with_an_offset() -> None:
    builder = GraphBuilder(SHAPE)
    signs = builder.node("BipolarQuant", [builder.input, builder.constant(0.5)], QONNX_DOMAIN)
    shifted = builder.node("Add", [builder.quant(builder.input, 0.5, 3), builder.constant(1.5)])
    product = builder.node("Mul", [signs, shifted])
    assert integer_ops(streamlined(builder, product, SHAPE))[-2:] == ["Add", "Mul"]


def test_an_offset_between_two_steps_is_left_in_floats() -> None:
    builder = GraphBuilder(SHAPE)
    shifted = builder.node("Add", [builder.quant(builder.input, 0.5, 3), builder.constant(0.2)])
    product = builder.node("Mul", [gate(builder, builder.input), shifted])
    model = import_model(builder.model(product, SHAPE), input_datatype="INT4", input_scale=1).transform(Streamline())
    (reason,) = [node.metadata_props[REASON_KEY] for node in model.nodes if REASON_KEY in node.metadata_props]
    assert "whose 0 is no whole number of its steps" in reason


def test_products_beyond_24_bits_are_refused() -> None:
    builder = GraphBuilder(SHAPE)
    branches = [builder.quant(builder.node("Mul", [builder.input, builder.constant(s)]), s, 14) for s in (1.0, 0.5)]
    model = builder.model(builder.node("Mul", branches), SHAPE)
    with pytest.raises(ModelError, match=r"node Mul_\d \(Mul\).*products range from -\d+ to \d+, beyond 24 bits"):
        import_model(model, input_datatype="INT14", input_scale=1).transform(Streamline())
