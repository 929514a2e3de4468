"""The automatic flow: which transformations turn an imported model into folded hardware layers, in which order.

The same as ``finnmake.transformation.flow.AUTOMATIC_FLOW``, which cannot be imported here: planning loads no ONNX.
"""

from __future__ import annotations

from collections.abc import Sequence

from finnmake.flow.compile_tasks import Step
from finnmake.flow.stages import Stage

STREAMLINE = (
    "Streamline",
    "LowerToChannelsLast",
    "ConvertBipolarMatMulToXnorPopcount",
    "InsertTopK",
    "AbsorbScalarMulAddIntoTopK",
    "RoundAndClipThresholds",
)

TO_HLS = (
    "InferStreamDataTypes",
    "InferLookupLayer",
    "InferPool",
    "InferVectorVectorActivation",
    "InferGlobalAccPoolLayer",
    "InferConvInpGen",
    "InferDepthToSpace",
    "InferFMPadding",
    "InferUpsample",
    "InferConcatLayer",
    "InferSplitLayer",
    "InferCrop",
    "InferAddStreamsLayer",
    "InferElementwiseBinaryOperation",
    "InferBinaryMatrixVectorActivation",
    "InferQuantizedMatrixVectorActivation",
    "InferThresholdingLayer",
    "InferRequantLayer",
    "InferLabelSelectLayer",
    "InferShuffle",
    "CreateDataflowPartition",
)

PARTITION = "CreateDataflowPartition"

MINIMIZE_WIDTHS = ("MinimizeWeightBitWidth", "MinimizeAccumulatorWidth")
"""Steps before folding that fit the cores to the weights at hand."""

COMPLETE = ("InsertDWC", "InsertFIFO")
"""Steps after folding."""


def compile_steps(top_k: int | None, folding: Step, *, minimize_widths: bool = False) -> list[Step]:
    """The transformations of the automatic flow.

    Args:
        top_k: labels of a LabelSelect at the end, 0 for none, None for one where the output is a classifier's.
        folding: the transformation that sets PE and SIMD.
        minimize_widths: datatypes as narrow as the values of the weights allow.
    """
    streamline = [Step(name, {"k": top_k} if name == "InsertTopK" else {}, Stage.STREAMLINED) for name in STREAMLINE]
    to_hls = [Step(name, {}, Stage.LAYERS) for name in TO_HLS]
    complete = [Step(name, {}, Stage.LAYERS) for name in COMPLETE]
    minimize = [Step(name, {}, Stage.LAYERS) for name in MINIMIZE_WIDTHS if minimize_widths]
    return [*streamline, *to_hls, *minimize, folding, *complete]


def behind_own_steps(own: Sequence[Step], folding: Step, *, minimize_widths: bool = False) -> list[Step]:
    """What completes a user's own transformations.

    Args:
        own: the user's.
        folding: the transformation that sets PE and SIMD.
        minimize_widths: fit weights and accumulators to the values at hand.
    """
    partition = [] if any(step.name == PARTITION for step in own) else [Step(PARTITION, {}, Stage.LAYERS)]
    minimize = [Step(name, {}, Stage.LAYERS) for name in MINIMIZE_WIDTHS if minimize_widths]
    return [*partition, *minimize, folding, *(Step(name, {}, Stage.LAYERS) for name in COMPLETE)]
