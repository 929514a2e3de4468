"""ElementwiseAdd, ElementwiseSub, ElementwiseMul: what is legal, the reference, the memory image."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.dataflow.elementwise_binary import ElementwiseAdd, ElementwiseMul, ElementwiseSub
from finnmake.errors import FinnmakeError


def test_two_streams_meet_element_by_element() -> None:
    layer = ElementwiseSub(3, 1, "UINT4", "INT4", "INT6", numInputVectors=2)
    assert [stream.width for stream in layer.input_streams()] == [4, 4]
    (result,) = layer.execute_streams([np.array([[0, 15, 3, 4, 5, 6]]), np.array([[7, -8, 0, 1, 2, 3]])])
    assert result.tolist() == [[-7, 23, 3, 3, 3, 3]]


def test_constants_are_one_a_channel_or_one_for_all() -> None:
    frames = np.array([[1, 2, 3, 4]])
    each = ElementwiseMul(2, 1, "UINT3", "INT3", "INT6", "const", 2, parameters={"rhs": np.array([-4, 3])})
    assert each.execute(frames).tolist() == [[-4, 6, -12, 12]]
    assert each.memory_images()["rhs"].words.tolist() == [[-4], [3]]
    same = ElementwiseAdd(4, 2, "UINT3", "INT3", "INT5", "const", parameters={"rhs": np.array([-4])})
    assert same.execute(frames).tolist() == [[-3, -2, -1, 0]]
    assert same.memory_images()["rhs"].words.tolist() == [[-4, -4], [-4, -4]]


@pytest.mark.parametrize(
    ("arguments", "parameters", "text"),
    [
        ((4, 2, "UINT4", "UINT4", "UINT4"), {}, "results 0 … 30 do not fit out_dtype UINT4"),
        ((4, 2, "UINT4", "UINT4", "UINT5", "both"), {}, "Use input or const"),
        ((4, 2, "UINT4", "UINT4", "UINT5", "const"), {"rhs": np.array([1, 2])}, "rhs has shape (2,)"),
        ((4, 2, "UINT4", "UINT4", "UINT5", "input"), {"rhs": np.array([1])}, "with input there is none"),
        ((4, 2, "UINT4", "UINT4", "UINT5", "const"), {"rhs": np.array([16])}, "does not fit rhs_dtype UINT4"),
        ((4, 2, "UINT4", "INT40", "INT41"), {}, "rhs_dtype INT40 is not supported"),
        ((4, 3, "UINT4", "UINT4", "UINT5"), {}, "Legal values of PE: 1, 2, 4"),
        ((4, 2, "UINT4", "UINT4", "UINT5", "input", 0), {}, "numInputVectors is 0"),
        ((4, 2, "UINT4", "UINT4", "UINT5", "input", 1, "ultra"), {}, "Legal values: auto, distributed, block"),
    ],
)
def test_what_is_not_legal_is_said(arguments: tuple[object, ...], parameters: dict[str, object], text: str) -> None:
    with pytest.raises(FinnmakeError) as problem:
        ElementwiseAdd(*arguments, parameters=parameters)  # type: ignore[arg-type]
    assert text in str(problem.value)
