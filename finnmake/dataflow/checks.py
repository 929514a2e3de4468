"""What layers check of their fields and parameters."""

from __future__ import annotations

from collections.abc import Sequence

from finnmake.dataflow.layer import IntegerArray, Layer, structural_datatype
from finnmake.errors import FoldingError, ModelError
from finnmake.graph.datatype import AnyDataType


def divisors(number: int) -> list[int]:
    """All divisors of a positive number, ascending: the legal values of a folding."""
    return [d for d in range(1, number + 1) if number % d == 0]


def check_folding(layer: Layer, folding: str, size: str) -> None:
    """Checks that the field ``folding`` (``PE``, ``SIMD``) divides the field ``size``.

    Raises:
        ModelError: the size is not positive.
        FoldingError: the folding is not a divisor; lists the legal values.
    """
    whole = int(getattr(layer, size))
    if whole < 1:
        raise ModelError(f"{size} is {whole}", where=layer.op_type, remedy=f"{size} must be 1 or more.")
    check_divides(layer, folding, size, whole)


def check_divides(layer: Layer, folding: str, size: str, whole: int) -> None:
    """Checks that the field ``folding`` divides ``whole``, which the message calls ``size``.

    Raises:
        FoldingError: it does not; lists the legal values.
    """
    value = int(getattr(layer, folding))
    if value < 1 or whole % value:
        legal = ", ".join(str(d) for d in divisors(whole))
        raise FoldingError(
            f"{folding} = {value} does not divide {size} = {whole}",
            where=layer.op_type,
            remedy=f"Legal values of {folding}: {legal}.",
        )


def check_choice(layer: Layer, field_name: str, legal: Sequence[str]) -> None:
    """Checks that a field has one of the legal values.

    Raises:
        ModelError: it has another; lists the legal ones.
    """
    value = getattr(layer, field_name)
    if value not in legal:
        raise ModelError(f"{field_name} is {value!r}", where=layer.op_type, remedy=f"Legal values: {', '.join(legal)}.")


def check_pair(layer: Layer, field_name: str) -> None:
    """Checks that a field is the text of two numbers of 1 or more, for rows and columns.

    Raises:
        ModelError: it is not.
    """
    texts = str(getattr(layer, field_name)).split(",")
    if len(texts) != 2 or not all(text.isdecimal() and int(text) > 0 for text in texts):
        raise ModelError(
            f"{field_name} is {getattr(layer, field_name)!r}",
            where=layer.op_type,
            remedy='Give two numbers of 1 or more, for rows and columns: "3,3".',
        )


def pair(text: str) -> tuple[int, int]:
    """The two numbers of a field that `check_pair` has checked."""
    first, second = text.split(",")
    return int(first), int(second)


def check_integer_type(layer: Layer, field_name: str, most_bits: int) -> AnyDataType:
    """The datatype that a field names, checked to be an integer type of at most ``most_bits``.

    Raises:
        ModelError: it is not.
    """
    name = str(getattr(layer, field_name))
    datatype = structural_datatype(name)
    if not datatype.is_integer() or datatype.bitwidth() > most_bits:
        raise ModelError(
            f"{field_name} {name} is not supported",
            where=layer.op_type,
            remedy=f"Use BIPOLAR, BINARY, TERNARY or a signed or unsigned integer of at most {most_bits} bits.",
        )
    return datatype


def parameter(layer: Layer, name: str) -> IntegerArray:
    """A parameter of a layer.

    Raises:
        ModelError: the layer was made from its structure alone.
    """
    if name not in layer.parameters:
        raise ModelError(
            f"the parameter {name!r} is missing",
            where=layer.op_type,
            remedy="A layer without parameters states its structure only: add them to execute it.",
        )
    return layer.parameters[name]
