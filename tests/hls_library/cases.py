"""How many layers the kernels are tested with: both languages against NumPy, random stalls, cycles as stated.

python -m tests.hls_library.cases        # prints them by layer type
"""

from __future__ import annotations

from collections import Counter

from tests.hls_library.bundle import SIZE
from tests.hls_library.grids import GRID, LARGER_GRID
from tests.hls_library.strategies import STRATEGIES

RANDOM_LAYERS = 4
"""Random layers of each type that run with every test."""

RANDOM_BUNDLES = {
    **dict.fromkeys(STRATEGIES, 2),
    "MatrixVectorActivation": 20,
    "Thresholding": 10,
    "VectorVectorActivation": 5,
    "ConvolutionInputGenerator": 5,
}
"""Bundles of random layers of each type that run nightly."""


def cases() -> Counter[str]:
    """Layers that run with every test, by type."""
    return Counter(layer.op_type for layer in GRID) + Counter(dict.fromkeys(STRATEGIES, RANDOM_LAYERS))


def nightly_cases() -> Counter[str]:
    """Layers that run nightly, by type."""
    random = Counter({name: count * SIZE for name, count in RANDOM_BUNDLES.items()})
    return Counter(layer.op_type for layer in LARGER_GRID) + random


def table() -> str:
    """Both, a line a type."""
    often, nightly = cases(), nightly_cases()
    rows = [(name, often[name], nightly[name]) for name in STRATEGIES]
    rows.append(("all", often.total(), nightly.total()))
    lines = [f"{'layer type':26}{'make test':>10}{'make nightly':>14}"]
    return "\n".join([*lines, *(f"{name:26}{first:10}{second:14}" for name, first, second in rows)])


if __name__ == "__main__":
    print(table())
