"""The same network in every opset gives the same imported model, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from finnmake.errors import ModelError
from finnmake.frontend import import_model
from finnmake.frontend.input_quantisation import read_input_quantisation
from finnmake.frontend.validation import OLDEST_OPSET
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.general.opset import OPSET
from tests.support.qonnx_models import QONNX_DOMAIN, GraphBuilder

NEWEST = onnx.defs.onnx_opset_version()


class OpsetBuilder(GraphBuilder):
    """Writes ops in the form that an opset has."""

    def __init__(self, input_shape: list[int | str], opset: int) -> None:
        super().__init__(input_shape, opset=opset)
        self.opset = opset

    def either(self, op_type: str, x: str, since: int, **parameters: Any) -> str:
        """An op whose parameters are inputs since an opset, attributes before."""
        if self.opset < since:
            return self.node(op_type, [x], **parameters)
        return self.node(op_type, [x, *(self.constant(np.asarray(value)) for value in parameters.values())])


def network(opset: int) -> onnx.ModelProto:
    """A convolutional network with the ops whose form changed between opsets 9 and 18."""
    rng = np.random.default_rng(0)
    build = OpsetBuilder([1, 3, 8, 8], opset)
    x = build.either("Pad", build.input, 11, pads=[0, 0, 1, 1, 0, 0, 1, 1], value=np.float32(0))
    w = build.quant(build.constant(rng.normal(0, 1, (4, 3, 3, 3))), 0.25, 4, narrow=1)
    x = build.node("Conv", [x, w], kernel_shape=[3, 3])
    x = build.batch_norm(x, *(rng.uniform(0.5, 1, 4) for _ in range(4)))
    x = build.node("Dropout", [build.node("Identity", [x])])
    x = build.node("Cast", [build.either("Clip", x, 11, min=np.float32(-1), max=np.float32(3))], to=TensorProto.FLOAT)
    x = build.quant(x, 0.125, 4)
    x = build.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    scales = build.constant(np.array([1, 1, 2, 2], dtype=np.float32))
    if opset < 10:
        x = build.node("Upsample", [x, scales], mode="nearest")
    elif opset == 10:
        x = build.node("Resize", [x, scales], mode="nearest")
    else:
        roi = build.constant(np.zeros(0, dtype=np.float32)) if opset < 13 else ""
        modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        x = build.node("Resize", [x, roi, scales], mode="nearest", **modes)
    x = build.either("Slice", x, 10, starts=[1], ends=[7], axes=[2])
    x = build.either("Unsqueeze", build.either("ReduceMean", x, 18, axes=[2]), 13, axes=[3])
    x = build.node("Flatten", [build.either("Squeeze", x, 13, axes=[2, 3])])
    x = build.node("Softmax", [x], axis=1)
    return build.model(x, [1, 4 * 8])


def imported(source: onnx.ModelProto, folder: Path) -> bytes:
    import_model(source).save(folder / "graph.onnx")
    return (folder / "graph.onnx").read_bytes()


@pytest.mark.parametrize("opset", range(OLDEST_OPSET, NEWEST + 1))
def test_every_opset(opset: int, tmp_path: Path) -> None:
    source = network(opset)
    onnx.checker.check_model(source)
    model = import_model(source)
    assert model.model.opset_imports[""] == OPSET
    pixels = np.random.default_rng(1).integers(0, 256, (9, 3, 8, 8))
    floats = read_input_quantisation(model).to_floats(pixels)
    got = execute_onnx(model, {"global_in": pixels})["global_out"]
    original = execute_onnx(ModelWrapper(source), {"input": floats})
    assert np.array_equal(got, next(iter(original.values())))
    assert imported(source, tmp_path / "a") == imported(network(13), tmp_path / "b")


def test_an_opset_that_is_too_new_or_too_old() -> None:
    for opset in (OLDEST_OPSET - 1, NEWEST + 1):
        source = network(13)
        source.opset_import[0].version = opset
        with pytest.raises(ModelError, match=f"is opset {opset}, finnmake reads 9 to {NEWEST}") as caught:
            import_model(source)
        assert caught.value.remedy


def test_ir_versions() -> None:
    # onnxruntime reads no model of the newest IR version; finnmake does.
    for version in (3, 8, onnx.IR_VERSION):
        source = network(13)
        source.ir_version = version
        assert import_model(source).model.ir_version == 10
    source.ir_version = onnx.IR_VERSION + 1
    with pytest.raises(ModelError, match="IR version"):
        import_model(source)


@pytest.mark.parametrize(
    ("domain", "version"), [("onnx.brevitas", 1), (QONNX_DOMAIN, 1), (QONNX_DOMAIN, 2), ("finn", 1)]
)
def test_domains_of_quantisers(domain: str, version: int, tmp_path: Path) -> None:
    source = network(13)
    for node in source.graph.node:
        node.domain = domain if node.domain else ""
    del source.opset_import[:]
    source.opset_import.extend([helper.make_opsetid("", 13), helper.make_opsetid(domain, version)])
    assert imported(source, tmp_path / "a") == imported(network(13), tmp_path / "b")


def test_a_version_of_qonnx_that_is_too_new() -> None:
    source = network(13)
    source.opset_import[1].version = 3
    with pytest.raises(ModelError, match="version 3 of the domain"):
        import_model(source)


def test_ops_that_are_only_in_newer_opsets_stay() -> None:
    build = GraphBuilder([1, 1, 2, 8], opset=23)
    x = build.node("RMSNormalization", [build.input, build.constant(np.ones(8))])
    model = import_model(build.model(x, [1, 1, 2, 8]))
    assert model.model.opset_imports[""] == 23


def test_average_pool_keeps_its_rounding() -> None:
    for opset, expected in ((11, 18), (18, 18), (19, 19), (22, 21)):
        build = GraphBuilder([1, 3, 7, 7], opset=opset)
        pooled = build.node("AveragePool", [build.input], kernel_shape=[3, 3])
        source = build.model(pooled, [1, 3, 5, 5])
        model = import_model(source)
        assert model.model.opset_imports[""] == expected
        pixels = np.random.default_rng(1).integers(0, 256, (50, 3, 7, 7))
        floats = read_input_quantisation(model).to_floats(pixels)
        expected_floats = next(iter(execute_onnx(ModelWrapper(source), {"input": floats}).values()))
        assert np.array_equal(execute_onnx(model, {"global_in": pixels})["global_out"], expected_floats)


def test_softmax_over_several_dimensions_is_refused() -> None:
    build = GraphBuilder([1, 3, 4, 4], opset=11)
    with pytest.raises(ModelError, match="over all dimensions"):
        import_model(build.model(build.node("Softmax", [build.input]), [1, 3, 4, 4]))


def test_weights_as_nodes_and_initialisers_as_inputs(tmp_path: Path) -> None:
    plain, listed, nodes = network(13), network(13), network(13)
    for tensor in listed.graph.initializer:
        listed.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    constants = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in nodes.graph.initializer]
    del nodes.graph.initializer[:]
    for constant in constants:
        nodes.graph.node.insert(0, constant)
    expected = imported(plain, tmp_path / "plain")
    assert imported(listed, tmp_path / "listed") == expected
    assert imported(nodes, tmp_path / "nodes") == expected
