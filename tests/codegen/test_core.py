"""Rendering of cores: structure apart from parameters, names by digest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finnmake.codegen.core import CoreTemplates, render_core
from finnmake.dataflow.layer_file import layer_files, parameter_bytes, read_layer
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.errors import ModelError

TEMPLATES = Path(__file__).parents[2] / "finnmake" / "codegen" / "templates"


def a_layer(seed: int = 0, **fields: object) -> MatrixVectorActivation:
    random = np.random.default_rng(seed)
    structure: dict[str, object] = {
        "MW": 8,
        "MH": 4,
        "SIMD": 4,
        "PE": 2,
        "inputDataType": "UINT2",
        "weightDataType": "TERNARY",
        "accDataType": "INT6",
        "outputDataType": "UINT2",
        "numSteps": 3,
        **fields,
    }
    parameters = {
        "weights": random.integers(-1, 2, (8, 4)),
        "thresholds": np.sort(random.integers(-20, 20, (4, 3)), axis=1),
    }
    return MatrixVectorActivation(**structure, parameters=parameters)  # type: ignore[arg-type]


@pytest.fixture
def templates() -> CoreTemplates:
    return CoreTemplates(TEMPLATES / "core.v.j2", TEMPLATES / "configured.v.j2", TEMPLATES / "top.cpp.j2")


def test_other_weights_change_memory_images_only(templates: CoreTemplates) -> None:
    first, second = render_core(a_layer(0), templates), render_core(a_layer(1), templates)
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"configured.v", "weights.mem", "weights.inc", "thresholds.mem", "thresholds.inc"}


def test_another_folding_is_another_core() -> None:
    assert a_layer().core_name() != a_layer(PE=4).core_name()


def test_equal_layers_have_equal_files() -> None:
    assert layer_files(a_layer()).text == layer_files(a_layer()).text
    assert layer_files(a_layer(0)).configured != layer_files(a_layer(1)).configured


def test_layer_file_round_trip() -> None:
    layer = a_layer()
    again = read_layer(layer_files(layer).text, lambda name: parameter_bytes(layer.parameters[name]))
    assert again.structure() == layer.structure()
    assert all((again.parameters[name] == layer.parameters[name]).all() for name in layer.parameters)


def test_wrong_parameter_bytes_are_refused() -> None:
    layer = a_layer()
    with pytest.raises(ModelError, match="digest"):
        read_layer(layer_files(layer).text, lambda name: parameter_bytes(layer.parameters[name] + 1))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"op_type": "Nothing", "structure": {}, "parameters": {}}'])
def test_text_that_is_no_layer_file(text: str) -> None:
    with pytest.raises(ModelError):
        read_layer(text, lambda name: b"")
