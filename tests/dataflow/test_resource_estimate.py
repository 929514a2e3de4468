"""Estimates beside netlists of Yosys 0.70, in both flows, and what they may not do whatever the layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.crop import Crop
from finnmake.dataflow.depth_to_space import DepthToSpace
from finnmake.dataflow.duplicate_streams import DuplicateStreams
from finnmake.dataflow.elementwise_binary import ElementwiseAdd, ElementwiseMul, ElementwiseSub
from finnmake.dataflow.fabric import ECP5
from finnmake.dataflow.fm_padding import FMPadding
from finnmake.dataflow.global_acc_pool import GlobalAccPool
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.lut_estimate import FACTORS
from finnmake.dataflow.lut_parts import lut_parts
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.memories import loaded_memories
from finnmake.dataflow.pool import Pool
from finnmake.dataflow.registry import LAYER_CLASSES, is_layer
from finnmake.dataflow.requant import Requant
from finnmake.dataflow.resource_estimate import estimate_resources
from finnmake.dataflow.streaming_concat import StreamingConcat, StreamingSplit
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.dataflow.thresholding import Thresholding
from finnmake.dataflow.vector_vector_activation import VectorVectorActivation
from tests.hls_library.grids import GRID

FLOWS = st.sampled_from(("ecp5", "xc7", "xcup"))

Counts = tuple[int, int, int]
"""LUT, block memories, multipliers."""


def matrix(
    shape: tuple[int, int],
    folding: tuple[int, int],
    types: tuple[str, str, str],
    steps: int = 15,
    res_type: str = "auto",
) -> MatrixVectorActivation:
    """A matrix layer without parameters; ``steps`` = 0: without activation."""
    (mw, mh), (simd, pe), (source, weight, accumulator) = shape, folding, types
    output = {0: accumulator, 1: "BIPOLAR", 2: "TERNARY"}.get(steps, "UINT4")
    return MatrixVectorActivation(
        MW=mw, MH=mh, SIMD=simd, PE=pe, inputDataType=source, weightDataType=weight, accDataType=accumulator,
        outputDataType=output, noActivation=steps == 0, numSteps=steps, ActVal=-1 if steps in (1, 2) else 0,
        resType=res_type,
    )  # fmt: skip


def depthwise(channels: int, pe: int, steps: int) -> VectorVectorActivation:
    return VectorVectorActivation(
        Channels=channels, PE=pe, Kernel="3,3", Dim="16,16", inputDataType="UINT4", weightDataType="INT4",
        accDataType="INT10", outputDataType="UINT4", noActivation=False, numSteps=steps,
    )  # fmt: skip


NETLISTS: list[tuple[Layer, Counts, Counts]] = [
    (StreamingFIFO("TERNARY", 2, 400, 400), (360, 0, 0), (122, 0, 0)),
    (StreamingFIFO("UINT4", 1, 2048, 752), (611, 0, 0), (180, 0, 0)),
    (StreamingFIFO("UINT4", 1, 19200, 19200), (219, 5, 0), (104, 5, 0)),
    (StreamingFIFO("UINT3", 1, 100352, 100352), (257, 21, 0), (120, 21, 0)),
    (StreamingFIFO("UINT4", 16, 128, 2), (74, 0, 0), (72, 0, 0)),
    (StreamingDataWidthConverter("TERNARY", 4, 9, 576), (170, 0, 0), (142, 0, 0)),
    (StreamingDataWidthConverter("UINT4", 1, 4, 6400), (22, 0, 0), (20, 0, 0)),
    (ConvolutionInputGenerator("3,3", 16, "18,18", "2,2", "1,1", 1, "UINT4"), (192, 1, 0), (101, 1, 0)),
    (ConvolutionInputGenerator("2,2", 32, "10,10", "2,2", "1,1", 4, "BIPOLAR", True), (276, 0, 0), (116, 0, 0)),
    (FMPadding("2,7", "1,1,1,1", 50, 1, "UINT4"), (56, 0, 0), (40, 0, 0)),
    (Crop(5, 4, 6, 2, "INT4", 1, 1, 2, 0), (27, 0, 0), (24, 0, 0)),
    (DuplicateStreams(2048, 2, 2, "UINT2", 49), (19, 0, 0), (16, 0, 0)),
    (StreamingConcat("1,2,5,1", 1, "UINT3"), (34, 0, 0), (28, 0, 0)),
    (StreamingSplit("6,3", 3, "INT4", 5), (40, 0, 0), (40, 0, 0)),
    (DepthToSpace(2, 3, 16, 2, 2, "INT3", "DCR"), (103, 0, 0), (43, 0, 0)),
    (ElementwiseAdd(64, 1, "INT4", "INT4", "INT5", "input", 1083), (40, 0, 0), (36, 0, 0)),
    (ElementwiseSub(6, 2, "UINT3", "UINT5", "INT6", "const", 2), (56, 0, 0), (42, 0, 0)),
    (ElementwiseMul(2, 1, "INT28", "INT8", "INT36", "const"), (94, 0, 2), (67, 0, 2)),
    (ElementwiseMul(2, 1, "INT19", "INT8", "INT27", "const"), (74, 0, 1), (40, 0, 1)),
    (Requant(4, 2, "UINT17", "INT6", "INT23", "INT8", 6, "HALF_UP", 2), (243, 0, 2), (95, 0, 2)),
    (GlobalAccPool(6, 3, 49, "UINT4", "UINT10"), (159, 0, 0), (101, 0, 0)),
    (Pool(2, 1, "2,2", "4,14", "INT4", "INT4", "MaxPool"), (23, 0, 0), (20, 0, 0)),
    (Thresholding(32, 1, "INT5", "INT5", "INT4", 15, -8, 4332, True), (54, 0, 0), (40, 0, 0)),
    (matrix((144, 16), (144, 1), ("TERNARY", "TERNARY", "INT9"), 2), (1485, 0, 0), (1306, 0, 0)),
    (matrix((9, 16), (9, 1), ("INT8", "TERNARY", "INT12"), 2), (579, 0, 0), (397, 0, 0)),
    (matrix((128, 10), (8, 1), ("BINARY", "BINARY", "UINT8"), 0), (93, 1, 0), (70, 1, 0)),
    (matrix((9, 8), (9, 1), ("UINT8", "INT4", "INT16")), (557, 0, 9), (344, 0, 9)),
    (matrix((18, 8), (9, 8), ("INT4", "INT4", "INT12"), res_type="dsp"), (1922, 0, 36), (1114, 0, 36)),
    (depthwise(16, 4, 15), (584, 0, 4), (339, 0, 4)),
]
"""Cores as Yosys 0.70 makes them: for ECP5, for UltraScale+."""


@pytest.mark.parametrize(
    ("layer", "ecp5", "xcup"), NETLISTS, ids=lambda value: value.core_name() if isinstance(value, Layer) else ""
)
def test_estimates_are_near_netlists(layer: Layer, ecp5: Counts, xcup: Counts) -> None:
    for flow, netlist in (("ecp5", ecp5), ("xcup", xcup)):
        estimate = estimate_resources(layer, flow)
        assert netlist[1:] == (estimate.BRAM_18K, estimate.DSP), flow
        assert abs(estimate.LUT / netlist[0] - 1) < 0.3, (flow, estimate.LUT)


def test_every_part_of_every_kernel_has_a_factor() -> None:
    assert {kind.kernel for name, kind in LAYER_CLASSES.items() if is_layer(name)} == set(FACTORS)
    for layer in GRID:
        assert set(lut_parts(layer, ECP5, loaded_memories(layer))) <= set(FACTORS[layer.kernel]), layer.op_type


def test_weights_are_counted_with_the_bits_that_they_need() -> None:
    layer = matrix((64, 64), (8, 4), ("UINT4", "UINT4", "UINT16"))
    narrow = replace(layer, parameters={"weights": np.full((64, 64), 3), "thresholds": np.zeros((64, 15), np.int64)})
    wide = replace(narrow, parameters={**narrow.parameters, "weights": np.full((64, 64), 15)})
    assert estimate_resources(wide) == estimate_resources(layer)
    assert estimate_resources(narrow).BRAM_18K < estimate_resources(layer).BRAM_18K


def test_luts_with_six_inputs_are_fewer() -> None:
    for layer, *_ in NETLISTS:
        assert estimate_resources(layer, "xcup").LUT < estimate_resources(layer, "ecp5").LUT


def check_growth(flow: str, make: Callable[[int], Layer], sizes: tuple[int, int]) -> None:
    smaller, larger = (estimate_resources(make(size), flow) for size in sorted(sizes))
    assert smaller.LUT <= larger.LUT
    assert smaller.DSP <= larger.DSP


SMALL = st.tuples(st.integers(1, 64), st.integers(1, 64))


@given(FLOWS, st.integers(2, 16), SMALL)
def test_more_products_at_once_take_no_less(flow: str, bits: int, sizes: tuple[int, int]) -> None:
    types = (f"INT{bits}", f"INT{bits}", "INT40")
    check_growth(flow, lambda pe: matrix((16, pe), (4, pe), types, 0), sizes)
    check_growth(flow, lambda simd: matrix((simd, 4), (simd, 2), types, 0), sizes)


@given(FLOWS, st.integers(1, 8), st.integers(1, 8), st.integers(1, 64), SMALL)
def test_wider_elements_take_no_less(flow: str, into: int, out: int, depth: int, sizes: tuple[int, int]) -> None:
    check_growth(flow, lambda bits: StreamingFIFO(f"UINT{bits}", 1, depth, depth), sizes)
    check_growth(flow, lambda bits: StreamingDataWidthConverter(f"UINT{bits}", into, out, into * out), sizes)
    check_growth(flow, lambda bits: FMPadding("4,4", "1,1,1,1", 4, 2, f"UINT{bits}"), sizes)
    check_growth(flow, lambda bits: ConvolutionInputGenerator(
        "3,3", 4, "8,8", "1,1", "1,1", 2, f"UINT{bits}", ram_style="distributed"), sizes)  # fmt: skip


@given(FLOWS, st.integers(1, 32), st.tuples(st.integers(5, 3000), st.integers(5, 3000)))
def test_a_deeper_queue_takes_no_less(flow: str, bits: int, depths: tuple[int, int]) -> None:
    check_growth(flow, lambda depth: StreamingFIFO(f"UINT{bits}", 1, depth, depth, ram_style="distributed"), depths)


@given(FLOWS, st.integers(1, 30), st.tuples(st.integers(2, 31), st.integers(2, 31)))
def test_wider_products_take_no_fewer_multipliers(flow: str, other: int, sizes: tuple[int, int]) -> None:
    def product(bits: int) -> Layer:
        lhs, rhs = f"INT{bits}", f"INT{other + 1}"
        return ElementwiseMul(4, 2, lhs, rhs, f"INT{bits + other + 1}", "const", resType="dsp")

    check_growth(flow, product, sizes)
