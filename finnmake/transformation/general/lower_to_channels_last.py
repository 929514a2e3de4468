"""LowerToChannelsLast: convolutions as windows and products, in the order in which a stream carries an image."""

from __future__ import annotations

from finnmake.graph.general_ops import GENERAL_DOMAIN
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.naming import name_by_position
from finnmake.transformation.base import Rewrite
from finnmake.transformation.channels_last.forms import Forms
from finnmake.transformation.channels_last.images import find_images
from finnmake.transformation.channels_last.rules import rule_of


class LowerToChannelsLast(Rewrite):
    """Turns all images of the graph from (N, C, H, W) to (N, H, W, C) in one pass, and lowers convolutions.

    A Conv becomes Im2Col and MatMul (without Im2Col where it is 1 x 1 with stride 1 and no padding), a depthwise Conv
    Im2Col and DepthwiseMatMul, a MaxPool MaxPoolNHWC; MultiThreshold, elementwise ops, Concat, Split, Slice, Pad,
    nearest Resize and sums over the image stay what they are. A sequence (N, C, W) becomes an image of height 1. The
    product behind a Flatten gets its rows in the new order. What ``LowerConvsToMatMul`` with the transformations that
    move and absorb Transposes ends in step by step, this makes at once.

    Precondition: shapes are known. Meant for the integer graph that ``Streamline`` makes; any graph may be given.
    Postcondition: same function, with the same inputs and outputs; bit for bit where sums are integers that float32
    holds, else to float32 rounding. The Transposes that are left: one behind an input that is an image, one before an
    output that is one, and those around ops that are only there with channels first (DepthToSpace, ConvTranspose, …).
    Images are annotated with their layout. A graph without images is left as it is.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        graph = model.graph
        images = find_images(graph)
        if not images:
            return
        forms = Forms(graph)
        replaced = []
        for node in list(graph):
            rule = rule_of(node)
            tensors = [value for value in (*node.inputs, *node.outputs) if value is not None]
            if (
                rule is not None
                and any(value in images or forms.find(value) is not None for value in tensors)
                and rule(node, forms)
            ):
                replaced.append(node)
        # From the end: what still uses a tensor then is a node that stays.
        for node in reversed(replaced):
            forms.replace(node)
        graph.opset_imports.setdefault(GENERAL_DOMAIN, 1)
        name_by_position(model)
