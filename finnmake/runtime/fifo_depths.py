"""Depths of the FIFOs of a whole graph: the fewest words with which it runs at the interval of its slowest core.

Starting without any FIFO, the graph's timing is computed; what made its last frames late, or those of a part of it, is
followed back, and the streams found full on that way get the depth that would have been enough. That is repeated until
no full stream is on the way: then only the slowest core is. A depth that another has made too large since is reduced
again. In a graph too large for hundreds of looks depths grow in larger steps, and are reduced only to what was ever
used.

After Stuijk, Geilen and Basten, "Throughput-Buffering Trade-Off Exploration for Cyclo-Static and Synchronous Dataflow
Graphs" (IEEE Transactions on Computers, 2008), whose storage dependencies these full streams are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from finnmake.dataflow.fifo_sizing import MINIMUM_DEPTH, Edge
from finnmake.dataflow.stream_graph import from_host
from finnmake.errors import VerificationError
from finnmake.runtime.stream_timing import Fifo, StreamTimes, StreamTiming, TimedCore

FifoOf = Callable[[Edge, int], Fifo]
"""The FIFO of some depth in a stream."""

_MOST_ROUNDS = 1000
_FEWEST_FRAMES = 6
"""Frames that enter a graph after the first has left it."""

_MOST_FRAMES, _FEWEST_WORDS = 40, 400_000
"""Small graphs, which take no time, are run for as many frames as have so many words, but no more than so many."""

LARGE_GRAPH = 5_000_000
"""Words of a frame, of all streams, from which on a graph is large."""

_FRAMES_OF_LARGE, _ROUGH_FRAMES = 4, 2
"""The same of a large graph: once it has been fast enough, and before, when its frames need only be roughly right."""

_GROWTH_OF_LARGE, _STEP_OF_LARGE = 2, 20
"""A depth too small in a large graph grows by so many times itself, as if it were so many words at least."""

_WORDS_TO_REDUCE = 200_000_000
"""Words of streams that are computed to find depths that can be smaller; beyond that depths stay as they are."""


@dataclass(frozen=True, eq=False)
class SizedGraph:
    """A graph with its FIFOs.

    Attributes:
        fifos: by the stream that they are in; the streams left out need none.
        times: how it runs with them.
    """

    fifos: Mapping[Edge, Fifo]
    times: StreamTimes


class FifoSizing:
    """Finds the depths for one graph.

    Args:
        timing: the solver.
        cores: the graph.
        fifo_of: the FIFO of a depth in a stream.
        fixed: depths that are not to be changed; 0 is none.
        large: words of a frame, of all streams, from which on a graph is large.
        filled: in a large graph, the depth to take where this one is needed. One that is not exact stays what it is
            when a layer somewhere else changes.
    """

    def __init__(
        self,
        timing: StreamTiming,
        cores: Sequence[TimedCore],
        fifo_of: FifoOf,
        fixed: Mapping[Edge, int] | None = None,
        large: int = LARGE_GRAPH,
        filled: Callable[[Edge, int], int] = lambda _, depth: depth,
    ) -> None:
        self._timing, self._cores, self._fifo_of, self._filled = timing, cores, fifo_of, filled
        self._fixed = dict(fixed or {})
        self.bound = max(core.schedule.interval for core in cores)
        self._words = sum(sum(core.schedule.inputs) for core in cores)
        self._large = self._words >= large
        self._more_frames = _ROUGH_FRAMES if self._large else _FEWEST_FRAMES
        self._frames = max(self._more_frames, min(_MOST_FRAMES, _FEWEST_WORDS // self._words))
        self._computed = 0

    def run(self, depths: Mapping[Edge, int]) -> StreamTimes:
        """How the graph runs with some depths; frames enough that the first has left before the last enters."""
        fifos = self._fifos(depths)
        while True:
            times = self._timing.run(self._cores, fifos, self._frames, bound=self.bound)
            self._computed += self._frames * self._words
            # More than are under way at a time.
            under_way = 0 if times.deadlock else int(times.last_word // max(1.0, times.interval))
            enough = under_way + self._more_frames
            if self._frames >= enough:
                return times
            self._frames = enough

    def _fifos(self, depths: Mapping[Edge, int]) -> dict[Edge, Fifo]:
        return {edge: self._fifo_of(edge, depth) for edge, depth in {**depths, **self._fixed}.items() if depth}

    def size(self) -> SizedGraph:
        """The depths.

        Raises:
            VerificationError: depths that are not to be changed make the graph stand still.
        """
        # Where branches meet, the shorter ones wait for the longest as long as that takes; no longer, as the fork in
        # front of them is held back by the longest.
        joins = {
            (position, port): self._unlimited
            for position, core in enumerate(self._cores)
            for port, source in enumerate(core.sources)
            if len(core.sources) > 1 and not from_host(source)
        }
        depths, times = self._enlarged(joins)
        if not times.deadlock:
            if self._is_slow(times):
                # Fixed depths keep it so, and nobody has counted.
                times = self._timing.run(self._cores, self._fifos(depths), self._frames)
            limited = depths if self._large else joins
            used = {edge: times.waiting[edge] for edge in limited if edge in times.waiting}
            if self._large:
                used = {edge: self._filled(edge, depth) for edge, depth in used.items()}
                self._frames += _FRAMES_OF_LARGE - _ROUGH_FRAMES
                self._more_frames = _FRAMES_OF_LARGE
            depths, times = self._enlarged(
                {edge: max(MINIMUM_DEPTH, depth) for edge, depth in {**depths, **used}.items()}
            )
        if times.deadlock:
            raise VerificationError(
                "the graph stands still with the depths that are given",
                where=", ".join(str(edge) for edge in times.blocked),
                remedy="Leave out the depths of these streams, they are then found.",
            )
        if not self._large and not self._is_slow(times):
            depths = self._reduced(depths)
            times = self.run(depths)
        return SizedGraph(self._fifos(depths), times)

    @property
    def _unlimited(self) -> int:
        """More words than there can be."""
        return 1 << 30

    def _enlarged(self, depths: Mapping[Edge, int]) -> tuple[dict[Edge, int], StreamTimes]:
        """Depths that are as large as needed, or with which another one makes no difference."""
        result = dict(depths)
        times = self.run(result)
        for _ in range(_MOST_ROUNDS):
            if not self._is_slow(times):
                break
            larger = self._larger(result, times)
            if larger == result:
                break
            result = larger
            times = self.run(result)
        return result, times

    def _is_slow(self, times: StreamTimes) -> bool:
        return times.deadlock or times.interval > self.bound

    def _larger(self, depths: Mapping[Edge, int], times: StreamTimes) -> dict[Edge, int]:
        """Depths with which what was full would not have been, and more: more words come to light."""
        result = dict(depths)
        for edge, enough in times.blocked.items():
            depth = depths.get(edge, 0)
            if edge in self._fixed or (enough <= depth and depth and not times.deadlock):
                continue
            more = _GROWTH_OF_LARGE * max(depth, _STEP_OF_LARGE) if self._large else depth // 2
            result[edge] = max(MINIMUM_DEPTH, enough + more, 2 * depth if times.deadlock else 0)
        return result

    def _reduced(self, depths: Mapping[Edge, int]) -> dict[Edge, int]:
        """Depths of which none can be smaller alone, as far as there is time to try."""
        self._computed = 0
        result, before = dict(depths), dict[Edge, int]()
        while result != before:
            before = dict(result)
            # The small ones first: each that vanishes is a word and a cycle less to wait for.
            for edge in sorted(before, key=lambda edge: (before[edge], edge)):
                result[edge] = self._smallest(result, edge)
            result = {edge: depth for edge, depth in result.items() if depth}
        return result

    def _smallest(self, depths: Mapping[Edge, int], edge: Edge) -> int:
        """The smallest depth of one stream with which the graph is as fast."""
        if self._suffices(depths, edge, 0):
            return 0
        low, high = MINIMUM_DEPTH, depths[edge]
        # Most often it has been found before.
        if high > low and not self._suffices(depths, edge, high - 1):
            return high
        high = max(low, high - 1)
        while low < high:
            middle = (low + high) // 2
            if self._suffices(depths, edge, middle):
                high = middle
            else:
                low = middle + 1
        return high

    def _suffices(self, depths: Mapping[Edge, int], edge: Edge, depth: int) -> bool:
        """Whether the graph is as fast with another depth of one stream; False where there is no time to try."""
        return self._computed < _WORDS_TO_REDUCE and not self._is_slow(self.run({**depths, edge: depth}))
