"""Add of two branches as ElementwiseAdd."""

from __future__ import annotations

from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper, get_constant, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite
from finnmake.transformation.to_hls.hardware import replace_by_hardware, vectors_per_frame

_MOST_BITS = 31
"""Of an operand of the layer."""


class InferAddStreamsLayer(Rewrite):
    """Makes every Add of two streams of integers of one shape an ElementwiseAdd; their datatypes may differ.

    Precondition: channels are innermost (``LowerToChannelsLast``).
    Postcondition: same outputs; PE is 1. The output's datatype holds every sum of the inputs' datatypes.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("Add"):
            left, right = node.inputs
            if left is None or right is None or get_constant(left) is not None or get_constant(right) is not None:
                continue
            shape, datatypes = get_shape(left), (get_datatype(left), get_datatype(right))
            if not shape or len(shape) < 2 or shape[0] != 1 or shape != get_shape(right):
                continue
            if not all(datatype.is_integer() and datatype.bitwidth() <= _MOST_BITS for datatype in datatypes):
                continue
            low, high = (int(sum(bound)) for bound in zip(*((d.min(), d.max()) for d in datatypes), strict=True))
            annotated = get_datatype(node.outputs[0])
            fits = annotated.is_integer() and annotated.min() <= low and high <= annotated.max()
            output = annotated if fits else DataType.smallest_for_range(low, high)
            structure: dict[str, int | str | bool] = {
                "NumChannels": shape[-1],
                "PE": 1,
                "lhs_dtype": datatypes[0].name,
                "rhs_dtype": datatypes[1].name,
                "out_dtype": output.name,
                "rhs_style": "input",
                "numInputVectors": vectors_per_frame(shape),
            }
            replace_by_hardware([node], "ElementwiseAdd", [left, right], structure, output)
        name_by_position(model)
