"""What ``hls_library/matrix_vector_activation/dot_product.v`` makes of the operands' datatypes."""

from __future__ import annotations

from enum import Enum

from finnmake.dataflow.pipelines import adder_tree_cycles, popcount_cycles
from finnmake.graph.datatype import AnyDataType

_KINDS = {"BIPOLAR": 3, "TERNARY": 2}
_MOST_PLANE_PRODUCTS = 4
LEAST_HARD_BITS = 4
"""Of both operands: narrower ones are multiplied in LUTs, unless hard multipliers are asked for."""

_MOST_PAIR_BITS = 8
"""Of inputs and weights two products of which a multiplier of 18 bits makes."""


class Products(Enum):
    """What makes the products of a dot product.

    ``BITS``: single bits are counted. ``PLANES``: operands are split into planes of bits, the products of which are
    counted. ``MULTIPLIERS``: one for each product. ``PAIRS``: one for two products of an input, ``product_pair.v``.
    """

    BITS = "bits"
    PLANES = "planes"
    MULTIPLIERS = "multipliers"
    PAIRS = "pairs"


def element_kind(datatype: AnyDataType) -> int:
    """How the Verilog reads an element: 0 unsigned, 1 signed, 2 TERNARY, 3 BIPOLAR."""
    return _KINDS.get(datatype.name, int(datatype.signed()))


def decoded_width(datatype: AnyDataType) -> int:
    """Bits of an element as two's complement: a BIPOLAR element takes two."""
    return 2 if datatype.name == "BIPOLAR" else datatype.bitwidth()


def products_of(source: AnyDataType, weight: AnyDataType, res_type: str, *, shared: bool) -> Products:
    """What makes the products of inputs and weights.

    Args:
        source: of the inputs.
        weight: of the weights.
        res_type: ``lut``, ``dsp`` or ``auto``.
        shared: several outputs side by side take the same inputs.
    """
    if source.bitwidth() == weight.bitwidth() == 1 and element_kind(source) == element_kind(weight):
        return Products.BITS
    if res_type == "dsp":
        narrow = max(source.bitwidth(), weight.bitwidth()) <= _MOST_PAIR_BITS
        return Products.PAIRS if shared and narrow else Products.MULTIPLIERS
    few = decoded_width(source) * decoded_width(weight) <= _MOST_PLANE_PRODUCTS
    return Products.PLANES if few else Products.MULTIPLIERS


def multiplies_hard(lhs: AnyDataType, rhs: AnyDataType, res_type: str) -> bool:
    """True where ``resType`` asks for hard multipliers: always with ``dsp``, from 4 by 4 bits on with ``auto``."""
    return res_type == "dsp" or (res_type == "auto" and min(lhs.bitwidth(), rhs.bitwidth()) >= LEAST_HARD_BITS)


def dot_product_cycles(products: Products, source: AnyDataType, simd: int) -> int:
    """Registers of ``dot_product.v`` and ``dot_product_pair.v``.

    Counted products: those of ``popcount.v``, and one to combine counts if there is something to combine. Multiplied
    ones: one for the products, one to part those that share a multiplier, and those of ``adder_tree.v``.
    """
    if products is Products.BITS:
        return popcount_cycles(simd) + int(source.name == "BIPOLAR")
    if products is Products.PLANES:
        return popcount_cycles(simd) + 1
    return (2 if products is Products.PAIRS else 1) + adder_tree_cycles(simd)
