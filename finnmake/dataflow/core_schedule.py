"""The schedule of a core: what each word of its streams waits for, and how long, as measured on its RTL.

Three kinds of events happen to a word at a port: an output word is *started* inside the core, it is *offered* to its
consumer some cycles later, it is *transferred*. An input word is offered by whoever feeds the core, and transferred. A
relation says that each event of one kind comes so many cycles after an event of another at the earliest. The relations
of a core hold whatever stands around it; how a whole graph of cores behaves follows from theirs (``stream_timing``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from finnmake.dataflow.layer import IntegerArray
from finnmake.dataflow.repetition import FoldedSequence, write_sequence
from finnmake.errors import ModelError

SCHEDULE_FORMAT = 1

NEVER = -(1 << 40)
"""The word that an event refers to which waits for none: far before the first."""


class EventKind(StrEnum):
    """What happens to a word."""

    START = "start"
    OFFER = "offer"
    TRANSFER = "transfer"


@dataclass(frozen=True)
class Event:
    """A kind of event at a port: inputs have the numbers from 0 on, outputs those behind them."""

    kind: EventKind
    port: int


@dataclass(frozen=True, eq=False)
class Relation:
    """Each ``event`` comes some cycles after an event of ``source`` at the earliest.

    Attributes:
        words: for each word of a frame the word of ``source`` that it waits for, counted from the beginning of the same
            frame: negative is in a frame before. Shape (words of a frame of ``event``,).
        cycles: how long after that one, same shape; not negative.
    """

    event: Event
    source: Event
    words: IntegerArray | FoldedSequence
    cycles: IntegerArray | FoldedSequence

    def numbers(self) -> tuple[IntegerArray, IntegerArray]:
        """Words and cycles, unfolded.

        Raises:
            ModelError: the file that they come from is damaged.
        """
        words, cycles = (
            entry.unfolded() if isinstance(entry, FoldedSequence) else entry for entry in (self.words, self.cycles)
        )
        # What computes when words move takes for granted that none waits for a later one.
        if cycles.min(initial=0) < 0:
            raise ModelError("not a schedule: a word comes before what it waits for")
        return words, cycles

    def steady(self) -> tuple[int, int] | None:
        """Words and cycles after the word of ``source`` with the same number, where these are the same for all words.

        Raises:
            ModelError: the file that they come from is damaged.
        """
        if isinstance(self.words, FoldedSequence) and isinstance(self.cycles, FoldedSequence):
            match self.words.progression(), self.cycles.progression():
                case (int(first), 1), (int(cycle), 0) if cycle >= 0:
                    return -first, cycle
        words, cycles = self.numbers()
        # Most that are not the same differ at their ends.
        same = words[-1] - words[0] == len(words) - 1 and bool((np.diff(words) == 1).all())
        same = same and bool((cycles == cycles[0]).all())
        return (-int(words[0]), int(cycles[0])) if same else None


@dataclass(frozen=True, eq=False)
class CoreSchedule:
    """The schedule of one core.

    Attributes:
        inputs: words of a frame of every input stream.
        outputs: words of a frame of every output stream.
        interval: cycles between frames when nothing around the core makes it wait.
        relations: all that holds between its events.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    interval: int
    relations: tuple[Relation, ...]

    def text(self) -> str:
        """Canonical JSON; equal schedules have equal texts."""
        body = {
            "format": SCHEDULE_FORMAT,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "interval": self.interval,
            "relations": [
                {
                    "event": [relation.event.kind, relation.event.port],
                    "source": [relation.source.kind, relation.source.port],
                    "words": _tree(relation.words),
                    "cycles": _tree(relation.cycles),
                }
                for relation in self.relations
            ],
        }
        return json.dumps(body, sort_keys=True) + "\n"


def read_schedule(text: str) -> CoreSchedule:
    """The schedule in a text; its sequences stay folded.

    Raises:
        ModelError: it is none.
    """
    try:
        body: Mapping[str, Any] = json.loads(text)
        if body["format"] != SCHEDULE_FORMAT:
            raise ValueError(f"format {body['format']}")
        inputs, outputs = tuple(map(int, body["inputs"])), tuple(map(int, body["outputs"]))
        words = (*inputs, *outputs)
        relations = tuple(_relation(entry, words) for entry in body["relations"])
        return CoreSchedule(inputs, outputs, int(body["interval"]), relations)
    except (ValueError, KeyError, TypeError, IndexError) as problem:
        raise ModelError(f"not a schedule: {problem}") from problem


def _relation(entry: Mapping[str, Any], words: Sequence[int]) -> Relation:
    event, source = (Event(EventKind(entry[name][0]), int(entry[name][1])) for name in ("event", "source"))
    length = words[event.port]
    return Relation(event, source, *(FoldedSequence(entry[name], length) for name in ("words", "cycles")))


def _tree(values: IntegerArray | FoldedSequence) -> object:
    return values.tree if isinstance(values, FoldedSequence) else write_sequence(values)


def constant(length: int, value: int) -> IntegerArray:
    """The same number for every word."""
    return np.full(length, value, dtype=np.int64)
