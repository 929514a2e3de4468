"""What ``hls_library/matrix_vector_activation/dot_product.v`` makes of the operands' datatypes."""

from __future__ import annotations

from finnmake.dataflow.pipelines import adder_tree_cycles, popcount_cycles
from finnmake.graph.datatype import AnyDataType

_KINDS = {"BIPOLAR": 3, "TERNARY": 2}
_MOST_PLANE_PRODUCTS = 4


def element_kind(datatype: AnyDataType) -> int:
    """How the Verilog reads an element: 0 unsigned, 1 signed, 2 TERNARY, 3 BIPOLAR."""
    return _KINDS.get(datatype.name, int(datatype.signed()))


def decoded_width(datatype: AnyDataType) -> int:
    """Bits of an element as two's complement: a BIPOLAR element takes two."""
    return 2 if datatype.name == "BIPOLAR" else datatype.bitwidth()


def dot_product_cycles(source: AnyDataType, weight: AnyDataType, simd: int) -> int:
    """Registers of ``dot_product.v``.

    Few-bit operands: those of ``popcount.v``, and one to combine bit planes if there is something to combine.
    Others: one for the products and those of ``adder_tree.v``.
    """
    if source.bitwidth() == 1 and weight.bitwidth() == 1 and element_kind(source) == element_kind(weight):
        return popcount_cycles(simd) + int(source.name == "BIPOLAR")
    if decoded_width(source) * decoded_width(weight) <= _MOST_PLANE_PRODUCTS:
        return popcount_cycles(simd) + 1
    return 1 + adder_tree_cycles(simd)
