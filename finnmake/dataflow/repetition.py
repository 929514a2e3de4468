"""Long sequences of integers that repeat themselves, as short texts: loops in loops.

A sequence is written as the differences of its entries, and these as a list of numbers and of blocks ``[count, entry,
…]``, which stand for their entries ``count`` times. The order in which a convolution reads an image is some dozen
numbers that way. Equal sequences have equal texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finnmake.errors import ModelError

IntegerArray = NDArray[np.int64]
Tree = list["int | Tree"]

_CANDIDATES = 6
"""Lengths of a period that are tried: the most frequent distances between the rarest entries."""

_SHORT = 64
"""Numbers of a block that are written out one by one."""

_DEEPEST = 12
"""Loops in loops."""


@dataclass(frozen=True, eq=False)
class FoldedSequence:
    """A sequence that is kept as its tree: in memory most are far smaller than their numbers.

    Attributes:
        tree: as ``write_sequence`` gives it, or whatever a file says instead.
        length: that it has to have.
    """

    tree: object
    length: int

    def unfolded(self) -> IntegerArray:
        """The numbers.

        Raises:
            ModelError: no tree, or one of another length.
        """
        return read_sequence(self.tree, self.length)

    def progression(self) -> tuple[int, int] | None:
        """First number and step where they are the same from number to number; None where that does not show."""
        match self.tree:
            case [int(first), [int(count), int(step)]] if count == self.length - 1:
                return first, step
            case [[int(count), int(step)]] if count == self.length:
                return step, step
        return None


def write_sequence(values: IntegerArray) -> Tree:
    """The tree of a sequence, shape (length,)."""
    differences = np.diff(np.asarray(values, dtype=np.int64), prepend=0)
    symbols, codes = np.unique(differences, return_inverse=True)
    entries: Tree = [int(value) for value in symbols]
    return _fold(codes.astype(np.int64), entries, _DEEPEST)


def read_sequence(tree: object, length: int) -> IntegerArray:
    """The sequence of a tree.

    Raises:
        ModelError: no tree, or one of another length.
    """
    # Most sequences are these. Constant ones take no memory; they cannot be written to.
    if (progression := FoldedSequence(tree, length).progression()) is not None:
        return _progression(*progression, length)
    values = np.cumsum(_unfold(tree, length))
    if len(values) != length:
        raise ModelError(f"a sequence of {len(values)} numbers where {length} are wanted", where="schedule")
    return values


def _progression(first: int, step: int, length: int) -> IntegerArray:
    if step == 0:
        return np.broadcast_to(np.int64(first), (length,))
    return np.arange(first, first + step * length, step, dtype=np.int64)


def _fold(codes: IntegerArray, entries: Tree, depth: int) -> Tree:
    """The tree of a sequence of codes, each of which stands for an entry."""
    while depth > 0 and len(codes) > 1:
        depth -= 1
        found = _most_repeated(codes)
        if found is None:
            break
        start, period, count = found
        # The block becomes an entry of its own, wherever it comes.
        block: Tree = [count, *_fold(codes[start : start + period], entries, depth)]
        whole = codes[start : start + period * count]
        entries = [*entries, block]
        codes = _replaced(codes, whole, len(entries) - 1)
    return [entries[code] for code in codes]


def _most_repeated(codes: IntegerArray) -> tuple[int, int, int] | None:
    """Start, period and count of a repetition that saves most entries; None where none saves any."""
    best: tuple[int, int, int] | None = None
    saved = 1
    for period in _periods(codes):
        equal = np.concatenate(([False], codes[period:] == codes[:-period], [False]))
        edges = np.flatnonzero(equal[1:] != equal[:-1])
        starts, ends = edges[::2], edges[1::2]
        counts = (ends - starts) // period + 1
        gains = (counts - 1) * period
        if len(gains) and int(gains.max()) > saved:
            place = int(gains.argmax())
            saved, best = int(gains[place]), (int(starts[place]), period, int(counts[place]))
    return best


def _periods(codes: IntegerArray) -> Sequence[int]:
    """Lengths that are worth a try."""
    periods = {1: 0}
    numbers, counts = np.unique(codes, return_counts=True)
    for code in numbers[np.argsort(counts, kind="stable")][:_CANDIDATES]:
        gaps = np.diff(np.flatnonzero(codes == code))
        if len(gaps):
            lengths, often = np.unique(gaps, return_counts=True)
            for place in np.argsort(-often, kind="stable")[:_CANDIDATES]:
                periods[int(lengths[place])] = 0
    return sorted(periods)


def _replaced(codes: IntegerArray, whole: IntegerArray, by: int) -> IntegerArray:
    """The codes with ``by`` in place of every occurrence of a part, from the left."""
    length = len(whole)
    windows = np.flatnonzero(codes[: len(codes) - length + 1] == whole[0])
    keep = np.ones(len(codes), dtype=bool)
    result = codes.copy()
    free = 0
    for start in windows.tolist():
        if start >= free and np.array_equal(codes[start : start + length], whole):
            keep[start + 1 : start + length] = False
            result[start] = by
            free = start + length
    return result[keep]


def _unfold(tree: object, room: int) -> IntegerArray:
    if not isinstance(tree, list):
        raise ModelError("no sequence", where="schedule")
    parts: list[IntegerArray] = []
    numbers: list[int] = []
    short = min(_SHORT, room)
    for entry in tree:
        if type(entry) is int:
            numbers.append(entry)
            continue
        if not isinstance(entry, list) or not entry or not isinstance(entry[0], int) or entry[0] < 1:
            raise ModelError("no block of a sequence", where="schedule")
        count = entry[0]
        # Files of irregular sequences are full of short blocks; an array for each would take most of the time.
        if len(entry) == 2 and count <= short and type(entry[1]) is int:
            numbers += [entry[1]] * count
            continue
        inner = entry[1:]
        if count * len(inner) <= short and all(type(number) is int for number in inner):
            numbers += inner * count
            continue
        if numbers:
            parts.append(np.array(numbers, dtype=np.int64))
            numbers = []
        part = _unfold(inner, room)
        # Checked before it is made: the file may say anything.
        if count * len(part) > room:
            raise ModelError("a sequence is longer than its stream", where="schedule")
        parts.append(np.tile(part, count))
    if numbers or not parts:
        parts.append(np.array(numbers, dtype=np.int64))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
