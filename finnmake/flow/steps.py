"""The automatic flow: which transformations turn an imported model into folded hardware layers, in which order."""

from __future__ import annotations

from finnmake.flow.compile_tasks import Step
from finnmake.flow.stages import Stage

_TRANSFORMATION = "finnmake.transformation"
_TO_HLS = f"{_TRANSFORMATION}.to_hls"
_DATAFLOW = "finnmake.dataflow"


def compile_steps(top_k: int | None, folding: Step) -> list[Step]:
    """The transformations of the automatic flow.

    Args:
        top_k: labels of the LabelSelect at the end, 0 for none, None to let the model decide.
        folding: the transformation that sets PE and SIMD.
    """
    labels = [
        Step(f"{_TRANSFORMATION}.insert_topk:InsertTopK", {"k": 1 if top_k is None else top_k}, Stage.STREAMLINED),
        Step(f"{_TRANSFORMATION}.absorb_scalar_mul_add_into_topk:AbsorbScalarMulAddIntoTopK", {}, Stage.STREAMLINED),
    ]
    streamline = [
        Step(f"{_TRANSFORMATION}.streamline:Streamline", {}, Stage.STREAMLINED),
        *([] if top_k == 0 else labels),
        Step(
            f"{_TRANSFORMATION}.convert_bipolar_matmul_to_xnor_popcount:ConvertBipolarMatMulToXnorPopcount",
            {},
            Stage.STREAMLINED,
        ),
        Step(f"{_TRANSFORMATION}.round_and_clip_thresholds:RoundAndClipThresholds", {}, Stage.STREAMLINED),
    ]
    to_hls = [
        Step(f"{_TO_HLS}:{name}", {}, Stage.LAYERS)
        for name in (
            "InferBinaryMatrixVectorActivation",
            "InferQuantizedMatrixVectorActivation",
            "InferThresholdingLayer",
            "InferLabelSelectLayer",
        )
    ]
    complete = [
        Step(f"{_DATAFLOW}.insert_width_converters:InsertDWC", {}, Stage.LAYERS),
        Step(f"{_DATAFLOW}.insert_fifos:InsertFIFO", {}, Stage.LAYERS),
    ]
    return [*streamline, *to_hls, folding, *complete]
