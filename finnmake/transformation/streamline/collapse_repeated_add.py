"""CollapseRepeatedAdd: two Adds of constants in a row are one."""

from __future__ import annotations

from finnmake.transformation.affine import Array
from finnmake.transformation.streamline.collapse_repeated_op import CollapseRepeatedOp


class CollapseRepeatedAdd(CollapseRepeatedOp):
    """Makes (x + A) + B one Add of A + B, per element where the constants differ in shape.

    Precondition: shapes are known.
    Postcondition: the same function, bit for bit where the sums are exact (integers, multiples of one power of two),
    else to float32 rounding; no Add of a constant is the only user of another one, except where A + B is no finite
    float32 number.
    """

    op_type = "Add"

    def combine(self, first: Array, second: Array) -> Array:
        """The sum."""
        return first + second
