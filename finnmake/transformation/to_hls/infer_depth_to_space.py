"""DepthToSpace of integers as the layer of the same name."""

from __future__ import annotations

from finnmake.graph.custom_op import attribute
from finnmake.graph.editing import remove_unused_nodes
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape
from finnmake.graph.naming import name_by_position
from finnmake.graph.standard_ops import is_standard
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import insert_hardware
from finnmake.transformation.to_hls.turned_images import replace_by_channels_last, with_channels_last


class InferDepthToSpace(Rewrite):
    """Makes every DepthToSpace of an image of integers a layer of that name, which works with channels innermost.

    The op of the standard has channels first: Transposes around it that turn them go, and where there are none, one is
    put in. ``mode`` is DCR, the standard's default, or CRD, which is PyTorch's PixelShuffle.

    Precondition: datatypes are annotated.
    Postcondition: same outputs; SIMD is 1.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("DepthToSpace"):
            source, output = node.inputs[0], node.outputs[0]
            shape, result = get_shape(source) if source is not None else None, get_shape(output)
            if source is None or shape is None or result is None or not is_standard(node):
                continue
            if len(shape) != 4 or shape[0] != 1 or not get_datatype(source).is_integer():
                continue
            datatype = get_datatype(source)
            structure: dict[str, int | str | bool] = {
                "HI": shape[2],
                "WI": shape[3],
                "NumChannels": shape[1],
                "blocksize": int(attribute(node, "blocksize")),
                "SIMD": 1,
                "inputDataType": datatype.name,
                "mode": str(attribute(node, "mode", "DCR")),
            }
            image = with_channels_last(source, node)
            after = (1, result[2], result[3], result[1])
            fresh = insert_hardware(node, "DepthToSpace", image, structure, datatype, after)
            replace_by_channels_last(output, fresh, node)
            model.graph.remove(node, safe=True)
        remove_unused_nodes(model)
        name_by_position(model)
