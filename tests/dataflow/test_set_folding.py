"""Automatic folding: against all foldings of small graphs, its targets, boards, and what it says of what cannot be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finnmake.dataflow.insert_width_converters import InsertDWC
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.dataflow.resource_estimate import Resources, estimate_resources
from finnmake.dataflow.set_folding import DEFAULT_RESOURCES, ROOM, SetFolding
from finnmake.dataflow.stream_graph import INPUT, stream_graph
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.errors import FoldingError
from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.apply_folding import folding_of
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from finnmake.transformation.hardware import FOLDING, SWITCHES, divisors, folding_size
from tests.hls_library.random_layers import random_mvau, random_thresholding
from tests.hls_library.test_residual import residual_mlp
from tests.support.hardware_models import hardware_model
from tests.support.integer_graphs import IntegerGraph

NOTHING = Resources(0, 0, 0)


def weighted(resources: Resources, there: Mapping[str, int] = DEFAULT_RESOURCES) -> float:
    return resources.LUT / there["LUT"] + resources.BRAM_18K / there["BRAM"] + resources.DSP / there["DSP"]


def taken(model: ModelWrapper) -> Resources:
    """What a folded graph takes, width converters put in."""
    complete = model.transform(InsertDWC())
    return sum((estimate_resources(layer) for layer in stream_graph(complete).layers), NOTHING)


def cycles(model: ModelWrapper) -> int:
    return max(layer.interval_cycles() for layer in stream_graph(model).layers)


def to_layers(model: ModelWrapper) -> ModelWrapper:
    for name, arguments in AUTOMATIC_FLOW:
        if name != "InsertTopK":
            model = model.transform(make_transformation(name, arguments))
    return model


def best(model: ModelWrapper, target: int) -> float:
    """The least that any folding takes: all are tried. Infinite where none reaches the target."""
    graph = stream_graph(model)
    choices = []
    for node, layer in zip(graph.nodes, graph.layers, strict=True):
        values: dict[str, Sequence[int]] = {
            name: divisors(folding_size(node, name)) for name in FOLDING.get(node.op_type, {})
        }
        values |= dict.fromkeys(SWITCHES.get(node.op_type, ()), (False, True))
        folded = []
        for numbers in product(*values.values()):
            with suppress(FoldingError):  # windows in parallel that are not all channels wide
                folded.append(replace(layer, **dict(zip(values, numbers, strict=True))))  # type: ignore[arg-type]
        fast = [one for one in folded if one.interval_cycles() <= target]
        choices.append([(one, weighted(estimate_resources(one))) for one in fast])

    @cache
    def converter(source: Layer, output: int, sink: Layer, port: int) -> float:
        if getattr(source, "depthwise", False) and source.structure()["SIMD"] != sink.structure()["PE"]:
            return np.inf
        before, behind = source.output_streams()[output], sink.input_streams()[port]
        words = (before.elements_per_word, behind.elements_per_word)
        if words[0] == words[1]:
            return 0.0
        layer = StreamingDataWidthConverter(behind.datatype.name, *words, behind.elements_per_frame)
        return weighted(estimate_resources(layer))

    edges = [
        (*source, sink, port)
        for sink, sources in enumerate(graph.sources)
        for port, source in enumerate(sources)
        if source != INPUT
    ]
    return min(
        (
            sum(cost for _, cost in layers)
            + sum(converter(layers[a][0], output, layers[b][0], port) for a, output, b, port in edges)
            for layers in product(*choices)
        ),
        default=np.inf,
    )


@st.composite
def chains(draw: st.DrawFn) -> list[Layer]:
    """Matrix layers and thresholds, one behind the other."""
    sizes = draw(st.lists(st.sampled_from([2, 3, 4]), min_size=2, max_size=4))
    vectors = draw(st.sampled_from([1, 3]))
    bits = draw(st.sampled_from(["UINT2", "UINT4", "INT8"]))
    layers: list[Layer] = []
    for number, (inputs, outputs) in enumerate(pairwise(sizes)):
        if draw(st.booleans()):
            layers.append(random_thresholding(inputs, 1, bits, 3, bits, vectors=vectors))
        weights = draw(st.sampled_from(["BIPOLAR", "INT2", "INT4"]))
        layers.append(random_mvau((inputs, outputs), (1, 1), (bits, weights), (3, bits), vectors=vectors, seed=number))
    return layers


@settings(max_examples=25, deadline=None)
@given(chains(), st.integers(1, 60))
def test_no_folding_of_a_chain_takes_less(layers: Sequence[Layer], target: int) -> None:
    model = hardware_model(layers)
    least = best(model, target)
    if least == np.inf:
        with pytest.raises(FoldingError, match="The nearest target that all layers reach is 3 cycles"):
            model.transform(SetFolding(target))
        return
    folded = model.transform(SetFolding(target))
    assert cycles(folded) <= target
    assert weighted(taken(folded)) == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("target", [2, 4, 100])
def test_no_folding_of_a_residual_block_takes_less(target: int) -> None:
    model = to_layers(residual_mlp(1, size=2))
    assert "DuplicateStreams" in {node.op_type for node in model.nodes}
    folded = model.transform(SetFolding(target))
    assert cycles(folded) <= target
    assert weighted(taken(folded)) == pytest.approx(best(model, target), rel=1e-9)


@pytest.mark.parametrize("target", [36, 100, 1000])
def test_no_folding_of_a_depthwise_convolution_takes_less(target: int) -> None:
    g = IntegerGraph((1, 2, 4, 4))
    model = to_layers(g.model(g.threshold(g.conv(g.threshold(g.input), 2, (3, 3), pads=[1] * 4, group=2))))
    assert {"ConvolutionInputGenerator", "VectorVectorActivation"} <= {node.op_type for node in model.nodes}
    least = best(model, target)
    if least == np.inf:
        with pytest.raises(FoldingError):
            model.transform(SetFolding(target))
        return
    folded = model.transform(SetFolding(target))
    assert cycles(folded) <= target
    assert weighted(taken(folded)) == pytest.approx(least, rel=1e-9)


def mlp(size: int = 16) -> ModelWrapper:
    layers = [random_mvau((size, size), (1, 1), ("UINT4", "INT4"), (15, "UINT4"), seed=seed) for seed in range(3)]
    return hardware_model(layers)


def test_frames_per_second_are_cycles_of_a_clock() -> None:
    by_cycles = mlp().transform(SetFolding(32))
    by_frames = mlp().transform(SetFolding(target_fps=3_000_000, clock_mhz=100))
    assert folding_of(by_cycles.graph) == folding_of(by_frames.graph)


@pytest.mark.parametrize(
    ("target_fps", "message"),
    [
        (5_000_000, "cannot take 20 cycles a frame"),
        (1e12, "cannot take less than a cycle a frame, as 1e+12 frames per second would need"),
    ],
)
def test_a_target_out_of_reach_names_the_layer_and_what_can_be_reached(target_fps: float, message: str) -> None:
    layers = [random_mvau((8, 8), (1, 1), ("UINT4", "INT4"), (15, "UINT4"), vectors=vectors) for vectors in (5, 50)]
    layers[0] = replace(layers[0], numInputVectors=50)
    model = hardware_model([layers[0], random_thresholding(8, 1, "UINT4", 3, "UINT2", vectors=50)])
    with pytest.raises(FoldingError) as caught:
        model.transform(SetFolding(target_fps=target_fps, clock_mhz=100))
    assert f"layer MatrixVectorActivation_0: {message}: the fewest are 50" in caught.value.text
    assert "nearest target that all layers reach is 50 cycles, 2e+06 frames per second" in caught.value.text
    assert cycles(model.transform(SetFolding(50))) == 50


@pytest.mark.parametrize(
    "arguments",
    [
        {"target_cycles": 0},
        {"target_fps": 10.0},
        {"target_fps": 0.0, "clock_mhz": 1.0},
        {"target_cycles": 5, "target_fps": 1.0},
    ],
)
def test_targets_that_are_none(arguments: dict[str, float]) -> None:
    with pytest.raises(FoldingError):
        SetFolding(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("luts", [2_500, 10_000, 100_000])
def test_without_a_target_the_board_is_used_as_far_as_it_goes(luts: int) -> None:
    board = {"LUT": luts, "BRAM": 100, "DSP": 50}
    folded = mlp().transform(SetFolding(resources=board))
    resources = taken(folded)
    assert ROOM * luts >= resources.LUT
    assert resources.DSP <= ROOM * 50
    assert resources.BRAM_18K <= ROOM * 100
    # One step faster does not fit, whatever the weights, or there is none.
    now = cycles(folded)
    faster = [target for target in divisors(256) if target < now]
    if faster:
        beyond = taken(mlp().transform(SetFolding(max(faster), resources=board)))
        assert ROOM * luts < beyond.LUT or beyond.DSP > ROOM * 50 or beyond.BRAM_18K > ROOM * 100


def fits(resources: Resources, there: Mapping[str, int]) -> bool:
    return (
        there["LUT"] >= resources.LUT and there["BRAM"] >= resources.BRAM_18K and there.get("DSP", 0) >= resources.DSP
    )


boards = st.builds(
    lambda luts, blocks, multipliers: {"LUT": luts, "BRAM": blocks, "DSP": multipliers},
    st.integers(50, 2000),
    st.integers(0, 8),
    st.integers(0, 8),
)


@settings(max_examples=25, deadline=None)
@given(chains(), boards)
def test_automatic_folding_fits_or_is_refused(layers: Sequence[Layer], board: Mapping[str, int]) -> None:
    model = hardware_model(layers)
    try:
        folded = model.transform(SetFolding(resources=board))
    except FoldingError as error:
        assert "found no folding that fits" in error.text  # noqa: PT017
        return
    assert fits(taken(folded), board)


def test_a_board_that_is_too_small_is_refused() -> None:
    with pytest.raises(FoldingError) as caught:
        mlp().transform(SetFolding(resources={"LUT": 10, "BRAM": 1000, "DSP": 1000}))
    assert re.search(r"found no folding that fits: .* takes an estimated LUT \d+ of 10\b", caught.value.text)
    assert "Name a larger board, or a folding file." in caught.value.text


def test_a_target_that_there_is_no_room_for_is_reached_all_the_same() -> None:
    board = {"LUT": 2_500, "BRAM": 100, "DSP": 50}
    folded = mlp().transform(SetFolding(4, resources=board))
    assert cycles(folded) <= 4
    assert not fits(taken(folded), board)


def test_where_multipliers_are_few_some_layers_products_are_made_of_luts() -> None:
    board = {"LUT": 60_000, "BRAM": 100, "DSP": 200}
    plenty = mlp().transform(SetFolding(4, resources={**board, "DSP": 1000}))
    few = mlp().transform(SetFolding(4, resources=board))
    assert taken(plenty).DSP == 192
    assert {attribute(node, "resType", "auto") for node in plenty.nodes} == {"auto"}
    # Seven tenths of 200 are enough for two layers of 64.
    assert taken(few).DSP == 128
    assert taken(few).LUT > taken(plenty).LUT
    assert cycles(few) <= 4


def large_memories(columns: int = 512) -> ModelWrapper:
    """Weights of one bit that fill block memories, or the LUTs of several boards."""
    sizes = [(columns, 64), (64, columns)]
    return hardware_model([random_mvau(size, (1, 1), ("UINT3", "BIPOLAR"), (7, "UINT3"), seed=3) for size in sizes])


@pytest.mark.parametrize("target", [None, 40_000])
def test_of_nearly_all_block_memories_no_more_are_taken_than_there_are(target: int | None) -> None:
    # The least sum of all takes more of them: only a much larger weight makes them count among so many LUTs.
    plenty = taken(large_memories().transform(SetFolding(target, resources={"LUT": 20_000, "BRAM": 10**6, "DSP": 10})))
    blocks = plenty.BRAM_18K
    for fewer in range(blocks - 1, 0, -1):
        board = {"LUT": 20_000, "BRAM": fewer, "DSP": 10}
        try:
            folded = large_memories().transform(SetFolding(target, resources=board))
        except FoldingError:
            assert target is None
            break
        if target is not None and not fits(taken(folded), board):
            break
        assert fits(taken(folded), board)
        blocks = fewer
    assert blocks < plenty.BRAM_18K


def test_scarce_resources_are_spared() -> None:
    # With few multipliers of their own kind, the same target takes LUTs, or block memories, in their place.
    layers = [random_mvau((16, 16), (1, 1), ("UINT4", "INT8"), (15, "UINT4"), seed=seed) for seed in range(2)]
    plenty = taken(
        hardware_model(layers).transform(SetFolding(64, resources={"LUT": 10**5, "BRAM": 100, "DSP": 10**4}))
    )
    scarce = taken(hardware_model(layers).transform(SetFolding(64, resources={"LUT": 10**6, "BRAM": 100, "DSP": 12})))
    assert scarce.DSP <= plenty.DSP


def test_nodes_that_are_not_folded_stay() -> None:
    model = mlp().transform(SetFolding(64)).transform(InsertDWC())
    again = model.transform(SetFolding(64))
    converters = [
        [dict(layer_from_node(n).structure()) for n in m.nodes if "Width" in n.op_type] for m in (model, again)
    ]
    assert converters[0] == converters[1]
    assert all(attribute(node, "PE", 1) for node in again.nodes if is_hardware(node))
