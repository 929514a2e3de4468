"""AbsorbSignBiasIntoMultiThreshold: a number added to the levels is their out_bias."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.editing import replace_value
from finnmake.graph.model_wrapper import get_constant, set_datatype
from finnmake.transformation.affine import FLOAT32, Affine, affine, sole_user, whole
from finnmake.transformation.local_rewrite import LocalRewrite
from finnmake.transformation.threshold_search import is_multi_threshold


@dataclass(frozen=True)
class _Biased:
    node: ir.Node
    steps: int
    operand: Affine


class AbsorbSignBiasIntoMultiThreshold(LocalRewrite[_Biased]):
    """Absorbs an Add of one number behind a MultiThreshold into its ``out_bias``, and finds its datatype again.

    Exporters write signed activations as unsigned levels and an Add.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit where the levels are multiples of one power of two (integers), else
    to float32 rounding; ``out_dtype`` is the smallest type of the levels, FLOAT32 where they are no integers. Ends as
    each rewrite takes an Add away.
    """

    def match(self, node: ir.Node) -> _Biased | None:
        """A MultiThreshold with an Add as its only user."""
        thresholds = get_constant(node.inputs[1]) if is_multi_threshold(node) else None
        operand = affine(sole_user(node.outputs[0]), "Add") if thresholds is not None else None
        if thresholds is None or operand is None or not operand.is_scalar or not np.isfinite(operand.array).all():
            return None
        return _Biased(node, thresholds.shape[-1], operand)

    def replace(self, graph: ir.Graph, match: _Biased) -> Iterable[ir.Node]:
        """Removes the Add."""
        node, operand = match.node, match.operand
        scale = np.float32(attribute(node, "out_scale", 1.0))
        bias = np.float32(attribute(node, "out_bias", 0.0)) + np.float32(operand.array.reshape(()))
        levels = np.arange(match.steps + 1, dtype=np.float32) * scale + bias
        datatype = _datatype_of(levels)
        node.attributes.add(ir.AttrFloat32("out_bias", float(bias)))
        node.attributes.add(ir.AttrString("out_dtype", datatype.name))
        set_datatype(node.outputs[0], datatype)
        replace_value(operand.output, node.outputs[0])
        graph.remove(operand.node, safe=True)
        return [node]


def _datatype_of(levels: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> AnyDataType:
    if not whole(levels):
        return FLOAT32
    if DataType["BIPOLAR"].allowed_array(levels):
        return DataType["BIPOLAR"]
    return DataType.smallest_for_range(int(levels.min()), int(levels.max()))
