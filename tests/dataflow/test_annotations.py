"""AnnotateCycles and AnnotateResources; estimates beside what synthesis made of the same cores."""

from __future__ import annotations

import json

import numpy as np
import pytest

from finnmake.dataflow import AnnotateCycles, AnnotateResources, getCustomOp
from finnmake.dataflow.crop import Crop
from finnmake.dataflow.elementwise_binary import ElementwiseAdd, ElementwiseMul, ElementwiseSub
from finnmake.dataflow.fabric import ECP5
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.lookup import Lookup
from finnmake.dataflow.memories import loaded_memories
from finnmake.dataflow.nodes import layer_from_node
from finnmake.dataflow.requant import Requant
from finnmake.dataflow.resource_estimate import estimate_resources
from finnmake.dataflow.shuffle import Shuffle
from finnmake.dataflow.streaming_concat import StreamingConcat, StreamingSplit
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.dataflow.upsample import UpsampleNearestNeighbour
from finnmake.errors import ModelError
from tests.hls_library.random_layers import random_mvau, random_thresholding
from tests.support.hardware_models import hardware_model

ONE = np.array([1])

SYNTHESISED: list[tuple[Layer, tuple[int, int, int]]] = [
    (random_mvau((784, 64), (49, 16), ("BIPOLAR", "BIPOLAR"), (1, "BIPOLAR")), (2623, 22, 0)),
    (random_mvau((784, 64), (28, 4), ("INT2", "INT2"), (3, "INT2")), (1975, 7, 0)),
    (random_mvau((64, 64), (64, 8), ("TERNARY", "TERNARY"), (2, "TERNARY")), (3559, 0, 0)),
    (random_mvau((64, 10), (8, 1), ("INT2", "INT2")), (204, 1, 0)),
    (random_mvau((64, 32), (16, 4), ("UINT3", "INT3"), (7, "UINT3")), (2567, 6, 0)),
    (random_mvau((64, 32), (8, 4), ("UINT4", "INT4"), (15, "UINT4")), (1683, 4, 32)),
    (random_mvau((16, 64), (4, 8), ("INT6", "INT6"), (63, "UINT6")), (5469, 17, 32)),
    (random_mvau((32, 16), (4, 4), ("UINT8", "INT8")), (653, 4, 16)),
    (random_thresholding(64, 8, "INT8", 3, "UINT2"), (409, 0, 0)),
    (random_thresholding(32, 2, "UINT8", 63, "UINT6"), (1187, 2, 0)),
    (LabelSelect(10, 10, "INT12", "UINT4"), (330, 0, 0)),
    (StreamingFIFO("INT2", 16, 32, 32), (182, 0, 0)),
    (StreamingFIFO("INT4", 32, 64, 1024), (135, 8, 0)),
    (ElementwiseAdd(64, 8, "INT8", "INT8", "INT9"), (227, 0, 0)),
    (ElementwiseSub(64, 16, "UINT4", "INT4", "INT6"), (279, 0, 0)),
    (ElementwiseMul(64, 4, "INT8", "INT8", "INT16", "const", parameters={"rhs": np.arange(64)}), (200, 0, 4)),
    (
        Requant(64, 4, "INT16", "INT6", "INT22", "UINT8", 8, parameters={"multipliers": ONE, "biases": ONE}),
        (563, 0, 4),
    ),
    (Lookup(256, 16, 4, "UINT8", "INT8", 4, parameters={"embeddings": np.ones((256, 16), dtype=np.int64)}), (33, 2, 0)),
    (StreamingConcat("64,32", 8, "INT8", 16), (165, 0, 0)),
    (StreamingSplit("64,64,32", 8, "INT4", 16), (131, 0, 0)),
    (UpsampleNearestNeighbour(8, 16, 16, 32, 16, 8, "INT4"), (58, 1, 0)),
    (UpsampleNearestNeighbour(8, 32, 16, 64, 64, 8, "INT8"), (88, 2, 0)),
    (Shuffle("16,16,8", "1,0,2", 8, "INT4"), (64, 1, 0)),
    (Crop(16, 16, 16, 8, "INT8", 1, 1, 1, 1), (98, 0, 0)),
    (LabelSelect(100, 1, "INT16", "UINT7", K=5), (598, 0, 0)),
]
"""LUT4s, block memories and multipliers of cores as Yosys 0.70 makes them for ECP5."""


@pytest.mark.parametrize(
    ("layer", "synthesised"), SYNTHESISED, ids=lambda v: v.core_name() if isinstance(v, Layer) else ""
)
def test_estimates_beside_synthesis(layer: Layer, synthesised: tuple[int, int, int]) -> None:
    estimate = estimate_resources(layer)
    assert synthesised[1:] == (estimate.BRAM_18K, estimate.DSP)
    # Thresholds are random here: those of trained networks, which the factors are of, take half of such memories.
    random = any(memory.name.startswith("thresholds") and not memory.block for memory in loaded_memories(layer))
    error = 0.5 if random else 0.3
    assert abs(estimate.LUT / synthesised[0] - 1) <= error


def test_block_memories_take_their_best_shape() -> None:
    assert [ECP5.block_memories(*size) for size in ((512, 36), (513, 36), (16384, 1), (16385, 1), (1, 37))] == [
        1,
        2,
        1,
        2,
        2,
    ]


def test_annotations_of_a_chain() -> None:
    layers: list[Layer] = [random_mvau((8, 6), (2, 3), ("INT2", "INT2"), (3, "UINT2"))]
    layers.append(LabelSelect(6, 3, "UINT2", "UINT3"))
    model = hardware_model(layers)
    annotated = model.transform(AnnotateCycles()).transform(AnnotateResources())
    assert [getCustomOp(node).get_nodeattr("cycles_estimate") for node in annotated.nodes] == [8, 2]
    estimates = [json.loads(str(getCustomOp(node).get_nodeattr("res_estimate"))) for node in annotated.nodes]
    assert estimates == [estimate_resources(layer).as_dict() for layer in layers]
    total = json.loads(annotated.get_metadata_prop("res_total_estimate") or "")
    assert total == {name: sum(entry[name] for entry in estimates) for name in ("LUT", "BRAM_18K", "DSP", "URAM")}
    for node, layer in zip(annotated.nodes, layers, strict=True):
        assert layer_from_node(node).core_name() == layer.core_name(), "annotations are no part of a core"
    assert "cycles_estimate" not in model.nodes[0].attributes


def test_more_parallelism_takes_more_and_never_less() -> None:
    luts = [
        estimate_resources(random_mvau((16, 16), (simd, pe), ("UINT3", "INT3"), (7, "UINT3"))).LUT
        for simd, pe in ((1, 1), (2, 2), (4, 4), (8, 8), (16, 16))
    ]
    assert (np.diff(luts) > 0).all()


def test_other_modes_are_refused() -> None:
    with pytest.raises(ModelError, match="build's report"):
        AnnotateResources("hls")
