"""Quantisers of more than 8 bits become fixed point that gives the model's integers, for every input there is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from finnmake.errors import ModelError
from finnmake.frontend import import_model
from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import DataType
from finnmake.graph.fixed_point import rounded_product
from finnmake.runtime.batch import output_integers
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from finnmake.transformation.streamline.fixed_point_search import NoFixedPointError, fixed_point
from finnmake.transformation.streamline.streamline import Streamline
from finnmake.transformation.streamline.threshold_extraction import Thresholds
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder
from tests.support.streamlining import integer_ops, streamlined

MULTIPLIERS, BIASES = np.arange(-20, 21)[:, None, None], np.arange(-40, 41)[:, None]
MODES = ("ROUND", "FLOOR", "CEIL", "HALF_EVEN", "HALF_UP")


def network(channels: int, numbers: Any, quantiser: dict[str, Any], activation: str) -> tuple[GraphBuilder, str]:
    """x · scale + bias, an activation, a quantiser."""
    builder = GraphBuilder([1, channels])
    x = builder.node("Mul", [builder.input, builder.constant(numbers.uniform(0.3, 1.7, channels))])
    x = builder.node("Add", [x, builder.constant(numbers.uniform(-3, 3, channels))])
    x = builder.node(activation, [x]) if activation else x
    return builder, builder.quant(x, **quantiser)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    datatype=st.sampled_from(["INT4", "UINT7", "INT9", "UINT12", "INT13"]),
    bits=st.integers(9, 16),
    reach=st.floats(0.3, 3),
    signed=st.integers(0, 1),
    narrow=st.integers(0, 1),
    zero=st.sampled_from([0.0, 0.0, 3.0]),
    mode=st.sampled_from(MODES),
    activation=st.sampled_from(["", "Relu", "Neg"]),
    power=st.booleans(),
)
def test_every_input_gives_the_integer_of_the_model(
    seed: int,
    datatype: str,
    bits: int,
    reach: float,
    signed: int,
    narrow: int,
    zero: float,
    mode: str,
    activation: str,
    power: bool,
) -> None:
    kind = DataType[datatype]
    scale = np.float32(reach * 2.0 ** (kind.bitwidth() - bits))
    scale = np.float32(2.0 ** np.round(np.log2(scale))) if power else scale
    quantiser = {"scale": scale, "bits": bits, "signed": signed, "narrow": narrow, "zero": zero, "mode": mode}
    builder, output = network(3, np.random.default_rng(seed), quantiser, activation)
    model = import_model(builder.model(output, [1, 3]), input_datatype=datatype, input_scale=1)
    try:
        layers = model
        for name, arguments in AUTOMATIC_FLOW:
            layers = layers.transform(make_transformation(name, arguments)) if name != "InsertTopK" else layers
    except ModelError as problem:
        # Float32 rounds the model's own products; where it does so between integers, no line gives them.
        if "no multiplier, bias and shift" not in problem.text:
            raise
        reject()
    assert layers.nodes[0].op_type == "Requant"
    values = np.arange(int(kind.min()), int(kind.max()) + 1).repeat(3).reshape(-1, 3)
    expected = output_integers(layers, execute_onnx(model, {"global_in": values})["global_out"])
    np.testing.assert_array_equal(execute_onnx(layers, {"global_in": values})["global_out"], expected)


def test_most_random_scales_have_a_fixed_point() -> None:
    found = 0
    for seed in range(20):
        builder, output = network(2, np.random.default_rng(seed), {"scale": 0.1 + seed / 99, "bits": 10}, "")
        model = import_model(builder.model(output, [1, 2]), input_datatype="INT10", input_scale=1)
        found += any(node.op_type == "Requant" for node in model.transform(Streamline()).nodes)
    assert found == 20


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(st.integers(-6, 7), min_size=3, max_size=3).map(sorted),
    falling=st.booleans(),
    minimum=st.sampled_from([-2, 0]),
)
def test_what_is_not_found_is_not_there(steps: list[int], falling: bool, minimum: int) -> None:
    low, high, output = -6, 6, DataType["INT2" if minimum < 0 else "UINT2"]
    thresholds = Thresholds(np.array([steps]), np.array([falling]), np.zeros((1, 3), dtype=bool))
    q = np.arange(low, high + 1)
    y = minimum + (np.array(steps)[:, None] <= (-q if falling else q)).sum(axis=0)
    best: dict[str, int] = {}
    for rounding, shift in itertools.product(("FLOOR", "HALF_EVEN"), reversed(range(4))):
        results = rounded_product(q, MULTIPLIERS, BIASES, shift, rounding)
        if (np.clip(results, int(output.min()), int(output.max())) == y).all(axis=-1).any():
            best[rounding] = shift
    try:
        found = fixed_point(thresholds, low, high, minimum, output)
    except NoFixedPointError:
        assert not best
        return
    results = rounded_product(q, found.multipliers, found.biases, found.shift, found.rounding)
    np.testing.assert_array_equal(np.clip(results, int(output.min()), int(output.max())), y)
    assert found.shift <= best.get(found.rounding, found.shift)


def test_ties_to_even_are_found() -> None:
    builder = GraphBuilder([1, 2])
    output = builder.quant(builder.node("Mul", [builder.input, builder.constant([0.5, 1.5])]), 1.0, 9)
    (node,) = [node for node in streamlined(builder, output, [1, 2], "INT7").nodes if node.op_type == "Requant"]
    assert (attribute(node, "rounding"), attribute(node, "shift")) == ("HALF_EVEN", 1)


def test_a_narrow_range_and_a_zero_point_are_an_addition_behind() -> None:
    builder = GraphBuilder([1, 2])
    output = builder.quant(builder.node("Mul", [builder.input, builder.constant(4.0)]), 1.0, 9, signed=0, zero=200.0)
    assert integer_ops(streamlined(builder, output, [1, 2], "INT8")) == ["Requant", "Add"]


def test_a_quantiser_that_changes_nothing_is_no_layer() -> None:
    builder = GraphBuilder([1, 2])
    same = builder.quant(builder.input, 1.0, 12)
    truncated = builder.node("Trunc", [same, *map(builder.constant, (1.0, 0.0, 12.0, 10.0))], QONNX_DOMAIN)
    assert integer_ops(streamlined(builder, truncated, [1, 2], "INT12")) == ["Requant"]


def test_integers_of_onnx_with_a_zero_point() -> None:
    builder = GraphBuilder([1, 3], opset=21)
    parameters = [builder.constant(0.05), builder.constant(np.array(7, dtype=np.int16))]
    scaled = builder.node("Mul", [builder.input, builder.constant(0.37)])
    integers = builder.node("QuantizeLinear", [scaled, *parameters])
    output = builder.node("DequantizeLinear", [integers, *parameters])
    assert integer_ops(streamlined(builder, output, [1, 3], "INT12"))[0] == "Requant"


def test_a_quantiser_behind_takes_its_integers() -> None:
    builder = GraphBuilder([1, 4])
    wide = builder.quant(builder.node("Mul", [builder.input, builder.constant(0.3)]), 0.01, 12)
    narrow = builder.quant(builder.node("Relu", [wide]), 0.2, 3, signed=0)
    assert integer_ops(streamlined(builder, narrow, [1, 4], "INT7")) == ["Requant", "MultiThreshold"]


@pytest.mark.parametrize(
    ("activation", "bits", "reason"),
    [
        ("Sigmoid", 9, "512 levels, too many for thresholds, and what is before it is no multiplication"),
        ("", 17, "131072 levels, too many for thresholds, and more than the 65536"),
    ],
)
def test_left_in_floats_with_the_reason(activation: str, bits: int, reason: str) -> None:
    builder, output = network(2, np.random.default_rng(0), {"scale": 0.01, "bits": bits}, activation)
    model = import_model(builder.model(output, [1, 2]), input_datatype="INT7", input_scale=1).transform(Streamline())
    (node,) = [node for node in model.nodes if node.op_type == "Quant"]
    assert reason in node.metadata_props["finnmake.reason"]


def test_what_no_line_goes_through_is_refused_with_its_points() -> None:
    builder, output = network(1, np.random.default_rng(1), {"scale": 0.87654321, "bits": 16}, "")
    model = import_model(builder.model(output, [1, 1]), input_datatype="INT18", input_scale=1)
    with pytest.raises(ModelError, match=r"node Quant_0.*no multiplier, bias and shift.*channel 0: -?\d+ gives") as it:
        model.transform(Streamline())
    assert "8 bits or fewer" in it.value.remedy
