"""Measures a core's schedule: what each word waits for shows when one stream after another is held back.

Besides a run in which nothing waits, there is one for every stream in which that stream moves a word only when the core
stands still. What moves between two of its words waits for the first of them, and not for the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finnmake.dataflow.core_schedule import (
    NEVER,
    CoreSchedule,
    Event,
    EventKind,
    Relation,
    constant,
)
from finnmake.dataflow.layer import IntegerArray
from finnmake.dataflow.packing import PackedWords
from finnmake.errors import VerificationError
from finnmake.runtime.rtlsim import RtlSimulation

_FEWEST_FRAMES, _MOST_FRAMES = 4, 256
"""A core is steady when two frames, one behind the other, have the same schedule; more frames are run until it is."""
_DISTANCES = 3
"""Distances between words of which it is unclear what they wait for, that are looked at."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Run:
    """Cycles of all words of all streams, inputs first."""

    cycles: tuple[IntegerArray, ...]


@dataclass(frozen=True, eq=False)
class _Dependence:
    """How the words of one stream wait for those of another, in one frame.

    Attributes:
        words: the word of the other stream that each waits for, from the beginning of that one's same frame.
        cycles: how long after that; of words that follow a first one, what that one took.
        leads: the words that came first after a word of the other stream.
    """

    words: IntegerArray
    cycles: IntegerArray
    leads: Flags


def measure_schedule(simulation: RtlSimulation, inputs: Sequence[int], outputs: Sequence[int]) -> CoreSchedule:
    """The schedule of a core.

    Args:
        simulation: of the core; its schedule must not depend on data.
        inputs: words of a frame of every input stream.
        outputs: words of a frame of every output stream.

    Raises:
        VerificationError: the core does not become steady.
    """
    frames = _FEWEST_FRAMES
    while True:
        measured = _measure(simulation, inputs, outputs, frames)
        if measured is not None:
            return measured
        if frames == _MOST_FRAMES:
            raise VerificationError(
                f"two frames, one behind the other, have different schedules, also after {frames} frames",
                where="schedule",
                remedy="The schedule of a core must not depend on data, nor on frames long gone.",
            )
        frames *= 2


def _measure(
    simulation: RtlSimulation, inputs: Sequence[int], outputs: Sequence[int], frames: int
) -> CoreSchedule | None:
    runs = _Runs(simulation, tuple(inputs), tuple(outputs), frames)
    last, before = (_Fit(runs, frame).schedule() for frame in (frames - 1, frames - 2))
    return last if last.text() == before.text() else None


class _Runs:
    """The runs of a core's simulation, each made when it is first looked at.

    Args:
        simulation: of the core.
        inputs, outputs: words of a frame.
        frames: of each run.
    """

    def __init__(
        self, simulation: RtlSimulation, inputs: tuple[int, ...], outputs: tuple[int, ...], frames: int
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._simulation, self.frames = simulation, frames
        self._runs: dict[tuple[int, int] | None, _Run] = {}

    @property
    def free(self) -> _Run:
        """Nothing waits."""
        return self._run(None)

    def held_back(self, stream: int, burst: int = 1) -> _Run:
        """One stream, inputs first, moves when the core stands still, so many words at a time."""
        return self._run((stream, burst))

    def _run(self, key: tuple[int, int] | None) -> _Run:
        if key not in self._runs:
            stimulus: list[PackedWords] = [
                np.zeros((self.frames * words, (width + 7) // 8), dtype=np.uint8)
                for words, width in zip(self.inputs, self._simulation.input_widths, strict=True)
            ]
            words = [self.frames * words for words in self.outputs]
            stream, burst = key or (None, 1)
            result = self._simulation.run_streams(stimulus, words, throttled=stream, burst=burst)
            self._runs[key] = _Run((*result.all_input_cycles, *result.all_output_cycles))
        return self._runs[key]


class _Fit:
    """The schedule that one frame of the runs shows.

    Args:
        runs: of the core.
        frame: which one is looked at.
    """

    def __init__(self, runs: _Runs, frame: int) -> None:
        self.inputs, self.outputs = runs.inputs, runs.outputs
        self.words = (*self.inputs, *self.outputs)
        self.runs, self.frame, self.free = runs, frame, runs.free
        self.input_ports = range(len(self.inputs))
        self.output_ports = range(len(self.inputs), len(self.words))

    def schedule(self) -> CoreSchedule:
        """All relations of the core's events."""
        needs = {
            (port, source): self._dependence(port, source)
            for port in range(len(self.words))
            for source in range(len(self.words))
            # An output that waits for another waits for the inputs that the other keeps out.
            if port != source and (port in self.input_ports or source in self.input_ports)
        }
        relations = [relation for port in self.input_ports for relation in self._between_streams(port, needs)]
        starts: dict[int, IntegerArray] = {}
        for port in self.output_ports:
            latency = min(int(needs[port, source].cycles.min()) for source in self.input_ports)
            # Of the whole run, as inputs wait for starts in the frame before, too.
            starts[port] = self.free.cycles[port] - latency
            relations += self._starts(port, latency, needs)
        for port in self.input_ports:
            relations += self._waiting(port, starts, needs)
        interval = max(int(self._of_frame(self.free, port)[-1] - self._before(port)) for port in self.output_ports)
        return CoreSchedule(self.inputs, self.outputs, interval, tuple(relations))

    # -- what the runs show ------------------------------------------------------------------------------------------
    def _of_frame(self, run: _Run, port: int) -> IntegerArray:
        begin = self.frame * self.words[port]
        return run.cycles[port][begin : begin + self.words[port]]

    def _before(self, port: int) -> int:
        """Cycle of the last word of the frame before."""
        return int(self.free.cycles[port][self.frame * self.words[port] - 1])

    def _gaps(self, run: _Run, port: int) -> IntegerArray:
        begin = self.frame * self.words[port]
        return np.diff(run.cycles[port][begin - 1 : begin + self.words[port]])

    def _dependence(self, port: int, source: int) -> _Dependence:
        run = self.runs.held_back(source)
        cycles = run.cycles[port]
        moved = np.searchsorted(run.cycles[source], cycles, side="right")
        leads = np.diff(moved, prepend=0) > 0
        delays = cycles - run.cycles[source][np.maximum(moved - 1, 0)]
        leader = np.maximum.accumulate(np.where(leads, np.arange(len(leads)), -1))
        delays = np.where(leader >= 0, delays[np.maximum(leader, 0)], 0)
        words = np.where(leader >= 0, moved - 1 - self.frame * self.words[source], NEVER)
        frame = slice(self.frame * self.words[port], (self.frame + 1) * self.words[port])
        return _Dependence(words[frame], delays[frame], leads[frame])

    # -- relations ---------------------------------------------------------------------------------------------------
    def _between_streams(self, port: int, needs: dict[tuple[int, int], _Dependence]) -> Iterator[Relation]:
        """What an input waits for: room that an output makes, and words of other inputs."""
        for source in range(len(self.words)):
            if source == port:
                continue
            need = needs[port, source]
            # Words that are taken in the same cycle wait for each other to be there, not to be taken.
            together = source in self.input_ports and not need.cycles.any()
            kind = EventKind.OFFER if together else EventKind.TRANSFER
            yield Relation(Event(EventKind.TRANSFER, port), Event(kind, source), need.words, need.cycles)

    def _starts(self, port: int, latency: int, needs: dict[tuple[int, int], _Dependence]) -> Iterator[Relation]:
        """When an output word is started, and offered."""
        start, words = Event(EventKind.START, port), self.words[port]
        due = np.zeros(words, dtype=np.int64)
        leads = np.zeros(words, dtype=bool)
        for source in self.input_ports:
            need = needs[port, source]
            yield Relation(start, Event(EventKind.TRANSFER, source), need.words, need.cycles - latency)
            places = need.words + self.frame * self.words[source]
            due = np.maximum(due, self.free.cycles[source][np.maximum(places, 0)] + need.cycles)
            leads |= need.leads
        # Where no input is waited for, what lies between two words is the core's own pace.
        waits = self._of_frame(self.free, port) > due
        pace = np.where(
            leads, np.where(waits, self._gaps(self.free, port), 1), self._gaps(self.runs.held_back(0), port)
        )
        yield Relation(start, start, np.arange(words) - 1, np.maximum(pace, 1))
        yield Relation(Event(EventKind.OFFER, port), start, np.arange(words), constant(words, latency))

    def _waiting(
        self, port: int, starts: dict[int, IntegerArray], needs: dict[tuple[int, int], _Dependence]
    ) -> Iterator[Relation]:
        """Inputs that wait although there is room: until output words before them have been started."""
        cycles = self._of_frame(self.free, port)
        waits = self._gaps(self.free, port) > 1
        known = self._known(self.free, self.frame, port, needs)
        # Where a word comes when there is just room for it, this says nothing of its own pace.
        unclear = waits & (known == cycles)
        waits &= known < cycles
        if unclear.any():
            waits |= unclear & (self._in_progress(port, needs) | self._paces(port, unclear, needs))
        if not waits.any():
            return
        # The start that came last before.
        places = {output: np.searchsorted(begun, cycles, side="left") - 1 for output, begun in starts.items()}
        times = np.array([np.where(places[output] >= 0, begun[places[output]], -1) for output, begun in starts.items()])
        latest = times.argmax(axis=0)
        for number, (output, begun) in enumerate(starts.items()):
            here = waits & (latest == number) & (places[output] >= 0)
            if not here.any():
                continue
            words = np.where(here, places[output] - self.frame * self.words[output], NEVER)
            delays = np.where(here, cycles - begun[np.maximum(places[output], 0)], 0)
            start = Event(EventKind.START, output)
            yield Relation(Event(EventKind.TRANSFER, port), start, words, delays)
            yield self._places(output, begun, here, words, delays, needs[port, output])

    def _known(self, run: _Run, frame: int, port: int, needs: dict[tuple[int, int], _Dependence]) -> IntegerArray:
        """When there is room for the words of an input, and those of other inputs are there, in a frame of a run."""
        known = np.full(self.words[port], -1, dtype=np.int64)
        for source in range(len(self.words)):
            if source == port:
                continue
            need = needs[port, source]
            awaited = need.words + frame * self.words[source]
            cycles = np.where(awaited >= 0, run.cycles[source][np.maximum(awaited, 0)] + need.cycles, -1)
            if source in self.output_ports or need.cycles.any():
                known = np.maximum(known, cycles)
        return known

    def _in_progress(self, port: int, needs: dict[tuple[int, int], _Dependence]) -> Flags:
        """Input words that wait for room in an output that the word before them is still making: for its end, too."""
        result = np.zeros(self.words[port], dtype=np.bool_)
        for output in self.output_ports:
            frames, places = np.divmod(needs[port, output].words, self.words[output])
            made_by = needs[output, port].words[places] + frames * self.words[port]
            result |= made_by == np.arange(self.words[port]) - 1
        return result

    def _paces(self, port: int, unclear: Flags, needs: dict[tuple[int, int], _Dependence]) -> bool:
        """Whether input words wait for the core's own pace, where it does not show when nothing waits.

        It shows when the core has been empty and several words come: there is room for them all.
        """
        places = np.flatnonzero(unclear)
        distances, often = np.unique(np.diff(places, append=places[0] + self.words[port]), return_counts=True)
        for distance in distances[np.argsort(-often, kind="stable")][:_DISTANCES].tolist():
            # One more, so that bursts begin everywhere between two such words.
            burst = distance + 1
            run = self.runs.held_back(port, burst)
            # All frames but the first: of a word a frame, a burst begins with every other one.
            for frame in range(1, self.runs.frames):
                numbers = frame * self.words[port] + np.arange(self.words[port])
                cycles = run.cycles[port][numbers]
                earliest = np.maximum(self._known(run, frame, port, needs), run.cycles[port][numbers - 1] + 1)
                if (unclear & (numbers % burst != 0) & (cycles > earliest)).any():
                    return True
        return False

    def _places(
        self,
        output: int,
        begun: IntegerArray,
        here: Flags,
        words: IntegerArray,
        delays: IntegerArray,
        need: _Dependence,
    ) -> Relation:
        """So many words are started and not yet taken at most: the place of one is free some cycles after it is taken.

        An input that waits for a start waits for the place of the word that is started, too: held back, that output
        shows how many places there are.
        """
        start, transfer = Event(EventKind.START, output), Event(EventKind.TRANSFER, output)
        count = int((words[here] - need.words[here]).max())
        delay = max(0, int((need.cycles[here] - delays[here]).min()))
        taken = self.free.cycles[output]
        # What the core does when nothing waits it can do.
        while count < len(taken) and (taken[: len(taken) - count] + delay > begun[count:]).any():
            count += 1
        length = self.words[output]
        return Relation(start, transfer, np.arange(length) - count, constant(length, delay))
