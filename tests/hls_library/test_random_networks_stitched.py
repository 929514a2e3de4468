"""Random networks with branches through stitched RTL, with and without stalls: the integers of the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finnmake.dataflow.insert_fifos import InsertFIFO
from finnmake.dataflow.insert_width_converters import InsertDWC
from finnmake.dataflow.packing import npy_to_packed, packed_to_npy
from finnmake.dataflow.stream_graph import stream_graph
from finnmake.graph.element_order import reordered
from finnmake.runtime.batch import output_integers
from finnmake.runtime.execute import execute_onnx
from tests.hls_library.harness import Bench
from tests.hls_library.stitched import stitched
from tests.support.quantised_networks import QuantisedNetwork
from tests.transformation.to_hls.test_random_networks import folded, layers_of

SEEDS = [(seed, False) for seed in (4, 8, 13, 20, 28, 49, 90, 149)] + [(seed, True) for seed in range(5)]
"""Each with or without multiplied branches and wide quantisers."""


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("seed", "products"), SEEDS)
def test_the_stitched_design_gives_the_integers_of_the_model(
    bench: Bench, tmp_path: Path, seed: int, products: bool
) -> None:
    network = QuantisedNetwork(seed, exact=True, products=products)
    model = network.model()
    layers = folded(layers_of(model)).transform(InsertDWC()).transform(InsertFIFO())
    frames = network.values(model, 5)
    expected = output_integers(layers, execute_onnx(model, {"global_in": frames})["global_out"])
    graph = stream_graph(layers)
    source, sink = graph.layers[0].input_streams()[0], graph.layers[-1].output_streams()[0]
    turned = reordered(frames.reshape(len(frames), -1), graph.input_order)
    words = npy_to_packed(turned, source.datatype, source.elements_per_word)
    with stitched(bench, tmp_path / "network", layers) as simulation:
        for stall in (0, 0.4):
            result = simulation.run(
                words,
                len(frames) * sink.words_per_frame,
                input_stall=stall,
                output_stall=stall,
                surplus_cycles=200,
                max_idle_cycles=5000,
            )
            outputs = packed_to_npy(result.outputs, sink.datatype, sink.elements_per_word, sink.words_per_frame)
            np.testing.assert_array_equal(reordered(outputs, graph.output_order), expected)
