"""Integer thresholds of any monotone chain of ops, found by evaluating the chain itself.

Between an integer tensor and the next quantiser lies a function f: integer → level, one per channel. Where f is
monotone it is a set of thresholds: level k is reached from the smallest integer on whose f is at least k. The chain
is evaluated in float32 by onnxruntime, op by op as the model executes it, so that ties fall as they do in the model.
Small ranges are evaluated whole; in large ones thresholds are bisected, all channels and levels at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finnmake.graph.expression import Evaluator, is_per_tensor
from finnmake.graph.quantiser import Quantiser
from finnmake.graph.scaled_integer_analysis import IntegerFunction, ScaledInteger

Array = NDArray[Any]

_WHOLE_RANGE = 1 << 21
"""Evaluations up to which a range is evaluated point by point."""
_GRID = 513
"""Points per channel at which a larger range is checked for direction before the bisection."""


class NotMonotoneError(Exception):
    """The function rises and falls, or is not a number.

    Args:
        channel: the first channel it does so in.
        reason: what it does.
    """

    def __init__(self, channel: int, reason: str) -> None:
        super().__init__(reason)
        self.channel = channel
        self.reason = reason


@dataclass(frozen=True)
class Thresholds:
    """Result of the extraction.

    Attributes:
        values: int64 (channels or 1, thresholds), ascending; an integer reaches level k from ``values[:, k - 1]`` on.
            A level that is always reached has the range's minimum, one that is never reached its maximum + 1.
        falling: bool (channels or 1): the function falls; ``values`` are for the negated integers.
        ties: how many thresholds lie so near to a rounding tie that the order of float32 additions can move them by
            one.
    """

    values: NDArray[np.int64]
    falling: NDArray[np.bool_]
    ties: int


def extract_thresholds(function: IntegerFunction, quantiser: Quantiser, channels: int, opset: int) -> Thresholds:
    """Thresholds that give the same levels as the chain followed by the quantiser, for every integer of the range.

    Args:
        function: the quantiser's input.
        quantiser: what follows.
        channels: size of axis 1 of the tensor.
        opset: version of the standard ops.

    Returns:
        One row where all channels have the same function.

    Raises:
        NotMonotoneError: where a channel's function is not monotone.
    """
    shared = function.source.channels == 1 and is_per_tensor(function.expression) and not quantiser.per_channel
    levels = _Levels(function, quantiser, 1 if shared else channels, opset)
    source = function.source
    size = source.maximum - source.minimum + 1
    if size * levels.channels <= _WHOLE_RANGE:
        values, falling = _by_whole_range(levels, source)
    else:
        values, falling = _by_bisection(levels, source)
    return Thresholds(values, falling, 0 if source.exact else _count_ties(levels, source, values, falling))


class _Levels:
    """integer matrix (points, channels) → level matrix."""

    def __init__(self, function: IntegerFunction, quantiser: Quantiser, channels: int, opset: int) -> None:
        self.channels = channels
        self.thresholds = quantiser.thresholds
        self._source = function.source
        self._quantiser = quantiser
        self._evaluate = Evaluator(function.expression, opset)

    def __call__(self, integers: NDArray[np.int64], shift: float = 0.0) -> NDArray[np.int64]:
        """Levels; ``shift`` moves the float value that an integer stands for, in units of one integer."""
        exact = (integers + shift) * self._source.scale + self._source.bias
        values = self._evaluate(np.broadcast_to(exact, integers.shape).astype(np.float32))
        if np.isnan(values).any():
            raise NotMonotoneError(int(np.argwhere(np.isnan(values))[0][1]), "gives NaN")
        return self._quantiser.levels(values)


def _direction(levels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True for channels whose levels (points, channels) fall.

    Raises:
        NotMonotoneError: where a channel's levels do both.
    """
    steps = np.diff(levels, axis=0)
    rises, falls = (steps > 0).any(axis=0), (steps < 0).any(axis=0)
    both = np.flatnonzero(rises & falls)
    if both.size:
        raise NotMonotoneError(int(both[0]), "rises and falls")
    return np.asarray(falls)


def _by_whole_range(levels: _Levels, source: ScaledInteger) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    points = np.arange(source.minimum, source.maximum + 1, dtype=np.int64)
    table = levels(np.broadcast_to(points[:, None], (points.size, levels.channels)))
    falling = _direction(table)
    # The number of points below a level does not depend on the direction, only where counting starts does.
    start = np.where(falling, -source.maximum, source.minimum)
    below = np.stack([(table <= level).sum(axis=0) for level in range(levels.thresholds)], axis=1)
    return start[:, None] + below.reshape(levels.channels, levels.thresholds), falling


def _by_bisection(levels: _Levels, source: ScaledInteger) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    grid = np.unique(np.linspace(source.minimum, source.maximum, _GRID).round().astype(np.int64))
    table = levels(np.broadcast_to(grid[:, None], (grid.size, levels.channels)))
    falling = _direction(table)
    sign = np.where(falling, -1, 1)[None, :]
    low_end = np.where(falling, -source.maximum, source.minimum)[None, :]
    high_end = np.where(falling, -source.minimum, source.maximum)[None, :]
    wanted = np.arange(levels.thresholds)[:, None]
    # Invariant: level(below) ≤ k < level(reached), in coordinates in which the function rises.
    below = np.broadcast_to(low_end - 1, (levels.thresholds, levels.channels)).copy()
    reached = np.broadcast_to(high_end + 1, below.shape).copy()
    for index in range(grid.size):
        here = grid[index] * sign
        is_reached = table[index][None, :] > wanted
        reached = np.where(is_reached, np.minimum(reached, here), reached)
        below = np.where(is_reached, below, np.maximum(below, here))
    while (reached - below > 1).any():
        middle = (below + reached) // 2
        inside = np.clip(middle, low_end, high_end)
        is_reached = levels(inside * sign) > wanted
        open_ = reached - below > 1
        reached = np.where(open_ & is_reached, middle, reached)
        below = np.where(open_ & ~is_reached, middle, below)
    if (np.diff(reached, axis=0) < 0).any():
        channel = int(np.argwhere(np.diff(reached, axis=0) < 0)[0][1])
        raise NotMonotoneError(channel, "rises and falls")
    return np.ascontiguousarray(reached.T), falling


def _count_ties(levels: _Levels, source: ScaledInteger, values: NDArray[np.int64], falling: NDArray[np.bool_]) -> int:
    """Thresholds that one float32 rounding of the largest sum would move."""
    sign = np.where(falling, -1, 1)[None, :]
    thresholds = values.T
    shift = max(abs(source.minimum), abs(source.maximum)) * 2.0**-24
    low, high = np.where(falling, -source.maximum, source.minimum), np.where(falling, -source.minimum, source.maximum)
    inner = (thresholds > low) & (thresholds <= high)
    wanted = np.arange(levels.thresholds)[:, None]
    moved = np.zeros(thresholds.shape, dtype=bool)
    for offset in (0, -1):
        at = np.clip(thresholds + offset, low, high) * sign
        moved |= (
            np.minimum(levels(at, shift), levels(at, -shift)) <= wanted
            if offset == 0
            else (np.maximum(levels(at, shift), levels(at, -shift)) > wanted)
        )
    return int((moved & inner).sum())
