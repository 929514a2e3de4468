"""From integer ops to hardware layers: one transformation a layer type, under FINN's names.

FINN's older names of the matrix layer stay usable: ``InferBinaryStreamingFCLayer``, ``InferQuantizedStreamingFCLayer``.
"""

from finnmake.transformation.to_hls.convert_thresholds_to_requant import ConvertThresholdsToRequant
from finnmake.transformation.to_hls.create_dataflow_partition import CreateDataflowPartition
from finnmake.transformation.to_hls.infer_add_streams_layer import InferAddStreamsLayer
from finnmake.transformation.to_hls.infer_concat_layer import InferConcatLayer
from finnmake.transformation.to_hls.infer_conv_inp_gen import InferConvInpGen
from finnmake.transformation.to_hls.infer_crop import InferCrop
from finnmake.transformation.to_hls.infer_depth_to_space import InferDepthToSpace
from finnmake.transformation.to_hls.infer_duplicate_streams_layer import InferDuplicateStreamsLayer
from finnmake.transformation.to_hls.infer_elementwise_binary_operation import (
    InferElementwiseBinaryOperation,
    InferStreamingEltwise,
)
from finnmake.transformation.to_hls.infer_fm_padding import InferFMPadding
from finnmake.transformation.to_hls.infer_global_acc_pool_layer import InferGlobalAccPoolLayer
from finnmake.transformation.to_hls.infer_label_select_layer import InferLabelSelectLayer
from finnmake.transformation.to_hls.infer_lookup_layer import InferLookupLayer
from finnmake.transformation.to_hls.infer_matrix_vector_activation import (
    InferBinaryMatrixVectorActivation,
    InferQuantizedMatrixVectorActivation,
)
from finnmake.transformation.to_hls.infer_pool import InferPool
from finnmake.transformation.to_hls.infer_requant_layer import InferRequantLayer
from finnmake.transformation.to_hls.infer_shuffle import InferShuffle
from finnmake.transformation.to_hls.infer_split_layer import InferSplitLayer
from finnmake.transformation.to_hls.infer_stream_data_types import InferStreamDataTypes
from finnmake.transformation.to_hls.infer_thresholding_layer import InferThresholdingLayer
from finnmake.transformation.to_hls.infer_upsample import InferUpsample
from finnmake.transformation.to_hls.infer_vector_vector_activation import InferVectorVectorActivation

InferBinaryStreamingFCLayer = InferBinaryMatrixVectorActivation
InferQuantizedStreamingFCLayer = InferQuantizedMatrixVectorActivation

__all__ = [
    "ConvertThresholdsToRequant",
    "CreateDataflowPartition",
    "InferAddStreamsLayer",
    "InferBinaryMatrixVectorActivation",
    "InferBinaryStreamingFCLayer",
    "InferConcatLayer",
    "InferConvInpGen",
    "InferCrop",
    "InferDepthToSpace",
    "InferDuplicateStreamsLayer",
    "InferElementwiseBinaryOperation",
    "InferFMPadding",
    "InferGlobalAccPoolLayer",
    "InferLabelSelectLayer",
    "InferLookupLayer",
    "InferPool",
    "InferQuantizedMatrixVectorActivation",
    "InferQuantizedStreamingFCLayer",
    "InferRequantLayer",
    "InferShuffle",
    "InferSplitLayer",
    "InferStreamDataTypes",
    "InferStreamingEltwise",
    "InferThresholdingLayer",
    "InferUpsample",
    "InferVectorVectorActivation",
]
