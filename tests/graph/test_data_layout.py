"""Layouts are kept with their tensors, through files and clones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finnmake.graph.data_layout import NC, NCHW, NHWC, NWC, UNKNOWN, Layout, is_channels_last
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper
from tests.support.qonnx_models import GraphBuilder


def model() -> ModelWrapper:
    builder = GraphBuilder([1, 3, 4, 4])
    output = builder.node("Relu", [builder.node("Mul", [builder.input, builder.constant(np.float32(2))])])
    return ModelWrapper(builder.model(output, [1, 3, 4, 4]))


@pytest.mark.parametrize("layout", [NCHW, NHWC, NC, UNKNOWN, ("N", "C", "x")])
def test_layouts_survive_files_and_stand_beside_datatypes(layout: Layout, tmp_path: Path) -> None:
    wrapper = model()
    middle = str(wrapper.nodes[0].outputs[0].name)
    assert wrapper.get_tensor_layout(middle) is None
    wrapper.set_tensor_datatype(middle, DataType["INT4"])
    wrapper.set_tensor_layout(middle, list(layout))
    wrapper.save(tmp_path / "model.onnx")
    for other in (wrapper, wrapper.copy(), ModelWrapper(tmp_path / "model.onnx")):
        assert other.get_tensor_layout(middle) == layout
        assert other.get_tensor_datatype(middle) == DataType["INT4"]


def test_layouts_are_written_as_qonnx_writes_them() -> None:
    wrapper = model()
    wrapper.set_tensor_layout("input", NCHW)
    (annotation,) = wrapper.to_proto().graph.quantization_annotation
    assert annotation.tensor_name == "input"
    (entry,) = annotation.quant_parameter_tensor_names
    assert (entry.key, entry.value) == ("tensor_layout", "['N', 'C', 'H', 'W']")


def test_channels_last() -> None:
    assert [is_channels_last(layout) for layout in (NHWC, NWC, NC, NCHW, UNKNOWN)] == [True, True, True, False, False]
