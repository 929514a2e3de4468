"""MinimizeWeightBitWidth: weights as wide as their values need."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.dataflow.layer import IntegerArray
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.model_wrapper import ModelWrapper, set_datatype
from finnmake.transformation.base import Rewrite


class MinimizeWeightBitWidth(Rewrite):
    """Gives the weights of every matrix layer the smallest datatype that holds them; BIPOLAR where all are -1 or +1.

    A datatype of as many bits as the weights need stays as it is. Weights of XNOR layers are 1 bit wide already.

    The datatypes depend on the weights' values: a retrained network may get other cores.

    Precondition: hardware layers with parameters.
    Postcondition: same outputs, bit for bit. Accumulators keep their datatype: see ``MinimizeAccumulatorWidth``.

    Raises:
        ModelError: a layer whose attributes or parameters are not legal.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.graph:
            layer = layer_from_node(node) if is_hardware(node) else None
            if not isinstance(layer, MatrixVectorActivation) or layer.binaryXnorMode:
                continue
            datatype = _smallest(layer.parameters["weights"])
            if datatype.bitwidth() < DataType[layer.weightDataType].bitwidth():
                node.attributes.add(ir.AttrString("weightDataType", datatype.name))
                if node.inputs[1] is not None:
                    set_datatype(node.inputs[1], datatype)


def _smallest(weights: IntegerArray) -> AnyDataType:
    if (abs(weights) == 1).all():
        return DataType["BIPOLAR"]
    return DataType.smallest_for_range(int(weights.min()), int(weights.max()))
