"""Packed words and memory images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.dataflow.layer import MemoryImage, structural_datatype
from finnmake.dataflow.packing import (
    memory_text,
    npy_to_packed,
    pack_words,
    packed_to_npy,
    read_memory_text,
    unpack_words,
)
from finnmake.errors import ModelError
from finnmake.graph.datatype import DataType

NAMES = ["BINARY", "BIPOLAR", "TERNARY", "UINT1", "INT2", "UINT3", "INT7", "UINT8", "INT8", "INT9", "UINT16", "INT17",
         "INT32", "UINT33", "INT63", "INT64"]  # fmt: skip


@st.composite
def words(draw: st.DrawFn) -> tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    name = draw(st.sampled_from(NAMES))
    datatype = structural_datatype(name)
    value = st.sampled_from([-1, 1]) if name == "BIPOLAR" else st.integers(int(datatype.min()), int(datatype.max()))
    elements, count = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    rows = draw(st.lists(st.lists(value, min_size=elements, max_size=elements), min_size=count, max_size=count))
    return name, np.array(rows, dtype=np.int64)


def number(row: np.ndarray[tuple[int, ...], np.dtype[np.int64]], name: str) -> int:
    """The word as one number, written out by hand."""
    bits, result = DataType[name].bitwidth(), 0
    for position, value in enumerate(row.tolist()):
        code = (value + 1) // 2 if name == "BIPOLAR" else value % (1 << bits)
        result |= code << (position * bits)
    return result


@settings(deadline=None)
@given(words())
def test_words_are_little_endian_numbers_without_gaps(
    case: tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]],
) -> None:
    name, values = case
    packed = pack_words(values, DataType[name])
    assert packed.shape[1] == (values.shape[1] * DataType[name].bitwidth() + 7) // 8
    assert [int.from_bytes(row.tobytes(), "little") for row in packed] == [number(row, name) for row in values]
    np.testing.assert_array_equal(unpack_words(packed, DataType[name], values.shape[1]), values)
    image = MemoryImage(values, DataType[name])
    lines = memory_text(image).splitlines()
    assert [int(line, 16) for line in lines] == [number(row, name) for row in values]
    assert {len(line) for line in lines} == {(image.width + 3) // 4}
    np.testing.assert_array_equal(read_memory_text(memory_text(image), image.datatype, values.shape[1]), values)


def test_frames_are_cut_into_words_in_order() -> None:
    frames = np.arange(24).reshape(2, 3, 4)
    packed = npy_to_packed(frames, DataType["UINT8"], 6)
    assert packed.tolist() == [list(range(start, start + 6)) for start in (0, 6, 12, 18)]
    np.testing.assert_array_equal(packed_to_npy(packed, DataType["UINT8"], 6, 2), frames.reshape(2, 12))


@pytest.mark.parametrize(("name", "value"), [("INT2", 2), ("UINT2", -1), ("BIPOLAR", 0), ("TERNARY", -2)])
def test_a_value_the_datatype_does_not_have_is_refused(name: str, value: int) -> None:
    with pytest.raises(ModelError, match=name):
        pack_words(np.array([[value]]), DataType[name])


def test_a_code_the_datatype_does_not_have_is_refused() -> None:
    with pytest.raises(ModelError, match="TERNARY"):
        unpack_words(np.array([[2]], dtype=np.uint8), DataType["TERNARY"], 1)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match="divide"):
        npy_to_packed(np.zeros((2, 5), dtype=np.int64), DataType["INT4"], 2)
    with pytest.raises(ModelError, match="whole number of frames"):
        packed_to_npy(np.zeros((3, 1), dtype=np.uint8), DataType["INT4"], 2, 2)
    with pytest.raises(ModelError, match="shape"):
        unpack_words(np.zeros((3, 2), dtype=np.uint8), DataType["INT4"], 2)
    with pytest.raises(ModelError, match="integer"):
        pack_words(np.zeros((1, 1), dtype=np.int64), DataType["FLOAT32"])
    with pytest.raises(ModelError, match="memory word 1"):
        read_memory_text("0f\nxyz\n", DataType["UINT8"], 1)
