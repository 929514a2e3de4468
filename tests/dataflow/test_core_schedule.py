"""The file of a core's schedule."""

from __future__ import annotations

import numpy as np
import pytest

from finnmake.dataflow.core_schedule import NEVER, CoreSchedule, Event, EventKind, Relation, read_schedule
from finnmake.errors import ModelError

SCHEDULE = CoreSchedule(
    inputs=(4,),
    outputs=(2,),
    interval=4,
    relations=(
        Relation(
            Event(EventKind.START, 1),
            Event(EventKind.TRANSFER, 0),
            np.array([NEVER, 3]),
            np.array([0, 2]),
        ),
    ),
)


def test_what_is_written_is_read() -> None:
    text = SCHEDULE.text()
    read = read_schedule(text)
    assert (read.inputs, read.outputs, read.interval) == ((4,), (2,), 4)
    assert [numbers.tolist() for numbers in read.relations[0].numbers()] == [[NEVER, 3], [0, 2]]
    assert read.relations[0].event == Event(EventKind.START, 1)
    assert read.text() == text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", "["),
        ('"start"', '"begin"'),
        ('"format": 1', '"format": 0'),
        ('"outputs": [2]', '"outputs": [3]'),
        ('"cycles": [0, 2]', '"cycles": [0, -2]'),
    ],
)
def test_damaged_files_are_refused(old: str, new: str) -> None:
    with pytest.raises(ModelError):
        read_schedule(SCHEDULE.text().replace(old, new)).relations[0].numbers()
