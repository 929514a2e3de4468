"""Batches of inputs: what is taken, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.frontend.import_model import import_model
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.batch import load_inputs, sample_shape, squeezed
from tests.support.networks import Mlp

Array = NDArray[Any]


@pytest.fixture(scope="module")
def imported() -> ModelWrapper:
    return import_model(Mlp((16, 8, 4)).model())


@pytest.mark.parametrize("shape", [(3, 16), (3, 1, 1, 16), (3, 4, 4)])
def test_integers_in_any_shape_of_the_size(tmp_path: Path, imported: ModelWrapper, shape: tuple[int, ...]) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(shape)
    np.save(tmp_path / "x.npy", pixels)
    assert (load_inputs(tmp_path / "x.npy", imported) == pixels.reshape(3, 16)).all()


def test_floats_are_the_model_s_own_inputs(tmp_path: Path, imported: ModelWrapper) -> None:
    pixels = np.arange(48).reshape(3, 16)
    np.save(tmp_path / "x.npy", pixels.astype(np.float32) / np.float32(255))
    assert (load_inputs(tmp_path / "x.npy", imported) == pixels).all()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((2, 4, 5), np.uint8), "(2, 4, 5)"),
        (np.zeros((0, 16), np.uint8), "(0, 16)"),
        (np.uint8(3), "has shape ()"),
        (np.full((2, 16), np.nan), "NaN"),
        (np.full((2, 16), np.inf), "infinity"),
        (np.full((2, 16), 0.3337), "grid"),
        (np.full((2, 16), -1), "-1"),
        (np.full((2, 16), 256), "256"),
        (np.full((2, 16), 2**64 - 1, np.uint64), "18446744073709551615"),
        (np.full((2, 16), 2.0), "2"),
        (np.zeros((2, 16), complex), "no array of numbers"),
        (np.array(["one", "two"]), "no array of numbers"),
        (np.array([{}, None]), "npy"),
    ],
)
def test_refused(tmp_path: Path, imported: ModelWrapper, array: Array, expected: str) -> None:
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(ModelError) as refused:
        load_inputs(tmp_path / "x.npy", imported)
    assert expected in refused.value.text


def test_integers_that_wrap_into_the_range_are_refused(tmp_path: Path) -> None:
    model = import_model(Mlp((16, 8, 4)).model(), input_datatype="INT8", input_scale=1)
    np.save(tmp_path / "x.npy", np.full((2, 16), 2**64 - 1, np.uint64))
    with pytest.raises(ModelError, match="18446744073709551615"):
        load_inputs(tmp_path / "x.npy", model)


@pytest.mark.parametrize("value", [0, 0.0])
def test_zero_is_not_bipolar(tmp_path: Path, value: float) -> None:
    model = import_model(Mlp((16, 8, 4)).model(), input_datatype="BIPOLAR", input_scale=1)
    np.save(tmp_path / "x.npy", np.where(np.arange(32) % 2, value, -1).reshape(2, 16))
    with pytest.raises(ModelError, match="BIPOLAR"):
        load_inputs(tmp_path / "x.npy", model)


@pytest.mark.parametrize("content", [b"", b"1 2 3\n", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00{'descr'", b"PK\x03\x04"])
def test_no_array(tmp_path: Path, imported: ModelWrapper, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(ModelError, match="npy"):
        load_inputs(tmp_path / "x.npy", imported)


def test_an_archive(tmp_path: Path, imported: ModelWrapper) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        np.savez(file, a=np.zeros((2, 16)))
    with pytest.raises(ModelError, match="npy"):
        load_inputs(tmp_path / "x.npy", imported)


def test_squeezed() -> None:
    assert squeezed(np.zeros((5, 1, 1))).shape == (5,)
    assert squeezed(np.zeros((1, 1))).shape == (1,)
    assert squeezed(np.zeros((5, 1, 2))).shape == (5, 1, 2)


def test_the_batch_alone_may_be_open() -> None:
    def source(dims: list[int | str]) -> ir.Value:
        return ir.Value(name="x", shape=ir.Shape(dims))

    assert sample_shape(source(["N", 3, 4])) == sample_shape(source([1, 3, 4])) == (3, 4)
    with pytest.raises(ModelError, match="the first dimension"):
        sample_shape(source(["N", "C", 4]))
