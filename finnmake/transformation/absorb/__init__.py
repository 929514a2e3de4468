"""Ops that disappear in a neighbour: thresholds, weights, TopK, transposes. One transformation a file."""

from finnmake.transformation.absorb.absorb_scalar_mul_add_into_topk import AbsorbScalarMulAddIntoTopK

__all__ = ["AbsorbScalarMulAddIntoTopK"]
