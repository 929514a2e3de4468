"""Import of a QONNX model: checked, normalised, with integer input, named by position."""

from __future__ import annotations

import os

import onnx
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.frontend.consistency import check_consistency
from finnmake.frontend.integer_input import quantise_input
from finnmake.frontend.validation import check_outputs, check_parameters, declared_shapes, fix_batch, validate
from finnmake.graph.custom_op import CustomOps
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.naming import name_by_position
from finnmake.graph.registry import REGISTERED_OPS
from finnmake.transformation.general.normalise import normalise


def import_model(
    source: str | os.PathLike[str] | onnx.ModelProto | ir.Model | ModelWrapper,
    *,
    input_datatype: str | None = None,
    input_scale: str | float | None = None,
    custom_ops: CustomOps = REGISTERED_OPS,
) -> ModelWrapper:
    """A model as an exporter wrote it, made ready for transformations.

    The result's input takes integers. Its nodes and tensors are named by position: a model with other names gives the
    same result.

    Args:
        source: path or model; a model in memory is not changed.
        input_datatype: of the input's integers; see ``quantise_input`` for what happens without it.
        input_scale: what one step of the input is worth, a number or "1/255".
        custom_ops: the custom ops that may occur; those of installed packages are known without it.

    Raises:
        ModelError: where the model cannot be used; says the node or tensor, the reason and the remedy.
    """
    where = os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""
    try:
        loaded = source if isinstance(source, ModelWrapper) else ModelWrapper(source)
        model = loaded.copy() if isinstance(source, (ModelWrapper, ir.Model)) else loaded
        validate(model, custom_ops)
        fix_batch(model)
        declared = declared_shapes(model.graph.outputs)
        normalise(model, custom_ops)
        check_outputs(model.graph.outputs, declared)
        check_parameters(model.graph)
        check_consistency(model.graph)
        model.model.metadata_props.clear()
        quantise_input(model, input_datatype, input_scale)
    except ModelError as problem:
        if not where or problem.where.startswith(where):
            raise
        place = f"{where}: {problem.where}" if problem.where else where
        raise ModelError(problem.what, where=place, remedy=problem.remedy) from None
    _strip_spellings(model)
    name_by_position(model)
    return model


def _strip_spellings(model: ModelWrapper) -> None:
    """Removes what exporters write beside the network: remarks, their own metadata."""
    model.model.ir_version = 10
    model.model.domain, model.model.model_version = None, None
    model.graph.doc_string = None
    model.graph.metadata_props.clear()
    for node in model.graph:
        node.doc_string = None
        node.metadata_props.clear()
        for value in node.outputs:
            value.doc_string = None
            value.metadata_props.clear()
    for value in [*model.graph.inputs, *model.graph.initializers.values()]:
        value.doc_string = None
        value.metadata_props.clear()
        if value.const_value is not None and value.const_value.dtype != ir.DataType.STRING:
            # One encoding: exporters write the same numbers as raw bytes or as lists.
            value.const_value = ir.Tensor(value.const_value.numpy(), name=value.name)
