"""A sample's results in a batch are those of the sample alone, whatever is written into the graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from finnmake.errors import ModelError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import Array, Executor, execute_onnx
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder

Step = Callable[["Net"], None]


class Net:
    """A graph that grows op by op; knows the shape of what it has."""

    def __init__(self, seed: int, shape: list[int]) -> None:
        self.random = np.random.default_rng(seed)
        self.builder = GraphBuilder(shape)
        self.tensor, self.shape, self.input_shape = self.builder.input, shape, shape

    def apply(self, op: str, shape: list[int], *more: str, domain: str = "", **attributes: Any) -> None:
        self.tensor, self.shape = self.builder.node(op, [self.tensor, *more], domain, **attributes), shape

    def weights(self, *shape: int) -> str:
        return self.builder.constant(self.random.normal(0, 1, shape))

    def numbers(self, *values: int) -> str:
        return self.builder.constant(np.array(values, dtype=np.int64))


def conv(net: Net) -> None:
    _, c, h, w = net.shape
    net.apply("Conv", [1, 3, h, w], net.weights(3, c, 3, 3), pads=[1, 1, 1, 1])


def pool(net: Net) -> None:
    n, c, h, w = net.shape
    if h > 1 and w > 1:
        net.apply("MaxPool", [n, c, h - 1, w - 1], kernel_shape=[2, 2])


def quant(net: Net) -> None:
    net.tensor = net.builder.quant(net.tensor, 0.3, 3)


def thresholds(net: Net) -> None:
    steps = net.builder.constant(np.sort(net.random.normal(0, 1, (net.shape[1], 3)), axis=1))
    net.apply("MultiThreshold", net.shape, steps, domain=QONNX_DOMAIN, out_dtype="UINT2")


def channels_last(net: Net) -> None:
    n, c, h, w = net.shape
    net.apply("Transpose", [n, h, w, c], perm=[0, 2, 3, 1])


def weights_reshaped_from_constants(net: Net) -> None:
    """The first dimension of a constant's Reshape is 1 as well, and is no batch."""
    weights = net.builder.node("Reshape", [net.weights(net.shape[1]), net.numbers(1, net.shape[1], 1, 1)])
    net.apply("Mul", net.shape, weights)


def concatenated(net: Net) -> None:
    n, c, h, w = net.shape
    net.apply("Concat", [n, 2 * c, h, w], net.builder.node("Relu", [net.tensor]), axis=1)


def dynamic_flatten(net: Net) -> None:
    size = net.builder.node("Shape", [net.tensor])
    first = net.builder.node("Gather", [size, net.numbers(0)], axis=0)
    target = net.builder.node("Concat", [first, net.numbers(-1)], axis=0)
    net.apply("Reshape", [1, math.prod(net.shape)], target)


def reshaped(net: Net, *target: int) -> None:
    net.apply("Reshape", [1, math.prod(net.shape)], net.numbers(*target))


def mean(net: Net) -> None:
    """Of integers: in which order a reduction adds floats depends on the number of rows."""
    net.tensor = net.builder.quant(net.tensor, 1.0, 4)
    net.apply("ReduceMean", net.shape[:2], axes=[2, 3], keepdims=0)


def product(net: Net, op: str) -> None:
    net.apply(op, [*net.shape[:-1], 5], net.weights(net.shape[-1], 5))


IMAGE: dict[str, Step] = {
    "conv": conv,
    "relu": lambda net: net.apply("Relu", net.shape),
    "quant": quant,
    "thresholds": thresholds,
    "add": lambda net: net.apply("Add", net.shape, net.weights(net.shape[1], 1, 1)),
    "scale": weights_reshaped_from_constants,
    "pool": pool,
    "pad": lambda net: net.apply("Pad", [*net.shape[:3], net.shape[3] + 1], net.numbers(0, 0, 0, 1, 0, 0, 0, 0)),
    "concat": concatenated,
    "softmax": lambda net: net.apply("Softmax", net.shape, axis=1),
    "slice": lambda net: net.apply(
        "Slice", [*net.shape[:3], min(2, net.shape[3])], net.numbers(0), net.numbers(2), net.numbers(-1)
    ),
}
FLATTEN: dict[str, Step] = {
    "flatten": lambda net: net.apply("Flatten", [1, math.prod(net.shape)]),
    "reshape 1, -1": lambda net: reshaped(net, 1, -1),
    "reshape 1, n": lambda net: reshaped(net, 1, math.prod(net.shape)),
    "reshape -1, n": lambda net: reshaped(net, -1, math.prod(net.shape)),
    "reshape 0, -1": lambda net: reshaped(net, 0, -1),
    "by shape": dynamic_flatten,
    "mean": mean,
    "squeeze": lambda net: net.apply("Flatten", [1, math.prod(net.shape)], axis=-3),
}  # fmt: skip
VECTOR: dict[str, Step] = {
    "matmul": lambda net: product(net, "MatMul"),
    "gemm": lambda net: product(net, "Gemm"),
    "quant": quant,
    "relu": IMAGE["relu"],
    "add": lambda net: net.apply("Add", net.shape, net.weights(1, net.shape[1])),
}


@st.composite
def networks(draw: st.DrawFn) -> Net:
    net = Net(draw(st.integers(0, 9)), [1, draw(st.integers(1, 3)), 5, 6])
    for name in draw(st.lists(st.sampled_from(sorted(IMAGE)), max_size=4)):
        IMAGE[name](net)
    if draw(st.booleans()):
        channels_last(net)
    flatten = draw(st.sampled_from(sorted(FLATTEN)))
    FLATTEN[flatten](net)
    for name in draw(st.lists(st.sampled_from(sorted(VECTOR)), max_size=3)):
        VECTOR[name](net)
    return net


def run_both_ways(net: Net, batch: int) -> tuple[Array, Array, Executor]:
    executor = Executor(ModelWrapper(net.builder.model(net.tensor, net.shape)))
    x = np.random.default_rng(7).normal(0, 1, (batch, *net.input_shape[1:])).astype(np.float32)
    (whole,) = executor.run({net.builder.input: x}).values()
    single = [executor.run({net.builder.input: x[i : i + 1]}).popitem()[1] for i in range(batch)]
    return whole, np.concatenate(single), executor


@settings(deadline=None, max_examples=60)
@given(networks())
def test_batches_equal_single_samples(net: Net) -> None:
    whole, single, executor = run_both_ways(net, 4)
    np.testing.assert_array_equal(whole, single)
    assert executor.mixing is None, "runs at once"
    assert whole.shape == (4, *net.shape[1:])


def mixed(op: str, **attributes: Any) -> Net:
    net = Net(0, [1, 6])
    net.apply(op, [1, 6], **attributes)
    return net


@pytest.mark.parametrize(
    "net",
    [mixed("Softmax", axis=0), mixed("Transpose", perm=[1, 0]), mixed("Flatten", axis=0), mixed("Hardmax", axis=-2)],
    ids=["softmax", "transpose", "flatten", "unknown"],
)
def test_ops_that_mix_samples_see_one_at_a_time(net: Net) -> None:
    whole, single, executor = run_both_ways(net, 3)
    np.testing.assert_array_equal(whole, single)
    assert executor.mixing is not None
    model = ModelWrapper(net.builder.model(net.tensor, net.shape))
    with pytest.raises(ModelError, match="runs batches of 1 only"):
        execute_onnx(model, {net.builder.input: np.zeros((2, 6))}, return_full_exec_context=True)


def test_a_graph_written_for_a_batch_of_four() -> None:
    net = Net(0, [4, 6])
    net.apply("Reshape", [4, 2, 3], net.numbers(4, 2, 3))
    executor = Executor(ModelWrapper(net.builder.model(net.tensor, net.shape)))
    x = np.arange(54, dtype=np.float32).reshape(9, 6)
    np.testing.assert_array_equal(executor.run({"input": x}).popitem()[1], x.reshape(9, 2, 3))


@pytest.mark.parametrize("opset", range(9, 24))
def test_every_opset(opset: int) -> None:
    builder = GraphBuilder([1, 2, 4, 4], opset=opset)
    x = builder.node("Conv", [builder.input, builder.constant(np.ones((3, 2, 3, 3)))])
    x = builder.node("Relu", [builder.quant(x, 0.5, 4)])
    x = builder.node("Reshape", [x, builder.constant(np.array([1, 12]))])
    model = ModelWrapper(builder.model(builder.node("Softmax", [x], axis=1), [1, 12]))
    x_value = np.random.default_rng(0).random((3, 2, 4, 4), dtype=np.float32)
    (whole,) = execute_onnx(model, {"input": x_value}).values()
    for index in range(3):
        (single,) = execute_onnx(model, {"input": x_value[index : index + 1]}).values()
        np.testing.assert_array_equal(whole[index : index + 1], single)


def test_several_inputs_and_outputs_of_several_types() -> None:
    tensor = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Cast", ["bytes"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["wide", "doubles"], ["sum"]),
        helper.make_node("Gather", ["labels", "index"], ["second"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [
            tensor("bytes", TensorProto.UINT8, [1, 4]),
            tensor("doubles", TensorProto.DOUBLE, [1, 4]),
            tensor("labels", TensorProto.INT64, [1, 3]),
        ],
        [tensor("sum", TensorProto.DOUBLE, [1, 4]), tensor("second", TensorProto.INT64, [1])],
        [numpy_helper.from_array(np.array(1), "index")],
    )
    model = ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))
    values = np.array([[1, 2, 3, 255]] * 5)
    inputs = {"bytes": values, "doubles": values + 1e-12, "labels": np.arange(15).reshape(5, 3)}
    got = execute_onnx(model, inputs)
    assert got["sum"].dtype == np.float64
    np.testing.assert_array_equal(got["sum"], values + (values + 1e-12))
    np.testing.assert_array_equal(got["second"], [1, 4, 7, 10, 13])
    with pytest.raises(ModelError, match="different numbers of samples: bytes: 5, doubles: 5, labels: 2"):
        execute_onnx(model, {**inputs, "labels": inputs["labels"][:2]})


def test_inputs_that_are_no_batches_run_as_they_are() -> None:
    tensor = helper.make_tensor_value_info
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [node],
        "g",
        [tensor("x", TensorProto.FLOAT, [1, 4]), tensor("w", TensorProto.FLOAT, [4, 2])],
        [tensor("y", TensorProto.FLOAT, [1, 2])],
    )
    model = ModelWrapper(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8))
    got = execute_onnx(model, {"x": np.ones((3, 4)), "w": np.ones((4, 2))})["y"]
    np.testing.assert_array_equal(got, np.full((3, 2), 4))


def test_onnx_knows_no_op_that_the_list_makes_up() -> None:
    from finnmake.runtime import batching

    known = {schema.name for schema in onnx.defs.get_all_schemas()} | {"Swish", "Upsample"}
    listed = batching._ELEMENTWISE | batching._SAMPLES_FIRST | set(batching._AXES) | set(batching._CHECKS) - {"Reduce"}
    assert listed <= known
