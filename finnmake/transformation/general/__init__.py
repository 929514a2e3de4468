"""Tidying, naming and spelling: what any ONNX graph may need, quantised or not. One transformation a file."""

from finnmake.transformation.general.change_batch_size import ChangeBatchSize
from finnmake.transformation.general.double_to_single_float import DoubleToSingleFloat
from finnmake.transformation.general.extract_bias_from_conv import ExtractBiasFromConv
from finnmake.transformation.general.fold_constants import FoldConstants
from finnmake.transformation.general.gemm_to_matmul import GemmToMatMul
from finnmake.transformation.general.give_readable_tensor_names import GiveReadableTensorNames
from finnmake.transformation.general.give_unique_node_names import GiveUniqueNodeNames
from finnmake.transformation.general.give_unique_parameter_tensors import GiveUniqueParameterTensors
from finnmake.transformation.general.infer_data_layouts import InferDataLayouts
from finnmake.transformation.general.infer_data_types import InferDataTypes
from finnmake.transformation.general.infer_shapes import InferShapes
from finnmake.transformation.general.lower_convs_to_matmul import LowerConvsToMatMul
from finnmake.transformation.general.lower_to_channels_last import LowerToChannelsLast
from finnmake.transformation.general.merge_onnx_models import MergeONNXModels
from finnmake.transformation.general.remove_identity_ops import RemoveIdentityOps
from finnmake.transformation.general.remove_static_graph_inputs import RemoveStaticGraphInputs
from finnmake.transformation.general.remove_unused_nodes import RemoveUnusedNodes
from finnmake.transformation.general.remove_unused_tensors import RemoveUnusedTensors
from finnmake.transformation.general.sort_commutative_inputs_initializer_last import (
    SortCommutativeInputsInitializerLast,
)
from finnmake.transformation.general.sort_graph import SortGraph

__all__ = [
    "ChangeBatchSize",
    "DoubleToSingleFloat",
    "ExtractBiasFromConv",
    "FoldConstants",
    "GemmToMatMul",
    "GiveReadableTensorNames",
    "GiveUniqueNodeNames",
    "GiveUniqueParameterTensors",
    "InferDataLayouts",
    "InferDataTypes",
    "InferShapes",
    "LowerConvsToMatMul",
    "LowerToChannelsLast",
    "MergeONNXModels",
    "RemoveIdentityOps",
    "RemoveStaticGraphInputs",
    "RemoveUnusedNodes",
    "RemoveUnusedTensors",
    "SortCommutativeInputsInitializerLast",
    "SortGraph",
]
