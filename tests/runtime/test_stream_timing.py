"""The timing of graphs of cores whose schedules are known: no RTL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finnmake.dataflow.core_schedule import NEVER, CoreSchedule, Event, EventKind, Relation, constant
from finnmake.dataflow.fifo_sizing import Edge
from finnmake.errors import ToolError, VerificationError
from finnmake.runtime.fifo_depths import FifoSizing
from finnmake.runtime.stream_timing import Fifo, StreamTiming, TimedCore

TRANSFER, START, OFFER = EventKind.TRANSFER, EventKind.START, EventKind.OFFER


def core(
    words: int, latency: int = 1, pace: int = 1, inputs: int = 1, outputs: int = 1, vector: int = 1
) -> CoreSchedule:
    """A core that takes a word of every input, and gives one on every output.

    Args:
        words: of a frame.
        latency: cycles from a word's entry.
        pace: cycles from word to word.
        inputs, outputs: streams.
        vector: so many words are taken before the first of them can be given.
    """
    index = np.arange(words)
    last = index // vector * vector + vector - 1
    relations = []
    for port in range(inputs, inputs + outputs):
        start = Event(START, port)
        relations += [
            *(Relation(start, Event(TRANSFER, source), last, constant(words, 0)) for source in range(inputs)),
            Relation(start, start, index - 1, constant(words, pace)),
            Relation(Event(OFFER, port), start, index, constant(words, latency)),
            # Two vectors, and what is on its way.
            *(
                Relation(
                    Event(TRANSFER, source), Event(TRANSFER, port), index - 2 * vector - latency, constant(words, 1)
                )
                for source in range(inputs)
            ),
        ]
    for source in range(inputs):
        relations += [
            Relation(Event(TRANSFER, source), Event(OFFER, other), index, constant(words, 0))
            for other in range(inputs)
            if other != source
        ]
        relations.append(Relation(Event(TRANSFER, source), Event(TRANSFER, source), index - 1, constant(words, pace)))
    return CoreSchedule((words,) * inputs, (words,) * outputs, pace * words, tuple(relations))


def chain(*schedules: CoreSchedule) -> list[TimedCore]:
    return [TimedCore(schedule, ((position - 1, 0),)) for position, schedule in enumerate(schedules)]


def diamond(*long: CoreSchedule, words: int = 8) -> list[TimedCore]:
    """A fork, a branch of cores, a short cut, a join."""
    branch = [TimedCore(schedule, ((position, 0),)) for position, schedule in enumerate(long)]
    fork = TimedCore(core(words, outputs=2), ((-1, 0),))
    return [fork, *branch, TimedCore(core(words, inputs=2), ((0, 1), (len(long), 0)))]


def fifo_of(_: Edge, depth: int) -> Fifo:
    return Fifo(depth)


def test_latencies_add_up_and_the_slowest_core_is_the_interval(timing: StreamTiming) -> None:
    times = timing.run(chain(core(4, latency=3), core(4, latency=5, pace=7), core(4)), {}, 6)
    assert times.output_cycles[0].tolist() == [9, 16, 23, 30]
    assert times.interval == 28
    assert (times.first_word, times.last_word) == (9, 30)
    assert not times.deadlock


def test_fifos_delay(timing: StreamTiming) -> None:
    times = timing.run(chain(core(4), core(4)), {(1, 0): Fifo(300, latency=2)}, 2)
    assert times.output_cycles.ravel().tolist() == list(range(4, 12))
    assert times.waiting[1, 0] <= 3


def test_a_short_cut_without_a_fifo_stands_still(timing: StreamTiming) -> None:
    times = timing.run(diamond(core(8, vector=8)), {}, 4)
    assert times.deadlock
    assert (2, 0) in times.blocked


@pytest.mark.parametrize("long", [(core(8, vector=8),), (core(8, latency=30),), (core(8, pace=3), core(8, vector=4))])
def test_depths_are_the_smallest_with_which_the_slowest_core_is_the_interval(
    timing: StreamTiming, long: tuple[CoreSchedule, ...]
) -> None:
    cores = diamond(*long)
    sizing = FifoSizing(timing, cores, fifo_of)
    sized = sizing.size()
    assert sized.times.interval == sizing.bound == max(schedule.interval for schedule in long)
    assert sized.fifos
    for edge, fifo in sized.fifos.items():
        smaller = fifo.depth - 1 if fifo.depth > 2 else 0
        fifos = {**sized.fifos, edge: Fifo(smaller)} if smaller else {e: f for e, f in sized.fifos.items() if e != edge}
        times = timing.run(cores, fifos, 40)
        assert times.deadlock or times.interval > sizing.bound


@pytest.mark.parametrize("long", [(core(8, vector=8),), (core(8, latency=30),), (core(8, pace=3), core(8, vector=4))])
def test_depths_of_a_large_graph_suffice_and_are_all_used(timing: StreamTiming, long: tuple[CoreSchedule, ...]) -> None:
    cores = diamond(*long)
    smallest = FifoSizing(timing, cores, fifo_of).size()
    sized = FifoSizing(timing, cores, fifo_of, large=1).size()
    assert sized.times.interval == smallest.times.interval
    assert timing.run(cores, sized.fifos, 40).interval == smallest.times.interval
    for edge, fifo in sized.fifos.items():
        assert fifo.depth == max(2, sized.times.waiting[edge])
    assert set(smallest.fifos) <= set(sized.fifos)


def test_depths_of_a_large_graph_fill_memories(timing: StreamTiming) -> None:
    cores = diamond(core(8, latency=30))
    exact = FifoSizing(timing, cores, fifo_of, large=1).size()
    filled = FifoSizing(timing, cores, fifo_of, large=1, filled=lambda _, depth: -(-depth // 16) * 16).size()
    assert filled.times.interval == exact.times.interval
    assert [fifo.depth for fifo in filled.fifos.values()] == [
        -(-fifo.depth // 16) * 16 for fifo in exact.fifos.values()
    ]


def test_all_slow_parts_of_a_graph_are_seen_at_once(timing: StreamTiming) -> None:
    # A fork behind another, and slower: what leaves is late for its sake alone, as long as there is room between them.
    cores = diamond(core(8, latency=20))
    fork = TimedCore(core(8, outputs=2), ((2, 0),))
    cores += [fork, TimedCore(core(8, latency=60), ((3, 0),)), TimedCore(core(8, inputs=2), ((3, 1), (4, 0)))]
    fifos = {(2, 0): Fifo(2), (3, 0): Fifo(1000), (5, 0): Fifo(2)}
    at_the_end = timing.run(cores, fifos, 8)
    anywhere = timing.run(cores, fifos, 8, bound=8)
    assert (2, 0) not in at_the_end.blocked
    assert {(2, 0), (5, 0)} <= set(anywhere.blocked)
    assert at_the_end.waiting
    assert not anywhere.waiting


def test_more_cycles_than_can_be_counted_are_refused(timing: StreamTiming) -> None:
    with pytest.raises(VerificationError, match=r"2\^31"):
        timing.run(chain(core(4, pace=1 << 29)), {}, 2)


def test_depths_that_are_given_stay(timing: StreamTiming) -> None:
    cores = diamond(core(8, latency=30))
    sized = FifoSizing(timing, cores, fifo_of, {(2, 0): 5}).size()
    assert sized.fifos[2, 0].depth == 5
    assert sized.times.interval > 8
    with pytest.raises(VerificationError, match="stands still"):
        FifoSizing(timing, diamond(core(8, vector=8)), fifo_of, {(2, 0): 0}).size()


@pytest.mark.parametrize("large", [1, 1 << 30])
def test_a_given_depth_that_is_too_small_leaves_the_others_finite(timing: StreamTiming, large: int) -> None:
    cores = diamond(core(8, latency=30))
    # A second diamond behind the first: its short cut is not given.
    fork = TimedCore(core(8, outputs=2), ((2, 0),))
    cores += [fork, TimedCore(core(8, latency=30), ((3, 0),)), TimedCore(core(8, inputs=2), ((3, 1), (4, 0)))]
    sized = FifoSizing(timing, cores, fifo_of, {(2, 0): 5}, large).size()
    assert sized.times.interval > 8
    assert sized.fifos[2, 0].depth == 5
    assert max(fifo.depth for fifo in sized.fifos.values()) < 100


@pytest.mark.parametrize("words", [1, 3])
def test_events_before_the_first_frame_do_not_count(timing: StreamTiming, words: int) -> None:
    schedule = core(words)
    never = Relation(Event(START, 1), Event(TRANSFER, 0), constant(words, NEVER), constant(words, 1000))
    changed = CoreSchedule((words,), (words,), words, (*schedule.relations, never))
    assert timing.run(chain(changed), {}, 2).output_cycles.ravel().tolist() == list(range(1, 2 * words + 1))


def test_another_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.so").write_bytes(b"")
    with pytest.raises(ToolError):
        StreamTiming(tmp_path / "no.so")
