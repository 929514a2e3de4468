"""The steps that are planned are the compiler's automatic flow."""

from __future__ import annotations

from finnmake.dataflow.library import DATAFLOW_TRANSFORMATIONS
from finnmake.flow.compile_tasks import Step
from finnmake.flow.stages import Stage
from finnmake.flow.steps import COMPLETE, MINIMIZE_WIDTHS, compile_steps
from finnmake.transformation.flow import AUTOMATIC_FLOW
from finnmake.transformation.library import TRANSFORMATIONS

FOLDING = Step("SetFolding", {"target_cycles": 64}, Stage.LAYERS)


def test_planned_steps_are_the_automatic_flow() -> None:
    names = [step.transformation for step in compile_steps(None, FOLDING)]
    assert names == [*(name for name, _ in AUTOMATIC_FLOW), FOLDING.transformation, *COMPLETE]


def test_every_step_is_known() -> None:
    known = {*TRANSFORMATIONS, *DATAFLOW_TRANSFORMATIONS}
    assert {step.transformation for step in compile_steps(1, FOLDING)} <= known


def test_widths_are_minimised_on_demand_before_folding() -> None:
    plain = [step.transformation for step in compile_steps(None, FOLDING)]
    names = [step.transformation for step in compile_steps(None, FOLDING, minimize_widths=True)]
    assert [name for name in names if name not in MINIMIZE_WIDTHS] == plain
    assert names.index(MINIMIZE_WIDTHS[-1]) == names.index(FOLDING.transformation) - 1
    assert set(MINIMIZE_WIDTHS) <= set(DATAFLOW_TRANSFORMATIONS)


def test_stages_ascend() -> None:
    stages = [step.stage for step in compile_steps(0, FOLDING)]
    assert stages == sorted(stages)
