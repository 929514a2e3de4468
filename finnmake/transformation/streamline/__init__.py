"""Floats out, integers in: Streamline, and the steps of it that can be used alone. One transformation a file."""

from finnmake.transformation.streamline.convert_bipolar_matmul_to_xnor_popcount import (
    ConvertBipolarMatMulToXnorPopcount,
)
from finnmake.transformation.streamline.insert_topk import InsertTopK
from finnmake.transformation.streamline.round_and_clip_thresholds import RoundAndClipThresholds
from finnmake.transformation.streamline.streamline import Streamline

__all__ = ["ConvertBipolarMatMulToXnorPopcount", "InsertTopK", "RoundAndClipThresholds", "Streamline"]
