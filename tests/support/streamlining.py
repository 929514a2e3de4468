"""Streamlines a small model and compares it with what it was made from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finnmake.frontend import import_model
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.streamline.streamline import Streamline
from tests.support.qonnx_models import GraphBuilder


def streamlined(builder: GraphBuilder, output: str, shape: Sequence[int], datatype: str = "INT4") -> ModelWrapper:
    """The streamlined model; all its tensors hold their datatypes, and its outputs are the model's, bit for bit."""
    model = import_model(builder.model(output, shape), input_datatype=datatype, input_scale=1)
    result = model.transform(Streamline())
    source = model.graph.inputs[0]
    kind = model.get_tensor_datatype(source)
    random = np.random.default_rng(0)
    values = random.integers(int(kind.min()), int(kind.max()) + 1, (20, *(get_shape(source) or ())[1:]))
    values[0], values[1] = int(kind.min()), int(kind.max())
    expected = execute_onnx(model, {"global_in": values})["global_out"]
    context = execute_onnx(result, {"global_in": values}, return_full_exec_context=True)
    assert np.array_equal(context["global_out"], expected)
    assert len(np.unique(expected)) > 1, "the model gives one number whatever its input is"
    for name, array in context.items():
        assert result.get_tensor_datatype(name).allowed_array(array), (name, result.get_tensor_datatype(name))
    return result


def integer_ops(model: ModelWrapper) -> list[str]:
    """The op types of the nodes that give integers, in their order; the scale of the output is none of them."""
    return [node.op_type for node in model.nodes if get_datatype(node.outputs[0]).is_integer()]
