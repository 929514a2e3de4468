"""Streamlined random networks of images give the integers of the network, bit for bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.graph.model_wrapper import get_datatype
from finnmake.runtime.exact_sums import run_with_exact_sums
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.streamline.streamline import Streamline
from tests.support.quantised_networks import QuantisedNetwork


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), products=st.booleans())
def test_power_of_two_scales_leave_the_outputs_bit_identical(seed: int, products: bool) -> None:
    network = QuantisedNetwork(seed, exact=True, products=products)
    model = network.model()
    result = model.transform(Streamline())
    values = network.values(model)
    expected = execute_onnx(model, {"global_in": values})["global_out"]
    context = execute_onnx(result, {"global_in": values}, return_full_exec_context=True)
    assert np.array_equal(context["global_out"], expected)
    for name, array in context.items():
        datatype = result.get_tensor_datatype(name)
        assert datatype.allowed_array(array), (name, datatype)
    floats = [node for node in result.nodes if not get_datatype(node.outputs[0]).is_integer()]
    assert [node.op_type for node in floats] in ([], ["Mul"], ["Mul", "Add"], ["Add"])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), products=st.booleans())
def test_other_scales_give_what_exact_sums_give(seed: int, products: bool) -> None:
    network = QuantisedNetwork(seed, exact=False, products=products)
    model = network.model()
    result = model.transform(Streamline())
    values = network.values(model)
    expected = run_with_exact_sums(model, values.reshape(len(values), -1))
    assert np.array_equal(execute_onnx(result, {"global_in": values})["global_out"], expected)
