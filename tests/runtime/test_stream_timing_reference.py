"""The solver of stream timings against a few lines that compute every word from the definition, run after run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finnmake.dataflow.core_schedule import NEVER, CoreSchedule, Event, EventKind, Relation, constant
from finnmake.dataflow.fifo_sizing import Edge
from finnmake.runtime.stream_timing import Fifo, StreamTiming, TimedCore
from tests.runtime.test_stream_timing import core

_Node = tuple[EventKind, str, Edge]
_Word = tuple[_Node, int]
_OFFER, _TRANSFER, _START = EventKind.OFFER, EventKind.TRANSFER, EventKind.START


def defined(
    cores: Sequence[TimedCore], fifos: Mapping[Edge, Fifo], frames: int
) -> tuple[list[int] | None, dict[Edge, int]]:
    """Cycles of the words that leave, None where the graph stands still, and the most words in each FIFO."""
    waits: dict[_Word, list[tuple[_Node, int, int]]] = defaultdict(list)
    words: dict[_Node, int] = {}

    def wait(node: _Node, word: int, source: _Node, other: int, delay: int) -> None:
        waits[node, word].append((source, other, delay))

    def stream(offer: _Node, transfer: _Node, count: int) -> None:
        words[offer] = words[transfer] = count
        for word in range(count * frames):
            wait(offer, word, transfer, word - 1, 1)
            wait(transfer, word, offer, word, 0)

    last = (len(cores) - 1, 0)
    consumers = {source: (at, port) for at, core in enumerate(cores) for port, source in enumerate(core.sources)}
    for source, edge in (*consumers.items(), (last, (len(cores), 0))):
        count = cores[edge[0]].schedule.inputs[edge[1]] if edge[0] < len(cores) else cores[-1].schedule.outputs[0]
        stream((_OFFER, "out", source), (_TRANSFER, "out", source), count)
        if edge in fifos:
            entered: _Node = (_TRANSFER, "out", source)
            left: _Node = (_TRANSFER, "in", edge)
            stream((_OFFER, "in", edge), left, count)
            for word in range(count * frames):
                wait(entered, word, left, word - fifos[edge].depth, 1)
                wait((_OFFER, "in", edge), word, entered, word, fifos[edge].latency)

    def node(event: Event, at: int) -> _Node:
        inputs = len(cores[at].schedule.inputs)
        if event.port >= inputs:
            return (event.kind, "out", (at, event.port - inputs))
        edge = (at, event.port)
        return (event.kind, "in", edge) if edge in fifos else (event.kind, "out", cores[at].sources[event.port])

    for at, timed in enumerate(cores):
        for number, count in enumerate(timed.schedule.outputs):
            words[_START, "out", (at, number)] = count
        for relation in timed.schedule.relations:
            event, cause = node(relation.event, at), node(relation.source, at)
            awaited, delays = relation.numbers()
            for word in range(words[event] * frames):
                frame, place = divmod(word, words[event])
                other = frame * words[cause] + int(awaited[place])
                wait(event, word, cause, other, int(delays[place]))
    cycles: dict[_Word, int] = {}
    for start in [(node, word) for node, count in words.items() for word in range(count * frames)]:
        way: dict[_Word, None] = {start: None}
        while way:
            here = next(reversed(way))
            needed = [((source, other), delay) for source, other, delay in waits[here] if other >= 0]
            missing = next((other for other, _ in needed if other not in cycles), None)
            if missing is None:
                cycles[here] = max((cycles[other] + delay for other, delay in needed), default=0)
                del way[here]
            elif missing in way:
                return None, {}
            else:
                way[missing] = None
    waiting = {}
    for edge in fifos:
        every = range(words[_TRANSFER, "in", edge] * frames)
        source = cores[edge[0]].sources[edge[1]]
        come = np.array([cycles[(_TRANSFER, "out", source), word] for word in every])
        gone = np.array([cycles[(_TRANSFER, "in", edge), word] for word in every])
        waiting[edge] = max(word + 1 - int(np.count_nonzero(gone < come[word])) for word in every)
    return [cycles[(_TRANSFER, "out", last), word] for word in range(words[_TRANSFER, "out", last] * frames)], waiting


@st.composite
def schedules(draw: st.DrawFn, words: int, inputs: int = 1, outputs: int = 1) -> CoreSchedule:
    """A core, some with pauses, with words that wait for none, or for others long before."""
    made = core(
        words, draw(st.integers(1, 40)), draw(st.integers(1, 6)), inputs, outputs, draw(st.sampled_from((1, 2, words)))
    )
    pauses = np.array(draw(st.lists(st.sampled_from((1, 1, 1, 2, 30)), min_size=words, max_size=words)))
    before = np.arange(words) - 1
    if draw(st.booleans()):
        before[draw(st.integers(0, words - 1))] = NEVER
    start = Event(_START, inputs + outputs - 1)
    lag, delay = draw(st.integers(0, 2 * words)), draw(st.sampled_from((0, 0, 50, 100, 200)))
    extra = (
        Relation(start, start, before, pauses),
        Relation(start, Event(_TRANSFER, 0), np.arange(words) - lag, constant(words, delay)),
    )
    return CoreSchedule(made.inputs, made.outputs, made.interval, (*made.relations, *extra))


@st.composite
def graphs(draw: st.DrawFn) -> list[TimedCore]:
    """Forks that meet again, one behind the other."""
    words = draw(st.sampled_from((2, 8, 12)))
    cores: list[TimedCore] = [TimedCore(draw(schedules(words)), ((-1, 0),))]
    for _ in range(draw(st.integers(1, 2))):
        fork = len(cores)
        cores.append(TimedCore(draw(schedules(words, outputs=2)), ((fork - 1, 0),)))
        for at in range(draw(st.integers(1, 2))):
            cores.append(TimedCore(draw(schedules(words)), ((fork + at, 0),)))
        cores.append(TimedCore(draw(schedules(words, inputs=2)), ((fork, 1), (len(cores) - 1, 0))))
    return cores


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[TimedCore], list[tuple[dict[Edge, Fifo], int]]]:
    """A graph, and FIFOs of several runs of it: some are as before, some not."""
    cores = draw(graphs())
    edges = [(at, port) for at, core in enumerate(cores) if at for port in range(len(core.sources))]
    fifos = {(at, 0): Fifo(draw(st.integers(2, 60))) for at, core in enumerate(cores) if len(core.sources) > 1}
    found = []
    for _ in range(draw(st.integers(2, 4))):
        for edge in draw(st.lists(st.sampled_from(edges), max_size=2)):
            depth = draw(st.sampled_from((0, 2, 3, 9, 40, 1 << 30)))
            fifos = {**fifos, edge: Fifo(depth, draw(st.integers(1, 2)))}
        fifos = {edge: fifo for edge, fifo in fifos.items() if fifo.depth}
        found.append((fifos, draw(st.integers(2, 6))))
    return cores, found


def is_as_defined(timing: StreamTiming, cores: list[TimedCore], fifos: dict[Edge, Fifo], frames: int) -> bool:
    """Whether a run comes to what it is defined to come to; of one that stands still no more than that is said."""
    times = timing.run(cores, fifos, frames)
    output, waiting = defined(cores, fifos, frames)
    if times.deadlock or output is None:
        return times.deadlock and output is None
    return times.output_cycles.ravel().tolist() == output and times.waiting == waiting


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs())
def test_every_run_is_as_defined_whatever_was_run_before(
    timing: StreamTiming, case: tuple[list[TimedCore], list[tuple[dict[Edge, Fifo], int]]]
) -> None:
    cores, found = case
    for fifos, frames in found:
        assert is_as_defined(timing, cores, fifos, frames)


@pytest.mark.parametrize("frames", [3, 9])
def test_more_frames_of_a_run_continue_it(timing: StreamTiming, frames: int) -> None:
    cores = [TimedCore(core(50, latency=9, pace=7 - at), ((at - 1, 0),)) for at in range(6)]
    timing.run(cores, {}, 2)
    assert timing.run(cores, {}, frames).output_cycles.ravel().tolist() == defined(cores, {}, frames)[0]
    assert timing.run(cores, {}, 2).output_cycles.ravel().tolist() == defined(cores, {}, 2)[0]


def test_a_fifo_made_smaller_holds_up_words_that_came_long_before(timing: StreamTiming) -> None:
    # What the words wait for comes thousands of cycles after them in the run before, which the next one is like.
    cores = [TimedCore(core(60), ((-1, 0),)), TimedCore(core(60, pace=50), ((0, 0),)), TimedCore(core(60), ((1, 0),))]
    for depth in (1000, 2, 30, 0, 7):
        fifos = {(1, 0): Fifo(depth)} if depth else {}
        times = timing.run(cores, fifos, 3)
        output, waiting = defined(cores, fifos, 3)
        assert times.output_cycles.ravel().tolist() == output
        assert times.waiting == waiting


@pytest.mark.parametrize("seed", [6, 7, 12, 15, 32])
def test_frames_of_many_steps_are_as_defined(timing: StreamTiming, seed: int) -> None:
    # Long enough for series to rest and to be woken again, with FIFOs that come, go and change from run to run.
    draw = Random(seed)
    words = draw.choice((40, 60, 100))

    def slow_core(inputs: int = 1, outputs: int = 1) -> CoreSchedule:
        pace = draw.randint(1, 60 if draw.random() < 0.2 else 9)
        return core(words, 16 * draw.randint(1, 300), 16 * pace, inputs, outputs, draw.choice((1, 2, words)))

    cores = [TimedCore(slow_core(), ((-1, 0),))]
    while len(cores) < 10:
        before = len(cores)
        if draw.random() < 0.6:
            cores.append(TimedCore(slow_core(), ((before - 1, 0),)))
            continue
        cores.append(TimedCore(slow_core(outputs=2), ((before - 1, 0),)))
        cores += [TimedCore(slow_core(), ((before + at, 0),)) for at in range(draw.randint(1, 2))]
        cores.append(TimedCore(slow_core(inputs=2), ((before, 1), (len(cores) - 1, 0))))
    fifos = {(at, 0): Fifo(1 << 30) for at, each in enumerate(cores) if len(each.sources) > 1}
    edges = [(at, port) for at, each in enumerate(cores) if at for port in range(len(each.sources))]
    for _ in range(4):
        fifos = {**fifos, **{edge: Fifo(draw.choice((2, 3, 5, 20, 60))) for edge in draw.sample(edges, 2)}}
        frames = draw.randint(2, 5)
        assert is_as_defined(timing, cores, fifos, frames)
