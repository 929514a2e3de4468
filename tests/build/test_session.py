"""What a command knows of its tasks."""

from __future__ import annotations

from collections.abc import Mapping

from finnmake.build.doit_tasks import EngineAction
from finnmake.build.session import Session, TaskOutcome


class EndingThreads(dict[str, EngineAction]):
    """Tasks, to whose outcomes a thread of an interrupted build adds another one whenever they are looked at."""

    def __init__(self, outcomes: dict[str, TaskOutcome]) -> None:
        super().__init__()
        self._outcomes = outcomes

    def __contains__(self, name: object) -> bool:
        self._outcomes[f"another{len(self._outcomes)}"] = TaskOutcome("run")
        return super().__contains__(name)


def test_outputs_of_an_interrupted_build_whose_threads_still_end() -> None:
    outcomes = {"one": TaskOutcome("run"), "two": TaskOutcome("run")}
    session = Session(tasks=EndingThreads(outcomes), outcomes=outcomes)
    outputs: Mapping[str, object] = session.outputs()
    assert len(outputs) == 0
    assert session.counts()["run"] == len(session.found()) == 4
