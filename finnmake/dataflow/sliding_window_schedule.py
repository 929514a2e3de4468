"""The schedule of a sliding window over a stream of words: in which order words are read, and how many must be held.

A window is read as nested loops count; each loop moves the place that is read by a constant number of words, so that
the hardware adds and never multiplies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

_CYCLES_BEHIND = 4
"""Cycles from the word that is read to the word that may enter in its place, and to spare."""


@dataclass(frozen=True)
class WindowLoop:
    """One of the nested loops in which windows are read.

    Attributes:
        size: how often it counts.
        stride: words that the place which is read moves between two counts.
        base: words that the start of the window moves; 0 inside of a window.
    """

    size: int
    stride: int
    base: int = 0


@dataclass(frozen=True)
class Moves:
    """What happens when a loop counts and those inside of it start again.

    Attributes:
        distance: words that the place which is read moves; negative is back.
        freed: words that are needed no more.
    """

    distance: int
    freed: int


@dataclass(frozen=True)
class SlidingWindowSchedule:
    """Windows over frames of words.

    Attributes:
        words_in: words of a frame that enter.
        loops: the innermost first; all strides fit into the frame.
    """

    words_in: int
    loops: tuple[WindowLoop, ...]

    @property
    def words_out(self) -> int:
        """Words of a frame that leave."""
        return prod(loop.size for loop in self.loops)

    @property
    def interval_cycles(self) -> int:
        """Cycles from frame to frame: one for each word of the side that has more."""
        return max(self.words_in, self.words_out)

    @property
    def words_before_first_window(self) -> int:
        """Words of a frame that enter until the first window is whole."""
        return 1 + sum((loop.size - 1) * loop.stride for loop in self.loops if not loop.base)

    def counting(self) -> tuple[WindowLoop, ...]:
        """The loops that count further than once; one at least."""
        return tuple(loop for loop in self.loops if loop.size > 1) or (WindowLoop(1, 0, 0),)

    def moves(self) -> tuple[Moves, ...]:
        """Of each counting loop, the innermost first, and of the end of a frame."""
        result, inside, base = [], 0, 0
        for loop in self.counting():
            result.append(Moves(loop.stride - inside, loop.base - base))
            inside += (loop.size - 1) * loop.stride
            base += (loop.size - 1) * loop.base
        return (*result, Moves(self.words_in - inside, self.words_in - base))

    def addresses(self) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        """The word of the frame that each word out is: shape (words_out,)."""
        places = np.zeros(1, dtype=np.int64)
        for loop in self.loops:
            places = (np.arange(loop.size, dtype=np.int64)[:, None] * loop.stride + places).ravel()
        return places

    def depth(self) -> int:
        """Words that the memory holds so that a frame takes ``interval_cycles`` and no cycle is lost between frames."""
        return _depth(self)


@lru_cache(maxsize=256)
def _depth(schedule: SlidingWindowSchedule) -> int:
    """Each window counts as if it needed its last word when it starts, and freed its first when it ends.

    Where the output has more words it never waits, and words enter as late as that allows; where the input has more it
    never waits, and windows are read as early as that allows.
    """
    starts = _window_starts(schedule.loops)
    extent = schedule.words_before_first_window
    cycles = prod(loop.size for loop in schedule.loops if not loop.base)
    frames = 3
    base = (np.arange(frames, dtype=np.int64)[:, None] * schedule.words_in + starts).ravel()
    needed = base + extent
    count = len(starts)
    if schedule.words_out > schedule.words_in:
        begins = np.arange(len(base), dtype=np.int64) * cycles
        # Words that must have entered when window w ends, so that every later window starts in time.
        latest = np.maximum.accumulate((needed - begins)[::-1])[::-1]
        held = latest[1 : 2 * count] + begins[1 : 2 * count] - base[: 2 * count - 1]
    else:
        window = np.arange(len(base), dtype=np.int64) * cycles
        ends = np.maximum.accumulate(needed - window) + window + cycles
        held = ends - base
    return max(extent, int(held.max())) + _CYCLES_BEHIND


def _window_starts(loops: Sequence[WindowLoop]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    starts = np.zeros(1, dtype=np.int64)
    for loop in loops:
        if loop.base:
            starts = (np.arange(loop.size, dtype=np.int64)[:, None] * loop.base + starts).ravel()
    return starts
