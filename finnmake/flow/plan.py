"""A planned task: one action with its name, its stage and what must come before it."""

from __future__ import annotations

from dataclasses import dataclass

from finnmake.build.action import Action
from finnmake.flow.stages import Stage


@dataclass(frozen=True)
class PlannedTask:
    """One action of an accelerator's build.

    Attributes:
        name: ``<accelerator>:<step>`` or ``<accelerator>:<layer>.<step>``.
        action: what is done.
        doc: one line for ``doit list``.
        stage: the earliest stage that includes it.
        after: names of tasks whose outputs it reads.
        expands: its output decides which further tasks there are.
    """

    name: str
    action: Action
    doc: str
    stage: Stage
    after: tuple[str, ...] = ()
    expands: bool = False
