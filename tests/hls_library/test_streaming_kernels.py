"""What only some kernels of streams promise: the depth of a queue, the label among equals."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.errors import VerificationError
from tests.hls_library.grids import FIFOS, SELECTORS
from tests.hls_library.harness import Bench, layer_name


@pytest.mark.parametrize("layer", FIFOS, ids=layer_name)
def test_a_fifo_holds_its_depth_and_not_one_word_more(bench: Bench, layer: StreamingFIFO) -> None:
    words = np.zeros((layer.depth + 1, (layer.input_stream().width + 7) // 8), dtype=np.uint8)
    with bench.rtl(layer) as simulation:
        simulation.run(words[: layer.depth], 0, max_idle_cycles=50)
        with pytest.raises(VerificationError, match=f"{layer.depth} of {layer.depth + 1} input words were taken"):
            simulation.run(words, 0, max_idle_cycles=50)


def test_among_equal_maxima_the_lowest_index_wins(bench: Bench) -> None:
    layer = SELECTORS[1]
    frames = np.full((8, layer.Labels), -8, dtype=np.int64)
    for index, frame in enumerate(frames[1:], start=1):
        frame[[index, index + 3, 14]] = index - 8
    assert layer.execute(frames).ravel().tolist() == [0, *range(1, 8)]
    bench.check_rtl(layer, frames)
    bench.check_cpp(layer, frames)
