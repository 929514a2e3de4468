"""The hardware layer classes by op type, and the ONNX domain of their nodes."""

from __future__ import annotations

from typing import Any

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.crop import Crop
from finnmake.dataflow.depth_to_space import DepthToSpace
from finnmake.dataflow.duplicate_streams import DuplicateStreams
from finnmake.dataflow.elementwise_binary import ElementwiseAdd, ElementwiseMul, ElementwiseSub
from finnmake.dataflow.fm_padding import FMPadding
from finnmake.dataflow.global_acc_pool import GlobalAccPool
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.lookup import Lookup
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.pool import Pool
from finnmake.dataflow.requant import Requant
from finnmake.dataflow.shuffle import Shuffle
from finnmake.dataflow.streaming_concat import StreamingConcat, StreamingSplit
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.dataflow.thresholding import Thresholding
from finnmake.dataflow.upsample import UpsampleNearestNeighbour
from finnmake.dataflow.vector_vector_activation import VectorVectorActivation
from finnmake.errors import ModelError

HARDWARE_DOMAIN = "finnmake.dataflow"

LAYER_CLASSES: dict[str, type[Any]] = {
    kind.op_type: kind
    for kind in (
        MatrixVectorActivation,
        Thresholding,
        LabelSelect,
        StreamingFIFO,
        StreamingDataWidthConverter,
        DuplicateStreams,
        StreamingConcat,
        StreamingSplit,
        UpsampleNearestNeighbour,
        DepthToSpace,
        Shuffle,
        Crop,
        ElementwiseAdd,
        ElementwiseSub,
        ElementwiseMul,
        Requant,
        Lookup,
        ConvolutionInputGenerator,
        FMPadding,
        VectorVectorActivation,
        Pool,
        GlobalAccPool,
    )
}


def layer_class(op_type: str) -> type[Any]:
    """The layer class of an op type.

    Raises:
        ModelError: for an op type that is no hardware layer.
    """
    try:
        return LAYER_CLASSES[op_type]
    except KeyError:
        raise ModelError(
            f"no hardware layer is called {op_type!r}", remedy="Known: " + ", ".join(sorted(LAYER_CLASSES)) + "."
        ) from None


def is_layer(op_type: str) -> bool:
    """True for the op type of a hardware layer."""
    return issubclass(LAYER_CLASSES.get(op_type, object), Layer)
