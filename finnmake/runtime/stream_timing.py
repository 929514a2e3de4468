"""When words move in a whole graph of cores, computed from the cores' schedules: interval and latency.

The relations of all cores, and those of the FIFOs between them, are one max-plus system: each word of each stream moves
as early as all that it waits for allows. The system is solved in ``rules/cxx/stream_timing.cpp``, frame after frame;
what is as it was a frame before, or in the run before, is copied.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from finnmake.dataflow.core_schedule import CoreSchedule, Event, EventKind, Relation
from finnmake.dataflow.fifo_sizing import Edge
from finnmake.dataflow.layer import IntegerArray
from finnmake.dataflow.stream_graph import Source
from finnmake.errors import ToolError, VerificationError
from finnmake.runtime.rtlsim import load_shared_object, unload

_SERIES = np.dtype([(name, np.int64) for name in ("words", "like", "changed", "first", "end", "shift", "since")])
_CONSTRAINT = np.dtype([(name, np.int64) for name in ("source", "references", "lowest", "lag", "delay", "stream")])
_CELL = np.dtype([("cycles", np.uint64), ("shift", np.int64)])
_BLOCKED = np.dtype([("stream", np.int64), ("depth", np.int64)])

_Key = tuple[Edge, str]
"""A kind of series at a stream, named by its consumer, or at an output of a core."""

_Row = tuple[int, int, int, int, int, int]

_BEFORE_ALL = -(1 << 30)
"""What a word that waits for none refers to, in 32 bits."""

_MOST_BLOCKED = 1 << 16
"""Words that full streams have made late, of one look."""

_BLOCK = 1 << 24
"""Numbers of a block of memory, at least."""

_REFERENCES_EACH = 64
"""Words of a frame for which the smallest word that they refer to is kept."""

_ALIKE = {"behind offer": ("offer", "transfer"), "behind transfer": ("transfer",), "offer": ("transfer",)}
"""The kinds of series that one of a kind is like which was not there before."""


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
        return _frame_interval(self.output_cycles[:, -1].tolist())

    @property
    def first_word(self) -> int:
        """Cycles from the first word in to the first word out."""
        return int(self.output_cycles[0, 0])

    @property
    def last_word(self) -> int:
        """Cycles from the first word in to the last word of the first frame out."""
        return int(self.output_cycles[0, -1])


def _frame_interval(ends: Sequence[int]) -> float:
    """The mean over the second half of the frames, of which the cycles of the last words are given."""
    half = ends[(len(ends) - 1) // 2 :]
    return float(half[-1] - half[0]) / (len(half) - 1)


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
            functions = [
                (self._library.finnmake_table, "pnpnnpp"),
                (self._library.finnmake_memory, ""),
                (self._library.finnmake_forget, "p"),
                (self._library.finnmake_solve, "ppnppnnpnp"),
                (self._library.finnmake_cycles, "pnpnnnp"),
                (self._library.finnmake_ends, "pnpnp"),
                (self._library.finnmake_trace, "pnppnnnpn"),
                (self._library.finnmake_waiting, "pnpnnn"),
            ]
        except AttributeError as error:
            unload(self._library)
            raise ToolError("not what rule stream_timing made", where=str(shared_object)) from error
        for function, arguments in functions:
            function.restype = ctypes.c_int64
            function.argtypes = [ctypes.c_int64 if argument == "n" else ctypes.c_void_p for argument in arguments]
        self._tables = _Tables(self._library)
        # Holds the words of the system, and those of the first frame of what the next run is like.
        self._memory: int = self._library.finnmake_memory()
        self._system: _System | None = None
        self._pattern: _System | None = None

    def close(self) -> None:
        """Releases the library."""
        self._library.finnmake_forget(self._memory)
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
        system = self._solved(cores, fifos, frames)
        output = np.zeros((frames, cores[-1].schedule.outputs[0]), dtype=np.int64)
        if system.stuck:
            return StreamTimes(output, system.full_streams(), {}, deadlock=True)
        self._library.finnmake_cycles(*system.computed, system.output, frames, 0, output.ctypes.data)
        series, count, cells = system.computed
        ends = np.zeros((frames, count), dtype=np.int64)
        self._library.finnmake_ends(series, count, cells, frames, ends.ctypes.data)
        found = np.zeros(_MOST_BLOCKED, dtype=_BLOCKED)
        blocked: dict[Edge, int] = {}
        for end in (system.output, *_slow_parts(system.transfers, ends, bound)):
            entries = self._library.finnmake_trace(
                series, count, system.constraints.ctypes.data, cells, frames, end, int(ends[0, end]),
                found.ctypes.data, len(found),
            )  # fmt: skip
            for stream, depth in found[:entries].tolist():
                edge = system.edges[stream]
                blocked[edge] = max(blocked.get(edge, 0), depth)
        times = StreamTimes(output, blocked, {}, deadlock=False)
        if times.interval > bound:
            return times
        waiting = {
            edge: self._library.finnmake_waiting(series, count, cells, frames, entered, left)
            for edge, (entered, left) in system.fifos.items()
        }
        return replace(times, waiting=waiting)

    def _solved(self, cores: Sequence[TimedCore], fifos: Mapping[Edge, Fifo], frames: int) -> _System:
        """The system of a graph; its frames are in the memory unless it is stuck."""
        system = self._system
        if system is None or system.stuck or not system.is_of(cores, fifos):
            if system is not None and not system.stuck:
                self._pattern = system
            if self._pattern is not None and self._pattern.cores != tuple(cores):
                self._pattern = None
            system = _System(cores, fifos, self._tables, self._pattern)
        # What is in the memory is of no system should this fail.
        self._system = None
        if system.frames < frames:
            system.reserve(frames)
            series, count, cells = system.computed
            like, liked = (None, 0) if self._pattern is None else self._pattern.first_frame
            stuck = self._library.finnmake_solve(
                self._memory, series, count, system.constraints.ctypes.data, cells, system.frames, frames,
                like, liked, system.blocked_on.ctypes.data,
            )  # fmt: skip
            if stuck < 0:
                raise VerificationError(
                    f"{frames} frames take more than 2^31 cycles",
                    where="FIFO depths",
                    remedy='Choose fifo_depths="estimated" for so slow a design.',
                )
            system.frames, system.stuck = frames, stuck > 0
        self._system = system
        return system


def _slow_parts(transfers: Sequence[int], ends: IntegerArray, interval: float) -> list[int]:
    """Series of words at whose place frames are further apart, one for each distance that there is.

    While a graph fills, its parts run as fast as they can by themselves: each of these ends one that is too slow.

    Args:
        transfers: the series that are looked at.
        ends: cycles of the last words, shape (frames, series).
        interval: cycles.
    """
    slow = {_frame_interval(ends[:, series].tolist()): series for series in transfers}
    return [series for between, series in slow.items() if between > interval]


class _Memory:
    """Arrays of 32-bit numbers that are parts of few large ones: the system maps those by large pages."""

    def __init__(self) -> None:
        self._blocks = [np.empty(0, dtype=np.int32)]
        self._used = 0

    def take(self, count: int) -> NDArray[np.int32]:
        """An array of whatever was there."""
        if self._used + count > len(self._blocks[-1]):
            self._blocks.append(np.empty(max(_BLOCK, count), dtype=np.int32))
            self._used = 0
        self._used += count
        return self._blocks[-1][self._used - count : self._used]


class _Tables:
    """What the words of a frame wait for, as the solver takes it; layers with equal cores share it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._memory = _Memory()
        self._addresses: dict[Relation, tuple[int, int]] = {}
        self._steady: dict[Relation, tuple[int, int] | None] = {}

    def addresses(self, relation: Relation) -> tuple[int, int]:
        """Of a table, a word and a delay for each word, and of the smallest words in it."""
        if relation not in self._addresses:
            words, cycles = relation.numbers()
            count = len(words)
            table = self._memory.take(2 * count).ctypes.data
            lowest = self._memory.take(-(-count // _REFERENCES_EACH)).ctypes.data
            # Constant arrays have a stride of 0.
            self._library.finnmake_table(
                words.ctypes.data, words.strides[0] // words.itemsize,
                cycles.ctypes.data, cycles.strides[0] // cycles.itemsize, count, table, lowest,
            )  # fmt: skip
            self._addresses[relation] = table, lowest
        return self._addresses[relation]

    def steady(self, relation: Relation) -> tuple[int, int] | None:
        """Lag and delay where they are the same for all words of streams of the same length: no table is needed."""
        if relation not in self._steady:
            steady = relation.steady()
            self._steady[relation] = None if steady is None else (min(steady[0], -_BEFORE_ALL), steady[1])
        return self._steady[relation]


class _System:
    """The series and constraints of a graph.

    Args:
        cores: the graph.
        fifos: in its streams.
        tables: of the cores' relations.
        pattern: a system of the same cores.

    Attributes:
        cores: the graph.
        series, constraints: as the solver takes them.
        output: the series of the words that leave.
        transfers: the series of the words that move between cores, enter and leave.
        numbers: of the series, by what they are.
        edges: the stream of each number that a constraint names.
        fifos: of each FIFO the series of words that enter and leave.
        frames: so many have been computed.
        stuck: they cannot all be.
        blocked_on: then the constraint that each series waits on.
    """

    def __init__(
        self, cores: Sequence[TimedCore], fifos: Mapping[Edge, Fifo], tables: _Tables, pattern: _System | None
    ) -> None:
        self.cores = tuple(cores)
        self._given = dict(fifos)
        self._tables = tables
        self.frames, self.stuck = 0, False
        self.edges: list[Edge] = []
        self.fifos: dict[Edge, tuple[int, int]] = {}
        self._words: list[int] = []
        self.numbers: dict[_Key, int] = {}
        self._constraints: list[list[_Row]] = []
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
                offer, transfer = self._stream(words, edge, "", asked=asked and fifo is None)
                made[source] = (offer, transfer, number)
                if fifo is not None:
                    behind = self._stream(words, edge, "behind ", asked=asked)
                    self._wait(transfer, behind[1], lag=fifo.depth, delay=1, stream=number)
                    self._wait(behind[0], transfer, delay=fifo.latency)
                    self.fifos[edge] = (transfer, behind[1])
                    offer, transfer = behind
                taken[edge] = (offer, transfer)
        last = len(cores) - 1
        offer, self.output = self._stream(cores[last].schedule.outputs[0], (last + 1, 0), "", asked=False)
        made[last, 0] = (offer, self.output, -1)
        self.transfers = [transfer for _, transfer, _ in made.values()]
        for position, core in enumerate(cores):
            self._core(core, position, made, taken)
        self.series, self.constraints = self._arrays(pattern)
        self._cells = np.zeros((0, len(self.series)), dtype=_CELL)
        self.blocked_on = np.full(len(self.series), -1, dtype=np.int64)

    def is_of(self, cores: Sequence[TimedCore], fifos: Mapping[Edge, Fifo]) -> bool:
        """Whether this is the system of a graph."""
        return self._given == fifos and self.cores == tuple(cores)

    @property
    def computed(self) -> tuple[int, int, int]:
        """Series, how many, and cells, as the solver takes them."""
        return self.series.ctypes.data, len(self.series), self._cells.ctypes.data

    @property
    def first_frame(self) -> tuple[int, int]:
        """Its cells, and how many."""
        return self._cells.ctypes.data, len(self.series)

    def reserve(self, frames: int) -> None:
        """Cells for so many frames."""
        more = np.zeros((frames - len(self._cells), len(self.series)), dtype=_CELL)
        self._cells = np.concatenate([self._cells, more])

    def _series(self, words: int, key: _Key) -> int:
        self._words.append(words)
        self.numbers[key] = len(self.numbers)
        self._constraints.append([])
        return len(self._words) - 1

    def _stream(self, words: int, edge: Edge, where: str, *, asked: bool) -> tuple[int, int]:
        """Offer and transfer of a stream's words; one series for both where nothing asks when they are offered."""
        transfer = self._series(words, (edge, f"{where}transfer"))
        offer = self._series(words, (edge, f"{where}offer")) if asked else transfer
        self._wait(offer, transfer, lag=1, delay=1)
        if asked:
            self._wait(transfer, offer)
        return offer, transfer

    def _wait(self, series: int, source: int, *, lag: int = 0, delay: int = 0, stream: int = -1) -> None:
        self._constraints[series].append((source, 0, 0, lag, delay, stream))

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
            series[Event(EventKind.START, port)] = self._series(words, ((position, port), "start"))
        for relation in core.schedule.relations:
            event, source = series[relation.event], series[relation.source]
            if relation.source.kind is EventKind.TRANSFER and relation.source.port >= inputs:
                stream = streams[relation.source.port]
                self._constraints[event].append((source, *self._tables.addresses(relation), 0, 0, stream))
                continue
            steady = self._tables.steady(relation) if self._words[event] == self._words[source] else None
            if steady is None:
                self._constraints[event].append((source, *self._tables.addresses(relation), 0, 0, -1))
            else:
                self._wait(event, source, lag=steady[0], delay=steady[1])

    def _arrays(self, pattern: _System | None) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Series and constraints as the solver takes them."""
        counts = [len(constraints) for constraints in self._constraints]
        ends = np.cumsum(counts)
        series = np.zeros(len(self._words), dtype=_SERIES)
        series["words"] = self._words
        series["first"], series["end"] = ends - counts, ends
        if pattern is not None:
            like = [pattern.like(key) for key in self.numbers]
            before = pattern.waits(range(len(pattern.numbers)))
            series["like"] = like
            series["changed"] = [own != before[other] for own, other in zip(self.waits(like), like, strict=True)]
        rows = [row for constraints in self._constraints for row in constraints]
        return series, np.array(rows, dtype=_CONSTRAINT)

    def like(self, key: _Key) -> int:
        """The series that one of another system with the same cores is like."""
        edge, kind = key
        return next(
            self.numbers[edge, other] for other in (kind, *_ALIKE.get(kind, ())) if (edge, other) in self.numbers
        )

    def waits(self, names: Sequence[int]) -> list[frozenset[tuple[int, ...]]]:
        """For each series what it waits for, by names of the series."""
        return [frozenset((names[row[0]], *row[1:5]) for row in constraints) for constraints in self._constraints]

    def full_streams(self) -> dict[Edge, int]:
        """The streams in the circle of series that wait for each other, or on the way to it."""
        series, found = self.output, dict[Edge, int]()
        for _ in range(2 * len(self._words)):
            if self.blocked_on[series] < 0:
                break
            constraint = self.constraints[self.blocked_on[series]]
            if constraint["stream"] >= 0:
                found[self.edges[int(constraint["stream"])]] = 0
            series = int(constraint["source"])
        return found
