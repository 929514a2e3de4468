"""Im2Col as ConvolutionInputGenerator, with FMPadding before it."""

from __future__ import annotations

from finnmake.graph.custom_op import attribute
from finnmake.graph.im2col import im2col_windows
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite
from finnmake.transformation.to_hls.sliding_windows import has_padding, image_of, insert_windows


class InferConvInpGen(Rewrite):
    """Makes every Im2Col of integers a ConvolutionInputGenerator, with an FMPadding before it where it pads.

    Precondition: ``LowerToChannelsLast``, datatypes are annotated; ``InferVectorVectorActivation`` for depthwise ones.
    Postcondition: same outputs; SIMD is 1. An Im2Col that pads with what its datatype does not have stays.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        for node in model.get_nodes_by_op_type("Im2Col"):
            source = node.inputs[0]
            image = image_of(source)
            if source is None or image is None:
                continue
            windows, pad_value = im2col_windows(node), float(attribute(node, "pad_value", 0))
            if not has_padding(windows, image, get_datatype(source), pad_value):
                continue
            fresh = insert_windows(node, source, windows, image, depthwise=False, pad_value=int(pad_value))
            node.outputs[0].replace_all_uses_with(fresh, replace_graph_outputs=True)
            model.graph.remove(node, safe=True)
        name_by_position(model)
