"""ModelWrapper: FINN's questions, files named by content, and bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from finnmake.errors import ModelError
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper
from tests.support.networks import Mlp


@pytest.fixture
def model() -> ModelWrapper:
    return ModelWrapper(Mlp((64, 16, 4)).model())


def external_model(location: str, length: int = 8192) -> onnx.ModelProto:
    """A model with one external tensor of 2048 floats."""
    tensor = numpy_helper.from_array(np.ones((2, 1024), dtype=np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1024])],
        [tensor],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])


def test_producers_and_consumers(model: ModelWrapper) -> None:
    producer = model.find_producer("acc0")
    assert producer is not None
    assert producer.op_type == "MatMul"
    assert [node.op_type for node in model.find_consumers("acc0")] == ["BatchNormalization"]
    assert model.find_consumer("acc0") is model.find_consumers("acc0")[0]
    assert model.find_producer("w0") is None
    assert [node.op_type for node in model.find_direct_successors(producer)] == ["BatchNormalization"]
    assert model.get_tensor_shape("image") == (1, 1, 1, 64)
    with pytest.raises(ModelError, match="nobody"):
        model.find_producer("nobody")


def test_annotations_survive_saving_and_are_not_shared_with_copies(model: ModelWrapper, tmp_path: Path) -> None:
    model.set_tensor_datatype("acc0", DataType["INT11"])
    model.set_tensor_datatype("w0", DataType["INT4"])
    copy = model.copy()
    copy.set_tensor_datatype("acc0", DataType["INT5"])
    model.set_metadata_prop("key", "value")
    model.save(tmp_path / "graph.onnx")
    again = ModelWrapper(tmp_path / "graph.onnx")
    assert again.get_tensor_datatype("acc0") == DataType["INT11"]
    assert again.get_tensor_datatype("w0") == DataType["INT4"]
    assert again.get_tensor_datatype("acc1") == DataType["FLOAT32"]
    assert again.get_metadata_prop("key") == "value"
    assert copy.get_tensor_datatype("acc0") == DataType["INT5"]


def test_large_tensors_are_files_named_by_their_bytes(model: ModelWrapper, tmp_path: Path) -> None:
    model.save(tmp_path / "a" / "graph.onnx")
    again = ModelWrapper(tmp_path / "a" / "graph.onnx")
    again.save(tmp_path / "b" / "graph.onnx")
    for name in ("graph.onnx", *(f"tensors/{path.name}" for path in (tmp_path / "a" / "tensors").iterdir())):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert len(list((tmp_path / "b" / "tensors").iterdir())) == 1  # 64 x 16 floats; the others are small
    np.testing.assert_array_equal(again.get_initializer("w0"), model.get_initializer("w0"))
    onnx.load(str(tmp_path / "b" / "graph.onnx"))  # readable by others


@pytest.mark.parametrize("keep", [0, 1, 10, 200, 1000])
def test_truncated_files_are_refused(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(Mlp().model().SerializeToString()[:keep])
    with pytest.raises(ModelError, match="truncated"):
        ModelWrapper(path)


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("PK not a model at all")
    with pytest.raises(ModelError, match=r"model\.onnx.*not an ONNX model"):
        ModelWrapper(path)
    with pytest.raises(ModelError, match="cannot be read"):
        ModelWrapper(tmp_path / "absent.onnx")


def test_external_data(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = folder / "model.onnx"
    path.write_bytes(external_model("model.onnx.data").SerializeToString())
    with pytest.raises(ModelError, match=r"tensor w: .*model\.onnx\.data.*missing"):
        ModelWrapper(path)
    (folder / "model.onnx.data").write_bytes(b"\0" * 100)
    with pytest.raises(ModelError, match="8192 bytes"):
        ModelWrapper(path)
    (folder / "model.onnx.data").write_bytes(np.arange(2048, dtype="<f4").tobytes())
    array = ModelWrapper(path).get_initializer("w")
    assert array is not None
    assert array[1, 1] == 1025


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/../../secret"])
def test_external_data_stays_in_the_models_folder(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"\0" * 8192)
    (folder / "model.onnx").write_bytes(external_model(location).SerializeToString())
    with pytest.raises(ModelError, match="outside"):
        ModelWrapper(folder / "model.onnx")
