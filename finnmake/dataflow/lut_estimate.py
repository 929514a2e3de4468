"""LUTs of a layer's core, estimated: what its parts are, each times a factor.

The factors were fitted (least squares of relative errors) to netlists of Yosys 0.70 as the rules make them: the 157
cores of MetaFi, and those of CNV, ResNet-small, MobileNet-small, Tincy YOLO, ResNet-50 and ESPCN that have been
synthesised, about 700 in each of the flows ``ecp5`` and ``xcup``, and some hundred layers of the kernels' tests.
``python -m benchmarks.estimates`` compares estimates with the netlists of a build. What is in memories of gates is not
looked at: thresholds that repeat themselves take less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finnmake.dataflow.fabric import Fabric
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.lut_parts import lut_parts
from finnmake.dataflow.memories import LoadedMemory

Factors = Mapping[str, tuple[float, float]]
"""LUTs of a unit of each part: with four inputs (ECP5), with six (Xilinx)."""

_PRODUCTS: Factors = {
    "core": (35.6, 22),
    "counters": (2.34, 1.79),
    "inputs": (1.26, 1.53),
    "planes": (2.63, 1.9),
    "products": (2.95, 1.68),
    "sums": (1.75, 0.839),
    "pairs": (0.714, 0.488),
    "accumulators": (1.31, 0.387),
    "compared": (0.39, 0.167),
    "memory": (0.978, 1.2),
    "weights": (0.643, 0.669),
    "thresholds": (1.22, 1.14),
    "streamed": (0.6, 0.54),
}

_STREAMS: Factors = {
    "core": (0, 0),
    "streams": (4.77, 4.21),
    "counters": (0.72, 0.682),
    "words": (0.77, 0.659),
}

FACTORS: Mapping[str, Factors] = {
    "matrix_vector_activation": _PRODUCTS,
    "vector_vector_activation": _PRODUCTS,
    "duplicate_streams": _STREAMS,
    "streaming_concat": _STREAMS,
    "streaming_split": _STREAMS,
    "convolution_input_generator": {
        "counters": (3.7, 0.637),
        "steps": (0.463, 1.03),
        "addresses": (9.56, 0.938),
        "memory": (0.952, 1.03),
        "rows": (0.884, 0.916),
        "core": (13.8, 0),
        "words": (1.57, 1.13),
        "places": (2.35, 1.85),
    },
    "crop": {
        "core": (0.386, 0.211),
        "counters": (2.56, 1.47),
        "words": (1.08, 1.68),
    },
    "elementwise_binary": {
        "core": (18.9, 16.2),
        "sums": (1.09, 1.33),
        "products": (3.15, 2.81),
        "constants": (0.633, 0.616),
        "memory": (1.19, 1.34),
    },
    "fm_padding": {
        "core": (13.2, 14),
        "counters": (2.58, 0.926),
        "words": (2.47, 3),
    },
    "global_acc_pool": {
        "core": (4.78, 7.66),
        "sums": (0, 1.86),
        "counters": (3.94, 1.19),
        "words": (3.91, 0.701),
        "memory": (0.459, 0.145),
    },
    "label_select": {
        "core": (20, 1.5),
        "compared": (1.7, 0.716),
        "counters": (2.5, 5.99),
    },
    "lookup": {
        "core": (0.123, 0.164),
        "words": (1.83, 1.64),
        "constants": (1.42, 1.64),
    },
    "pool": {
        "core": (1.3, 0),
        "counters": (5.48, 5.58),
        "values": (2.23, 2.1),
    },
    "requant": {
        "core": (24.7, 39.1),
        "sums": (3.71, 0.634),
        "constants": (0.4, 0.385),
        "products": (3.15, 2.81),
    },
    "stream_reorder": {
        "core": (2.59, 7.43),
        "counters": (1.72, 0.923),
        "steps": (1.63, 0.987),
        "memory": (0.972, 0.825),
    },
    "streaming_data_width_converter": {
        "core": (3.19, 3.6),
        "places": (2.01, 1.59),
        "moved": (2.44, 2.02),
    },
    "streaming_fifo": {
        "core": (0, 0.585),
        "counters": (3.41, 1.63),
        "memory": (0.956, 1.02),
        "rows": (0.971, 1.02),
        "words": (1.03, 1.05),
    },
    "thresholding": {
        "core": (24.4, 14.7),
        "words": (0.524, 0.683),
        "searched": (0.991, 0.758),
        "thresholds": (1.58, 0.908),
    },
}
"""By kernel, of the parts that `lut_parts` counts."""


def estimate_luts(layer: Layer, fabric: Fabric, loaded: Sequence[LoadedMemory]) -> int:
    """LUTs of a layer's core. ``loaded``: its memories that are loaded."""
    factors, column = FACTORS[layer.kernel], 0 if fabric.lut_inputs == 4 else 1
    parts = lut_parts(layer, fabric, loaded)
    return round(sum(factors[part][column] * count for part, count in parts.items() if count))
