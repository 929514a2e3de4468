"""Multiplier, bias and shift that give the integers of a quantiser exactly: the line search behind ``Requant``.

A quantiser behind scales and biases gives the integer y for the integers q of an interval.
``floor((m·q + b) / 2^s)`` is y where ``2^s·y ≤ m·q + b ≤ 2^s·(y + 1) - 1``, and rounding to even is the same with other
ends; where y is the end of the output's datatype, one of the two ends is open, as the layer clips. So the integers m
and b of a shift are the points of a polygon, all of whose sides are at ends of the intervals. The search takes few
sides, looks for a point inside, and takes in the sides that the point is outside of, until there are none: what is
found is right for every integer of the range, and where nothing is found there is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finnmake.graph.datatype import AnyDataType
from finnmake.transformation.streamline.threshold_extraction import Thresholds

Integers = NDArray[np.int64]

_MOST_MULTIPLIER = (1 << 30) - 1
_MOST_BIAS = (1 << 47) - 1
_MOST_SHIFT = 40
_SEARCHED = ("FLOOR", "HALF_EVEN")
"""HALF_UP is FLOOR with half a step in the bias."""


@dataclass(frozen=True)
class FixedPoint:
    """``round((q · multiplier + bias) / 2**shift)`` for each channel.

    Attributes:
        multipliers: int64 (channels or 1).
        biases: int64 (channels or 1).
        shift: bits of the fraction.
        rounding: ``FLOOR`` or ``HALF_EVEN``.
    """

    multipliers: Integers
    biases: Integers
    shift: int
    rounding: str


class NoFixedPointError(Exception):
    """No multiplier, bias and shift give the integers.

    Args:
        channel: the first channel that there are none for.
        points: some of its integers that no line goes through, each with what it gives.
    """

    def __init__(self, channel: int, points: tuple[tuple[int, int], ...]) -> None:
        super().__init__(f"channel {channel}")
        self.channel = channel
        self.points = points


def fixed_point(thresholds: Thresholds, low: int, high: int, minimum: int, output: AnyDataType) -> FixedPoint:
    """The fixed-point form of thresholds, of the fewest bits of fraction.

    Args:
        thresholds: of a quantiser, one row or one per channel.
        low: smallest integer that the quantiser takes.
        high: the largest.
        minimum: what it gives below all thresholds; one more for each threshold reached.
        output: the datatype that the results are clipped to.

    Raises:
        NoFixedPointError: there is none.
    """
    channels = [
        _ends_of(values, bool(falling), low, high, minimum)
        for values, falling in zip(thresholds.values, thresholds.falling, strict=True)
    ]
    failed: NoFixedPointError | None = None
    for rounding in _SEARCHED:
        try:
            found = _common(channels, rounding, output)
        except NoFixedPointError as problem:
            failed = failed or problem
            continue
        return found
    raise failed or NoFixedPointError(0, ())


def _common(channels: list[tuple[Integers, Integers]], rounding: str, output: AnyDataType) -> FixedPoint:
    """All channels with the shift of the one that needs the largest."""
    lines: list[tuple[int, int, int]] = []
    for index, (q, y) in enumerate(channels):
        search = _Search(q, y, rounding, output)
        found = next((line for shift in range(_MOST_SHIFT + 1) if (line := search.line(shift))), None)
        if found is None:
            raise NoFixedPointError(index, search.conflict)
        lines.append(found)
    shift = max(line[2] for line in lines)
    multipliers = np.array([m << (shift - s) for m, _, s in lines], dtype=object)
    biases = np.array([b << (shift - s) for _, b, s in lines], dtype=object)
    for index in range(len(lines)):
        if abs(multipliers[index]) > _MOST_MULTIPLIER or abs(biases[index]) > _MOST_BIAS:
            raise NoFixedPointError(index, ())
    if len(lines) > 1 and (multipliers == multipliers[0]).all() and (biases == biases[0]).all():
        multipliers, biases = multipliers[:1], biases[:1]
    return FixedPoint(multipliers.astype(np.int64), biases.astype(np.int64), shift, rounding)


def _ends_of(values: Integers, falling: bool, low: int, high: int, minimum: int) -> tuple[Integers, Integers]:
    """First and last integer of every level that occurs, and the levels: a line that is right there is right between.

    Args:
        values: thresholds of a channel.
        falling: they are for the negated integers.
        low: smallest integer.
        high: the largest.
        minimum: of the levels.
    """
    if falling:
        low, high = -high, -low
    edges = np.concatenate([[low], np.clip(values, low, high + 1), [high + 1]])
    (levels,) = np.nonzero(edges[:-1] < edges[1:])
    q = np.concatenate([edges[:-1][levels], edges[1:][levels] - 1])
    y = np.concatenate([levels, levels]) + minimum
    return (-q if falling else q), y


class _Search:
    """The lines of one channel, shift by shift; sides that were needed once are kept for the next shift."""

    def __init__(self, q: Integers, y: Integers, rounding: str, output: AnyDataType) -> None:
        self._even = rounding == "HALF_EVEN"
        above, below = y > int(output.min()), y < int(output.max())
        self._lower = q[above], y[above]
        self._upper = q[below], y[below]
        self._used: tuple[list[int], list[int]] = ([], [])
        for used, (points, _) in zip(self._used, (self._lower, self._upper), strict=True):
            if points.size:
                used += sorted({int(points.argmin()), int(points.argmax())})
        self.conflict: tuple[tuple[int, int], ...] = ()

    def line(self, shift: int) -> tuple[int, int, int] | None:
        """Multiplier, bias and the shift, right for all points; None where there is none."""
        lower_q, lower = self._lower[0], self._smallest_sums(shift)
        upper_q, upper = self._upper[0], self._largest_sums(shift)
        while True:
            found = self._inside(lower, upper)
            if found is None:
                return None
            multiplier, bias = found
            added = False
            for used, gap in (
                (self._used[0], lower - lower_q * multiplier - bias),
                (self._used[1], upper_q * multiplier + bias - upper),
            ):
                worst = int(gap.argmax()) if gap.size else -1
                if worst >= 0 and gap[worst] > 0:
                    used.append(worst)
                    added = True
            if not added:
                return multiplier, bias, shift

    def _smallest_sums(self, shift: int) -> Integers:
        y, half = self._lower[1], (1 << shift) >> 1
        return (y << shift) - half + (y & 1) if self._even and shift else y << shift

    def _largest_sums(self, shift: int) -> Integers:
        y, half = self._upper[1], (1 << shift) >> 1
        return (y << shift) + half - (y & 1) if self._even and shift else (y << shift) + (1 << shift) - 1

    def _inside(self, lower: Integers, upper: Integers) -> tuple[int, int] | None:
        """A multiplier and a bias for the sides that are used: of those there are, in the middle."""
        floors = [(int(self._lower[0][index]), int(lower[index])) for index in self._used[0]]
        ceilings = [(int(self._upper[0][index]), int(upper[index])) for index in self._used[1]]
        least, most = -_MOST_MULTIPLIER, _MOST_MULTIPLIER
        rising, falling = None, None  # the pairs of sides that the two come from
        for a, (q, smallest) in enumerate(floors):
            for c, (p, largest) in enumerate(ceilings):
                needed, distance = smallest - largest, q - p
                if distance > 0 and -(-needed // distance) > least:
                    least, rising = -(-needed // distance), (a, c)
                elif distance < 0 and needed // distance < most:
                    most, falling = needed // distance, (a, c)
        if least > most:
            if rising is not None and falling is not None:
                self.conflict = self._points_of(rising, falling)
            return None
        multiplier = _middle(least, most, _MOST_MULTIPLIER)
        smallest = max((sums - q * multiplier for q, sums in floors), default=-_MOST_BIAS)
        largest = min((sums - q * multiplier for q, sums in ceilings), default=_MOST_BIAS)
        bias = _middle(max(smallest, -_MOST_BIAS), min(largest, _MOST_BIAS), _MOST_BIAS)
        return (multiplier, bias) if smallest <= bias <= largest else None

    def _points_of(self, *pairs: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        found = set()
        for a, c in pairs:
            for (q, y), index in ((self._lower, self._used[0][a]), (self._upper, self._used[1][c])):
                found.add((int(q[index]), int(y[index])))
        return tuple(sorted(found))


def _middle(least: int, most: int, limit: int) -> int:
    """Half way; of a range that is open, which is one that ends at ±limit, the number next to zero."""
    if least <= -limit or most >= limit:
        return min(max(0, least), most)
    return (least + most) // 2
