"""Damaged models are refused with a message: no traceback, no hang, no more than 2 GiB."""

from __future__ import annotations

import onnx
import pytest

from finnmake.frontend import import_model
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from tests.frontend.fuzz import MEMORY_LIMIT, fuzz
from tests.frontend.seeds import seeds


@pytest.mark.parametrize("name", sorted(seeds()))
def test_the_seeds_themselves_pass(name: str) -> None:
    model: ModelWrapper = import_model(onnx.ModelProto.FromString(seeds()[name]))
    streamlined = model.transform(make_transformation(*AUTOMATIC_FLOW[0]))
    assert streamlined.nodes


@pytest.mark.parametrize("count", [150, pytest.param(2000, marks=pytest.mark.nightly)])
def test_mutated_models(count: int) -> None:
    report = fuzz(count)
    assert not report.findings, "\n".join(f"{finding.index}: {finding.what}" for finding in report.findings)
    assert sum(report.outcomes.values()) == count
    assert report.outcomes["passed"] > 0
    assert report.outcomes["refused by import"] > 0
    assert report.peak_bytes < MEMORY_LIMIT
