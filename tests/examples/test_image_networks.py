"""The trained networks of images: equal to the model on every sample, nightly down to stitched RTL and netlists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from finnmake.build.api import BuildResult, build
from tests.support.example import copied_example

EXAMPLES = {
    "cnv_w1a1": "cnv",
    "cnv_w1a2": "cnv",
    "cnv_w2a2": "cnv",
    "resnet_small": "resnet_small",
    "mobilenet_small": "mobilenet_small",
}
"""Folder of each target."""


class Example:
    """A copy of an example.

    Args:
        folder: where it goes.
        target: of its build file.
    """

    def __init__(self, folder: Path, target: str) -> None:
        self._folder = copied_example(folder / target, EXAMPLES[target])
        self._target = target

    def build(self, steps: Sequence[str]) -> BuildResult:
        """Builds steps of the target, all of it without any."""
        names = [f"{self._target}:{step}" for step in steps] or [self._target]
        result = build(self._folder / "dodo.py", names, jobs=2)
        assert result.ok, result.failures
        return result

    def output(self, name: str) -> Any:
        """A JSON file of what has been built."""
        return json.loads((self._folder / "build" / self._target / name).read_text())

    def slowest(self) -> int:
        """The interval of the slowest layer."""
        return max(int(layer["interval"]) for layer in self.output("manifest.json")["layers"])


@pytest.mark.parametrize("target", ["cnv_w1a1", "resnet_small", "mobilenet_small"])
def test_the_layers_compute_the_labels_of_the_model(tmp_path: Path, target: str) -> None:
    example = Example(tmp_path, target)
    example.build(["layers", "reference"])
    reference = example.output("reference/reference.json")
    assert (reference["samples"], reference["mismatches"]) == (100, 0)
    assert reference["accuracy"] >= 0.7
    assert example.output("manifest.json")["layers"][-1]["op_type"] == "LabelSelect"
    assert example.slowest() <= 25_000
    if target == "mobilenet_small":
        example.build(["VectorVectorActivation_0.rtlsim"])


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("target", EXAMPLES)
def test_every_network_down_to_stitched_rtl_and_the_netlists_of_its_layers(tmp_path: Path, target: str) -> None:
    example = Example(tmp_path, target)
    example.build(["layers", "reference"])
    example.build(["rtlsim"])
    measured = example.output("stitched/rtlsim.json")
    assert (measured["samples"], measured["mismatches"]) == (100, 0)
    layers = [layer["name"] for layer in example.output("manifest.json")["layers"]]
    example.build(["lint", *(f"{name}.{step}" for name in layers for step in ("cppsim", "rtlsim", "synth"))])
    assert all(example.output(f"layers/{name}/resources.json") for name in layers)
