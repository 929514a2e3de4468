"""Two products by one multiplier: exact for all values, half of the multipliers in the netlist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from finnmake.dataflow.elementwise_binary import ElementwiseMul
from finnmake.dataflow.layer import IntegerArray
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.resource_estimate import estimate_resources
from finnmake.graph.datatype import DataType
from tests.hls_library.harness import Bench
from tests.hls_library.random_layers import depthwise, elementwise, random_mvau, requant
from tests.support.synthesis import ECP5, ULTRASCALE, XILINX_7, synthesised_cells


def pairs_of_weights(types: tuple[str, str], pairs: IntegerArray) -> MatrixVectorActivation:
    """A layer whose output words are the products of one input by a pair of weights."""
    accumulator = "INT18"
    return MatrixVectorActivation(
        MW=1, MH=pairs.size, SIMD=1, PE=2, inputDataType=types[0], weightDataType=types[1], accDataType=accumulator,
        outputDataType=accumulator, noActivation=True, resType="dsp", parameters={"weights": pairs.reshape(1, -1)},
    )  # fmt: skip


def values(datatype: str) -> IntegerArray:
    """All values of a datatype."""
    return np.arange(int(DataType[datatype].min()), int(DataType[datatype].max()) + 1)


@pytest.mark.parametrize("types", [("INT4", "INT4"), ("UINT4", "UINT4")])
def test_all_products_of_four_bits(bench: Bench, types: tuple[str, str]) -> None:
    weights = np.array(list(product(values(types[1]), repeat=2)))
    bench.run_rtl(pairs_of_weights(types, weights), values(types[0]).reshape(-1, 1))


@pytest.mark.parametrize("types", [("INT8", "INT8"), ("UINT8", "UINT8")])
def test_products_of_eight_bits(bench: Bench, types: tuple[str, str]) -> None:
    weights = values(types[1])
    ends = np.array(list(product(weights[[0, 1, 127, 128, 129, 254, 255]], repeat=2)))
    others = np.random.default_rng(0).choice(weights, (200, 2))
    bench.run_rtl(pairs_of_weights(types, np.concatenate([ends, others])), values(types[0]).reshape(-1, 1))


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("types", [("INT8", "INT8"), ("UINT8", "INT8"), ("UINT8", "UINT8"), ("INT8", "UINT8")])
def test_all_products_of_eight_bits(bench: Bench, types: tuple[str, str]) -> None:
    layer = pairs_of_weights(types, np.array(list(product(values(types[1]), repeat=2))))
    for inputs in np.split(values(types[0]).reshape(-1, 1), 32):
        bench.run_rtl(layer, inputs)


def test_wide_products_share_no_multiplier() -> None:
    assert replace(random_mvau((6, 4), (3, 4), ("INT16", "INT16")), resType="dsp").multipliers == 12


STYLES = ("lut", "auto", "dsp")
MULTIPLIERS = {
    # types: with each of STYLES, 4 by 4 products side by side.
    ("INT8", "INT8"): (0, 16, 8),
    ("UINT4", "INT4"): (0, 16, 8),
    ("INT2", "INT2"): (0, 0, 8),
    ("BIPOLAR", "BIPOLAR"): (0, 0, 0),
}


def check_multipliers(
    folder: Path,
    types: tuple[str, str],
    flow: tuple[str, ...],
    cell: str,
    styles: Sequence[str] = ("lut", "auto", "dsp"),
) -> None:
    for style, expected in zip(STYLES, MULTIPLIERS[types], strict=True):
        if style in styles:
            layer = replace(random_mvau((16, 8), (4, 4), types), resType=style)
            assert synthesised_cells(folder / style, layer, flow).get(cell, 0) == expected, style
            assert expected == estimate_resources(layer, flow[-1]).DSP, style


@pytest.mark.parametrize("types", [("UINT4", "INT4"), ("BIPOLAR", "BIPOLAR")])
def test_multipliers_of_ecp5(tmp_path: Path, types: tuple[str, str]) -> None:
    check_multipliers(tmp_path, types, ECP5, "MULT18X18D", ("lut", "dsp"))


@pytest.mark.nightly
@pytest.mark.parametrize("types", MULTIPLIERS)
def test_multipliers_of_ecp5_in_all_styles(tmp_path: Path, types: tuple[str, str]) -> None:
    check_multipliers(tmp_path, types, ECP5, "MULT18X18D")


@pytest.mark.nightly
@pytest.mark.parametrize("types", MULTIPLIERS)
def test_multipliers_of_xilinx_in_all_styles(tmp_path: Path, types: tuple[str, str]) -> None:
    check_multipliers(tmp_path, types, XILINX_7, "DSP48E1")


# Yosys, of its own accord, makes products of less than 9 bits of LUTs there.
@pytest.mark.parametrize("flow", [XILINX_7, ULTRASCALE], ids=" ".join)
def test_small_products_of_xilinx(tmp_path: Path, flow: tuple[str, ...]) -> None:
    layer = replace(random_mvau((4, 4), (2, 2), ("INT2", "INT2")), resType="dsp")
    cells = synthesised_cells(tmp_path, layer, flow)
    assert cells["DSP48E1"] + cells["DSP48E2"] == estimate_resources(layer, flow[-1]).DSP == 2


OTHERS = {
    "product": elementwise(ElementwiseMul, "UINT4", "INT4", (4, 2), 4),
    "product_of_luts": replace(elementwise(ElementwiseMul, "INT8", "INT8", (4, 2)), resType="lut"),
    "signs": replace(elementwise(ElementwiseMul, "BIPOLAR", "TERNARY", (4, 2)), resType="dsp"),
    "small_product": elementwise(ElementwiseMul, "INT3", "INT8", (4, 2)),
    "wide_product": elementwise(ElementwiseMul, "INT31", "INT8", (4, 2), 1),
    "requant": requant("INT8", "INT8", 4, "HALF_EVEN", (4, 2)),
    "requant_of_luts": replace(requant("INT8", "INT8", 4, "HALF_EVEN", (4, 2)), resType="lut"),
    "narrow_requant": replace(requant("UINT2", "INT8", 4, "HALF_EVEN", (4, 2)), resType="dsp"),
    "small_requant": requant("UINT2", "INT8", 4, "HALF_EVEN", (4, 2)),
}


def check_others(folder: Path, name: str, flow: tuple[str, ...], cell: str) -> None:
    expected = {"product": 2, "signs": 2, "wide_product": 4, "requant": 2, "narrow_requant": 2}.get(name, 0)
    estimate = estimate_resources(OTHERS[name], flow[-1])
    assert synthesised_cells(folder, OTHERS[name], flow)[cell] == estimate.DSP == expected


@pytest.mark.parametrize("name", ["product", "product_of_luts", "narrow_requant"])
def test_products_of_other_layers(tmp_path: Path, name: str) -> None:
    check_others(tmp_path, name, ECP5, "MULT18X18D")


@pytest.mark.nightly
@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(("flow", "cell"), [(ECP5, "MULT18X18D"), (XILINX_7, "DSP48E1")], ids=["ecp5", "xilinx"])
def test_products_of_all_other_layers(tmp_path: Path, name: str, flow: tuple[str, ...], cell: str) -> None:
    check_others(tmp_path, name, flow, cell)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("types", "multipliers"),
    [
        (("INT19", "INT8"), (1, 1, 1)),
        (("INT26", "INT18"), (2, 2, 1)),
        (("INT28", "INT8"), (2, 2, 2)),
        (("UINT25", "INT8"), (2, 2, 1)),
        (("INT31", "INT19"), (2, 4, 4)),
    ],
    ids=str,
)
def test_wide_products_take_several_multipliers(
    tmp_path: Path, types: tuple[str, str], multipliers: tuple[int, int, int]
) -> None:
    layer = elementwise(ElementwiseMul, *types, (2, 1), 1)
    for flow, expected in zip((ECP5, XILINX_7, ULTRASCALE), multipliers, strict=True):
        cells = synthesised_cells(tmp_path / flow[-1], layer, flow)
        found = cells["MULT18X18D"] + cells["DSP48E1"] + cells["DSP48E2"]
        assert found == estimate_resources(layer, flow[-1]).DSP == expected, flow


def test_a_depthwise_layer_has_a_multiplier_for_each_product(tmp_path: Path) -> None:
    layer = replace(depthwise(4, 2, "3,3", ("INT4", "INT4"), simd=3), resType="dsp")
    assert synthesised_cells(tmp_path, layer, ECP5)["MULT18X18D"] == estimate_resources(layer).DSP == 6
