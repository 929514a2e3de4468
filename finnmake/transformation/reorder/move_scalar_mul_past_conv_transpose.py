"""MoveScalarMulPastConvTranspose: a transposed convolution of a · x is a times the one of x."""

from __future__ import annotations

from finnmake.transformation.reorder.move_scalar_mul_past_conv import MoveScalarMulPastConv


class MoveScalarMulPastConvTranspose(MoveScalarMulPastConv):
    """Moves a Mul by one number past the ConvTranspose behind it; conditions as of ``MoveScalarMulPastConv``."""

    linear_op = "ConvTranspose"
