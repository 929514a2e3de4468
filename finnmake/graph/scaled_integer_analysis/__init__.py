"""Scaled-integer analysis: every tensor as a function of integers.

A tensor is f(scale · integer + bias), where the integers have a known range and f is an elementwise expression (often
none). What a node makes of such tensors is decided once, here; the rewrite in ``transformation.streamline`` follows.
After SIRA, arXiv 2508.21493. Ranges come from datatypes, not from weights, so that a retrained model has the same
hardware structure; only where a sum's datatypes need more than 24 bits, its weights say how large it really gets.

``tensors`` has the words; ``analyse`` goes through the graph; the rules are in one module per family of ops.
"""

from finnmake.graph.scaled_integer_analysis.analyse import analyse, analyse_from
from finnmake.graph.scaled_integer_analysis.constants import constant_integers
from finnmake.graph.scaled_integer_analysis.tensors import (
    Analysis,
    BranchProduct,
    BranchSum,
    Concatenation,
    ConstantIntegers,
    Gathering,
    IntegerFunction,
    Movement,
    Operand,
    Operation,
    Product,
    Quantisation,
    ScaledInteger,
    WindowSum,
    first_input,
)

__all__ = [
    "Analysis",
    "BranchProduct",
    "BranchSum",
    "Concatenation",
    "ConstantIntegers",
    "Gathering",
    "IntegerFunction",
    "Movement",
    "Operand",
    "Operation",
    "Product",
    "Quantisation",
    "ScaledInteger",
    "WindowSum",
    "analyse",
    "analyse_from",
    "constant_integers",
    "first_input",
]
