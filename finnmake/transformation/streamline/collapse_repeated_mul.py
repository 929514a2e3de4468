"""CollapseRepeatedMul: two Muls of constants in a row are one."""

from __future__ import annotations

from finnmake.transformation.affine import Array
from finnmake.transformation.streamline.collapse_repeated_op import CollapseRepeatedOp


class CollapseRepeatedMul(CollapseRepeatedOp):
    """Makes (x · A) · B one Mul of A · B, per element where the constants differ in shape.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit where A or B is a power of two, else to float32 rounding; no
    Mul of a constant is the only user of another one, except where A · B is no finite float32 number, or becomes 0 by
    underflow.
    """

    op_type = "Mul"

    def combine(self, first: Array, second: Array) -> Array:
        """The product."""
        return first * second
