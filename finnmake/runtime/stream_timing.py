"""When words move in a whole graph of cores, computed from the cores' schedules: interval and latency.

The relations of all cores, and those of the FIFOs between them, are one max-plus system: each word of each stream moves
as early as all that it waits for allows. The system is solved word by word in ``rules/cxx/stream_timing.cpp``.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finnmake.dataflow.core_schedule import CoreSchedule, Event, EventKind, Relation
from finnmake.dataflow.fifo_sizing import Edge
from finnmake.dataflow.layer import IntegerArray
from finnmake.dataflow.stream_graph import Source
from finnmake.errors import ToolError, VerificationError
from finnmake.runtime.rtlsim import load_shared_object, unload

_SERIES = np.dtype([(name, np.int64) for name in ("words_per_frame", "words", "cycles", "first", "end")])
_CONSTRAINT = np.dtype([(name, np.int64) for name in ("source", "references", "lag", "delay", "stream")])
_BLOCKED = np.dtype([("stream", np.int64), ("depth", np.int64)])

_BEFORE_ALL = -(1 << 30)
"""What a word that waits for none refers to, in 32 bits."""

_MOST_BLOCKED = 1 << 16
"""Words that full streams have made late, of one look."""

_BLOCK = 1 << 24
"""Numbers of a block of memory, at least."""


@dataclass(frozen=True)
class Fifo:
    """A FIFO in a stream.

    Attributes:
        depth: words.
        latency: cycles from a word's entry until it is offered.
    """

    depth: int
    latency: int = 1


@dataclass(frozen=True)
class TimedCore:
    """A core in a graph: its schedule, and for each input where its words come from."""

    schedule: CoreSchedule
    sources: tuple[Source, ...]


@dataclass(frozen=True, eq=False)
class StreamTimes:
    """How a graph runs when words are offered to it, and taken from it, in every cycle.

    Attributes:
        output_cycles: of every word that leaves, shape (frames, words of a frame); the first word enters in cycle 0.
        blocked: streams that made the last frames late because they were full, and the depth that would have been
            enough; 0 where one word more must be tried.
        waiting: the most words that ever were in each FIFO; not counted where the graph is too slow.
        deadlock: nothing moves any more; ``blocked`` then has the streams that are full.
    """

    output_cycles: IntegerArray
    blocked: Mapping[Edge, int]
    waiting: Mapping[Edge, int]
    deadlock: bool

    @property
    def interval(self) -> float:
        """Cycles from frame to frame, the mean of the second half of the frames."""
        return _frame_interval(self.output_cycles)

    @property
    def first_word(self) -> int:
        """Cycles from the first word in to the first word out."""
        return int(self.output_cycles[0, 0])

    @property
    def last_word(self) -> int:
        """Cycles from the first word in to the last word of the first frame out."""
        return int(self.output_cycles[0, -1])


def _frame_interval(cycles: NDArray[np.integer[Any]]) -> float:
    """The mean over the second half of the frames; the cycles of a stream have the shape (frames, words of a frame)."""
    ends = cycles[(len(cycles) - 1) // 2 :, -1].tolist()
    return float(ends[-1] - ends[0]) / (len(ends) - 1)


class StreamTiming:
    """The solver. Also a context manager; `close` releases it.

    Args:
        shared_object: what rule ``stream_timing`` made.

    Raises:
        ToolError: the file cannot be loaded.
    """

    def __init__(self, shared_object: Path) -> None:
        self._library = load_shared_object(shared_object)
        try:
            self._library.finnmake_solve.restype = ctypes.c_int64
            self._library.finnmake_solve.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
            self._library.finnmake_trace.restype = ctypes.c_int64
            self._library.finnmake_trace.argtypes = (
                ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64,
            )  # fmt: skip
        except AttributeError as error:
            unload(self._library)
            raise ToolError("not what rule stream_timing made", where=str(shared_object)) from error
        self._tables, self._memory = _Tables(), _Memory()

    def close(self) -> None:
        """Releases the library."""
        unload(self._library)

    def __enter__(self) -> StreamTiming:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def run(
        self, cores: Sequence[TimedCore], fifos: Mapping[Edge, Fifo], frames: int, *, bound: float = math.inf
    ) -> StreamTimes:
        """Some frames through a graph.

        Args:
            cores: each behind those that feed it; the first takes the graph's input, the last gives its output.
            fifos: by the stream that they are in; streams without one are wires.
            frames: how many, two at least.
            bound: an interval of frames: with a larger one the graph is too slow; ``blocked`` then has what makes any
                part of it slow, and ``waiting`` nothing.

        Raises:
            VerificationError: they take more cycles than can be counted.
        """
        self._memory.free()
        system = _System(cores, fifos, frames, self._tables, self._memory)
        series, constraints = system.arrays()
        blocked_on = np.full(len(series), -1, dtype=np.int64)
        stuck = self._library.finnmake_solve(
            series.ctypes.data, len(series), constraints.ctypes.data, blocked_on.ctypes.data
        )
        if stuck < 0:
            raise VerificationError(
                f"{frames} frames take more than 2^31 cycles",
                where="FIFO depths",
                remedy='Choose fifo_depths="estimated" for so slow a design.',
            )
        output = system.cycles[system.output].reshape(frames, -1).astype(np.int64)
        if stuck:
            return StreamTimes(output, system.full_streams(constraints, blocked_on), {}, deadlock=True)
        found = np.zeros(_MOST_BLOCKED, dtype=_BLOCKED)
        blocked: dict[Edge, int] = {}
        for end in (system.output, *system.slow_parts(bound)):
            until = int(system.cycles[end].reshape(frames, -1)[0, -1])
            count = self._library.finnmake_trace(
                series.ctypes.data, constraints.ctypes.data, end, until, found.ctypes.data, len(found)
            )
            for stream, depth in found[:count].tolist():
                edge = system.edges[stream]
                blocked[edge] = max(blocked.get(edge, 0), depth)
        times = StreamTimes(output, blocked, {}, deadlock=False)
        return replace(times, waiting=system.waiting()) if times.interval <= bound else times


class _Memory:
    """Arrays of 32-bit numbers that are parts of few large ones: the system maps those by large pages."""

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.int32]] = []
        self._block = self._used = 0

    def free(self) -> None:
        """Everything that was taken can be taken again."""
        self._block = self._used = 0

    def take(self, count: int) -> NDArray[np.int32]:
        """An array of whatever was there."""
        while self._block < len(self._blocks) and self._used + count > len(self._blocks[self._block]):
            self._block, self._used = self._block + 1, 0
        if self._block == len(self._blocks):
            self._blocks.append(np.empty(max(_BLOCK, count), dtype=np.int32))
        self._used += count
        return self._blocks[self._block][self._used - count : self._used]


class _Tables:
    """What the words of a frame wait for, as the solver takes it; layers with equal cores share it."""

    def __init__(self) -> None:
        self._memory = _Memory()
        self._addresses: dict[Relation, int] = {}
        self._steady: dict[Relation, tuple[int, int] | None] = {}

    def address(self, relation: Relation) -> int:
        """Of a table: a word and a delay for each word."""
        if relation not in self._addresses:
            table = self._memory.take(2 * len(relation.words))
            table[0::2] = np.maximum(relation.words, _BEFORE_ALL)
            table[1::2] = relation.cycles
            self._addresses[relation] = table.ctypes.data
        return self._addresses[relation]

    def steady(self, relation: Relation) -> tuple[int, int] | None:
        """Lag and delay where they are the same for all words of streams of the same length: no table is needed."""
        if relation not in self._steady:
            lags = np.arange(len(relation.words)) - np.maximum(relation.words, _BEFORE_ALL)
            same = (lags == lags[0]).all() and (relation.cycles == relation.cycles[0]).all()
            self._steady[relation] = (int(lags[0]), int(relation.cycles[0])) if same else None
        return self._steady[relation]


class _System:
    """The series and constraints of a graph.

    Attributes:
        cycles: of each series; ``run`` fills them.
        output: the series of the words that leave.
        edges: the stream of each number that a constraint names.
    """

    def __init__(
        self,
        cores: Sequence[TimedCore],
        fifos: Mapping[Edge, Fifo],
        frames: int,
        tables: _Tables,
        memory: _Memory,
    ) -> None:
        self.frames = frames
        self._tables, self._memory = tables, memory
        self.edges: list[Edge] = []
        self.cycles: list[NDArray[np.int32]] = []
        self._words: list[int] = []
        self._constraints: list[list[tuple[int, int, int, int, int]]] = []
        self._fifos: dict[Edge, tuple[int, int]] = {}
        # (position, port): series of the offer and of the transfer, and the number of the stream
        made: dict[Source, tuple[int, int, int]] = {}
        taken: dict[Edge, tuple[int, int]] = {}
        for position, core in enumerate(cores):
            for port, source in enumerate(core.sources):
                edge = (position, port)
                number = len(self.edges)
                self.edges.append(edge)
                words, fifo = core.schedule.inputs[port], fifos.get(edge)
                asked = any(relation.source == Event(EventKind.OFFER, port) for relation in core.schedule.relations)
                offer, transfer = self._stream(words, asked=asked and fifo is None)
                made[source] = (offer, transfer, number)
                if fifo is not None:
                    behind = self._stream(words, asked=asked)
                    self._wait(transfer, behind[1], lag=fifo.depth, delay=1, stream=number)
                    self._wait(behind[0], transfer, delay=fifo.latency)
                    self._fifos[edge] = (transfer, behind[1])
                    offer, transfer = behind
                taken[edge] = (offer, transfer)
        last = len(cores) - 1
        offer, self.output = self._stream(cores[last].schedule.outputs[0], asked=False)
        made[last, 0] = (offer, self.output, -1)
        # Where the graph stands still, the rest of it is never written.
        self.cycles[self.output].fill(0)
        self._transfers = [transfer for _, transfer, _ in made.values()]
        for position, core in enumerate(cores):
            self._core(core, position, made, taken)

    def _series(self, words: int) -> int:
        self._words.append(words)
        self.cycles.append(self._memory.take(words * self.frames))
        self._constraints.append([])
        return len(self._words) - 1

    def _stream(self, words: int, *, asked: bool) -> tuple[int, int]:
        """Offer and transfer of a stream's words; one series for both where nothing asks when they are offered."""
        transfer = self._series(words)
        offer = self._series(words) if asked else transfer
        self._wait(offer, transfer, lag=1, delay=1)
        if asked:
            self._wait(transfer, offer)
        return offer, transfer

    def _wait(self, series: int, source: int, *, lag: int = 0, delay: int = 0, stream: int = -1) -> None:
        self._constraints[series].append((source, 0, lag, delay, stream))

    def _core(
        self,
        core: TimedCore,
        position: int,
        made: Mapping[Source, tuple[int, int, int]],
        taken: Mapping[Edge, tuple[int, int]],
    ) -> None:
        inputs = len(core.schedule.inputs)
        series: dict[Event, int] = {}
        streams: dict[int, int] = {}
        for port in range(inputs):
            offer, transfer = taken[position, port]
            series[Event(EventKind.OFFER, port)], series[Event(EventKind.TRANSFER, port)] = offer, transfer
        for number, words in enumerate(core.schedule.outputs):
            port = inputs + number
            offer, transfer, streams[port] = made[position, number]
            series[Event(EventKind.OFFER, port)], series[Event(EventKind.TRANSFER, port)] = offer, transfer
            series[Event(EventKind.START, port)] = self._series(words)
        for relation in core.schedule.relations:
            event, source = series[relation.event], series[relation.source]
            if relation.source.kind is EventKind.TRANSFER and relation.source.port >= inputs:
                stream = streams[relation.source.port]
                self._constraints[event].append((source, self._tables.address(relation), 0, 0, stream))
                continue
            steady = self._tables.steady(relation) if self._words[event] == self._words[source] else None
            if steady is None:
                self._constraints[event].append((source, self._tables.address(relation), 0, 0, -1))
            else:
                self._wait(event, source, lag=steady[0], delay=steady[1])

    def arrays(self) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Series and constraints as the solver takes them."""
        counts = [len(constraints) for constraints in self._constraints]
        ends = np.cumsum(counts)
        series = np.zeros(len(self._words), dtype=_SERIES)
        series["words_per_frame"] = self._words
        series["words"] = np.array(self._words) * self.frames
        series["cycles"] = [cycles.ctypes.data for cycles in self.cycles]
        series["first"], series["end"] = ends - counts, ends
        rows = [row for constraints in self._constraints for row in constraints]
        return series, np.array(rows, dtype=_CONSTRAINT)

    def slow_parts(self, interval: float) -> list[int]:
        """Series of words at whose place frames are further apart, one for each distance that there is.

        While a graph fills, its parts run as fast as they can by themselves: each of these ends one that is too slow.
        """
        slow: dict[float, int] = {}
        for series in self._transfers:
            between = _frame_interval(self.cycles[series].reshape(self.frames, -1))
            if between > interval:
                slow[between] = series
        return list(slow.values())

    def waiting(self) -> dict[Edge, int]:
        """The depth of each FIFO that would have let every word in when it came."""
        most = {}
        for edge, (entered, left) in self._fifos.items():
            gone = np.searchsorted(self.cycles[left], self.cycles[entered] - 1, side="right")
            most[edge] = int((np.arange(len(gone)) - gone).max()) + 1
        return most

    def full_streams(self, constraints: NDArray[np.void], blocked_on: IntegerArray) -> dict[Edge, int]:
        """The streams in the circle of series that wait for each other, or on the way to it."""
        series, found = self.output, dict[Edge, int]()
        for _ in range(2 * len(self._words)):
            if blocked_on[series] < 0:
                break
            constraint = constraints[blocked_on[series]]
            if constraint["stream"] >= 0:
                found[self.edges[int(constraint["stream"])]] = 0
            series = int(constraint["source"])
        return found
