"""Random networks with branches become hardware layers only, unfolded and folded, equal to the model bit for bit.

Convolutions of all kinds, residual blocks, joined, multiplied and pooled branches, quantisers of up to 11 bits,
Transposes, slices, padding, pixel shuffle. All scales are powers of two, so that float32 is exact.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from finnmake.dataflow.insert_fifos import InsertFIFO
from finnmake.dataflow.insert_width_converters import InsertDWC
from finnmake.dataflow.layer_file import layer_files
from finnmake.dataflow.nodes import is_hardware, layer_from_node
from finnmake.dataflow.set_folding import SetFolding
from finnmake.dataflow.stream_graph import PASSING, layer_names, stream_graph
from finnmake.errors import FoldingError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from finnmake.transformation.host import output_scaling
from tests.support.quantised_networks import QuantisedNetwork

SEEDS = [0, 4, 8, 13, 20, 28, 49, 90, 149]
"""Among them all that were refused, or wrong, at some time."""


def layers_of(model: ModelWrapper) -> ModelWrapper:
    for name, arguments in AUTOMATIC_FLOW:
        if name != "InsertTopK":
            model = model.transform(make_transformation(name, arguments))
    return model


def check(seed: int, blocks: int, *, products: bool = False) -> None:
    network = QuantisedNetwork(seed, exact=True, blocks=blocks, products=products)
    model = network.model()
    layers = layers_of(model)
    stream_graph(layers)
    frames = network.values(model, 3)
    expected = execute_onnx(model, {"global_in": frames})["global_out"]
    changed = folded(layers)
    converted = changed.transform(InsertDWC())
    buffered, less = (converted.transform(InsertFIFO(depths)) for depths in random_depths(converted, seed))
    # What is put between layers leaves the others' names.
    assert named(buffered, "StreamingFIFO") == named(converted)
    assert named(converted, "StreamingDataWidthConverter") == named(changed)
    assert named(less).items() <= named(buffered).items()
    for each in (layers, buffered):
        integers = execute_onnx(each, {"global_in": frames})["global_out"]
        scale, bias = output_scaling(layers) or (np.float64(1), np.float64(0))
        assert np.array_equal((integers * scale + bias).astype(np.float32), expected)


def named(model: ModelWrapper, *left_out: str) -> dict[str, str]:
    """The files of layers by their names, but for those of some types."""
    graph = stream_graph(model)
    return {
        name: layer_files(layer).text
        for name, layer in zip(layer_names(graph), graph.layers, strict=True)
        if layer.op_type not in left_out
    }


def random_depths(model: ModelWrapper, seed: int) -> list[dict[str, dict[str, list[int]]]]:
    """FIFOs before about half of the layers, and before half of these."""
    generator = np.random.default_rng(seed)
    graph = stream_graph(model)
    # One FIFO a stream: none in front of a width converter.
    depths = [
        4 * (layer.op_type not in PASSING) * generator.integers(0, 2, len(layer.input_streams()))
        for layer in graph.layers
    ]
    fewer = [each * generator.integers(0, 2, len(each)) for each in depths]
    names = layer_names(graph)
    return [
        {name: {"inFIFODepths": each.tolist()} for name, each in zip(names, all_of_them, strict=True)}
        for all_of_them in (depths, fewer)
    ]


def folded(layers: ModelWrapper) -> ModelWrapper:
    """Twice as fast where all layers can be."""
    slowest = max(layer_from_node(node).interval_cycles() for node in layers.nodes if is_hardware(node))
    try:
        return layers.transform(SetFolding(target_cycles=max(1, slowest // 2)))
    except FoldingError:
        return layers


@pytest.mark.parametrize("seed", SEEDS)
def test_networks_that_once_were_refused(seed: int) -> None:
    check(seed, 3)


@settings(max_examples=6, deadline=None, phases=[Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 10**6))
def test_random_networks(seed: int) -> None:
    check(seed, 3)


@settings(max_examples=4, deadline=None, phases=[Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 10**6))
def test_random_networks_with_products_of_branches_and_wide_quantisers(seed: int) -> None:
    check(seed, 3, products=True)


@pytest.mark.nightly
@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), blocks=st.integers(1, 6), products=st.booleans())
def test_random_networks_at_length(seed: int, blocks: int, products: bool) -> None:
    check(seed, blocks, products=products)
