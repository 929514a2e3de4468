"""Integer thresholds of any monotone chain of ops, found by evaluating the chain itself.

Between an integer tensor and the next quantiser lies a function f: integer → level, one per channel. Where f is
monotone it is a set of thresholds: level k is reached from the smallest integer on whose f is at least k. The chain
is evaluated in float32 by onnxruntime, op by op as the model executes it, so that ties fall as they do in the model.

Where the chain is linear but for its limits, each threshold is guessed, and evaluation at and before the guess decides;
where that fails, and for other chains, thresholds are bisected, all channels and levels at once. A chain whose ops are
not known to be monotone is evaluated on its whole range where that is small, else on a grid, to see that it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finnmake.graph.expression import Evaluator, affine_of, direction_of, is_per_tensor
from finnmake.graph.quantiser import Quantiser
from finnmake.graph.scaled_integer_analysis import IntegerFunction, ScaledInteger

Array = NDArray[Any]
Integers = NDArray[np.int64]

_WHOLE_RANGE = 1 << 18
"""Evaluations up to which a range is evaluated point by point."""
_SMALL_RANGE = 1 << 12
"""The same for chains that are known to be monotone: bisection is faster beyond."""
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
        tied: bool, shape of ``values``: the threshold lies so near to a rounding tie that the order of float32
            additions can move it by one.
    """

    values: NDArray[np.int64]
    falling: NDArray[np.bool_]
    tied: NDArray[np.bool_]


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
    direction = direction_of(function.expression)
    size = source.maximum - source.minimum + 1
    if size * levels.channels <= (_WHOLE_RANGE if direction is None else _SMALL_RANGE):
        values, falling = _by_whole_range(levels, source)
    elif direction is None:
        values, falling = _by_bisection(levels, source, *_from_grid(levels, source))
    else:
        falling = np.broadcast_to(direction * np.where(source.scale < 0, -1, 1) < 0, (levels.channels,)).copy()
        values, falling = _by_bisection(levels, source, *_from_guess(levels, source, falling, function, quantiser))
    tied = np.zeros(values.shape, dtype=bool) if source.exact else _ties(levels, source, values, falling)
    return Thresholds(values, falling, tied)


def follow(first: Thresholds, second: Thresholds, low: int, high: int, minimum: int, step: int) -> Thresholds:
    """Thresholds of a quantiser whose input is the integers of another one, as thresholds of what that one takes.

    Args:
        first: of the quantiser that comes first.
        second: of the one behind it, which rises.
        low: smallest integer that the first one takes.
        high: the largest.
        minimum: smallest integer that the first one gives.
        step: difference of neighbouring integers that it gives.
    """
    rows = max(len(first.values), len(second.values))
    # The second reaches a level as soon as the first has reached so many of its own.
    needed = np.clip(-((minimum - second.values) // step), 0, first.values.shape[1] + 1)
    needed = np.broadcast_to(needed, (rows, needed.shape[1]))
    ends = ((0, 0), (1, 1))
    values = np.pad(first.values, ends, constant_values=((0, 0), (low, high + 1)))
    tied = np.pad(first.tied, ends)
    return Thresholds(
        np.take_along_axis(np.broadcast_to(values, (rows, values.shape[1])), needed, axis=1),
        first.falling,
        np.take_along_axis(np.broadcast_to(tied, (rows, tied.shape[1])), needed, axis=1),
    )


def float_thresholds(quantiser: Quantiser, channels: int) -> NDArray[np.float32]:
    """For each level the smallest float32 number that reaches it: shape (channels or 1, thresholds).

    Bisected over all float32 numbers, in the order of their size; infinity for a level that none reaches.
    """
    columns = channels if quantiser.per_channel else 1
    infinity = int(np.float32(np.inf).view(np.int32))
    wanted = np.arange(quantiser.thresholds)[:, None]
    below = np.full((quantiser.thresholds, columns), -infinity - 1, dtype=np.int64)
    reached = np.full(below.shape, infinity, dtype=np.int64)
    while (reached - below > 1).any():
        middle = (below + reached) // 2
        is_reached = quantiser.levels(_float_of_rank(np.maximum(middle, -infinity))) > wanted
        open_ = reached - below > 1
        reached = np.where(open_ & is_reached, middle, reached)
        below = np.where(open_ & ~is_reached, middle, below)
    return np.ascontiguousarray(_float_of_rank(reached).T)


def _float_of_rank(rank: Integers) -> NDArray[np.float32]:
    """Float32 numbers by their rank: 0 is 0.0, 1 the next larger one, -1 the next smaller one."""
    magnitude = np.abs(rank).astype(np.int32).view(np.float32)
    return np.where(rank < 0, -magnitude, magnitude)


class _Levels:
    """integer matrix (points, channels) → level matrix."""

    def __init__(self, function: IntegerFunction, quantiser: Quantiser, channels: int, opset: int) -> None:
        self.channels = channels
        self.thresholds = quantiser.thresholds
        self._source = function.source
        self._quantiser = quantiser
        self._evaluate = Evaluator(function.expression, opset)

    def __call__(self, integers: NDArray[np.int64], shift: Array | float = 0.0) -> NDArray[np.int64]:
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


def _by_whole_range(levels: _Levels, source: ScaledInteger) -> tuple[Integers, NDArray[np.bool_]]:
    points = np.arange(source.minimum, source.maximum + 1, dtype=np.int64)
    table = levels(np.broadcast_to(points[:, None], (points.size, levels.channels)))
    falling = _direction(table)
    # The number of points below a level does not depend on the direction, only where counting starts does.
    start = np.where(falling, -source.maximum, source.minimum)
    return start[:, None] + _counts(table, levels.thresholds).T, falling


def _counts(table: Integers, thresholds: int) -> Integers:
    """How many points of each column (points, channels) do not reach level 1, 2, …: shape (thresholds, channels)."""
    channels, bins = table.shape[1], thresholds + 1
    found = np.bincount((table + np.arange(channels) * bins).ravel(), minlength=channels * bins)
    return np.ascontiguousarray(found.reshape(channels, bins).cumsum(axis=1)[:, :thresholds].T)


# A bracket is (below, reached), each (thresholds, channels), in coordinates in which the function rises: level(below)
# ≤ k < level(reached), where one less than the range is on no level and one more is on every level.
_Bracket = tuple[Integers, Integers, NDArray[np.bool_]]


def _ends(source: ScaledInteger, falling: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    low = np.where(falling, -source.maximum, source.minimum)[None, :]
    high = np.where(falling, -source.minimum, source.maximum)[None, :]
    return low, high


def _from_grid(levels: _Levels, source: ScaledInteger) -> _Bracket:
    """Brackets between points of a grid.

    Raises:
        NotMonotoneError: where the grid shows that the function is not monotone.
    """
    grid = np.unique(np.linspace(source.minimum, source.maximum, _GRID).round().astype(np.int64))
    table = levels(np.broadcast_to(grid[:, None], (grid.size, levels.channels)))
    falling = _direction(table)
    counts = _counts(table, levels.thresholds)
    rising = np.concatenate([[source.minimum - 1], grid, [source.maximum + 1]])
    edges = np.where(falling[None, :], -rising[::-1, None], rising[:, None])
    return np.take_along_axis(edges, counts, axis=0), np.take_along_axis(edges, counts + 1, axis=0), falling


def _from_guess(
    levels: _Levels,
    source: ScaledInteger,
    falling: NDArray[np.bool_],
    function: IntegerFunction,
    quantiser: Quantiser,
) -> _Bracket:
    """Brackets around the boundaries of the quantiser, carried back through the chain."""
    sign = np.where(falling, -1, 1)[None, :]
    low, high = _ends(source, falling)
    shape = levels.thresholds, levels.channels
    below, reached = (np.broadcast_to(end, shape).copy() for end in (low - 1, high + 1))
    form = affine_of(function.expression, between_limits=True)
    if form is None:
        return below, reached, falling
    slope = np.asarray(form.scale * source.scale)
    offset = form.scale * source.bias + form.bias
    boundaries = np.broadcast_to(quantiser.boundaries(), (levels.channels, levels.thresholds)).T
    with np.errstate(all="ignore"):
        exact = np.nan_to_num((boundaries - offset) / slope * sign, nan=0.0)
    guess = np.clip(np.ceil(exact), low, high + 1).astype(np.int64)
    wanted = np.arange(levels.thresholds)[:, None]
    # Two points a threshold, the guess and the one before it, then their neighbours further and further away.
    distance = np.zeros(shape, dtype=np.int64)
    for _ in range(3):
        for point in (guess + distance, guess - 1 - distance):
            inside = np.clip(point, low, high)
            is_reached = levels(inside * sign) > wanted
            reached = np.where(is_reached, np.minimum(reached, inside), reached)
            below = np.where(is_reached, below, np.maximum(below, inside))
        if (reached - below <= 1).all():
            break
        distance = distance * 8 + 1
    return below, reached, falling


def _by_bisection(
    levels: _Levels, source: ScaledInteger, below: Integers, reached: Integers, falling: NDArray[np.bool_]
) -> tuple[Integers, NDArray[np.bool_]]:
    sign = np.where(falling, -1, 1)[None, :]
    low, high = _ends(source, falling)
    wanted = np.arange(levels.thresholds)[:, None]
    while (reached - below > 1).any():
        middle = (below + reached) // 2
        is_reached = levels(np.clip(middle, low, high) * sign) > wanted
        open_ = reached - below > 1
        reached = np.where(open_ & is_reached, middle, reached)
        below = np.where(open_ & ~is_reached, middle, below)
    if (np.diff(reached, axis=0) < 0).any():
        channel = int(np.argwhere(np.diff(reached, axis=0) < 0)[0][1])
        raise NotMonotoneError(channel, "rises and falls")
    return np.ascontiguousarray(reached.T), falling


def _ties(levels: _Levels, source: ScaledInteger, values: Integers, falling: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thresholds that one float32 rounding of the largest sum would move."""
    sign = np.where(falling, -1, 1)[None, :]
    low, high = _ends(source, falling)
    thresholds = values.T
    shift = max(abs(source.minimum), abs(source.maximum)) * 2.0**-24
    inner = (thresholds > low) & (thresholds <= high)
    wanted = np.arange(levels.thresholds)[:, None]
    lost = levels(np.clip(thresholds, low, high) * sign, -shift * sign) <= wanted
    won = levels(np.clip(thresholds - 1, low, high) * sign, shift * sign) > wanted
    return np.asarray(((lost | won) & inner).T)
