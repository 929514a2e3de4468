"""Datatypes of the streams between layers, before there are layers."""

from __future__ import annotations

from finnmake.graph.model_wrapper import ModelWrapper, set_datatype
from finnmake.transformation.base import Rewrite
from finnmake.transformation.hardware import is_hardware
from finnmake.transformation.to_hls.stream_datatypes import result_datatype


class InferStreamDataTypes(Rewrite):
    """Annotates every tensor of integers with the datatype that the layer it comes from will give.

    That may be wider than what occurs: of a sum of branches that does not use all of its datatype, and of what is
    computed from it. The other ``Infer…`` transformations then find on each tensor what they will leave on it,
    whichever comes first.

    Precondition: datatypes are annotated.
    Postcondition: same outputs.
    """

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place, in the order of the data."""
        for node in model.graph:
            datatype = None if is_hardware(node) else result_datatype(node)
            if datatype is not None:
                for output in node.outputs:
                    set_datatype(output, datatype)
