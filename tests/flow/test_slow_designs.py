"""Designs of which nothing can be seen at their ports for a long time."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command import Installation
from tests.support.networks import Mlp
from tests.support.project import Project


def test_a_layer_of_more_than_a_million_cycles(tmp_path: Path, installation: Installation) -> None:
    network = Mlp(sizes=(1024, 1040, 4), layer_seeds=(0, 1))
    project = Project.create(tmp_path / "project", installation, network, fifo_depths="estimated")
    project.write_folding({f"MatrixVectorActivation_{layer}": {"SIMD": 1, "PE": 1} for layer in range(2)})
    project.build("net:rtlsim")
    simulated = json.loads((project.output / "stitched/rtlsim.json").read_text())
    assert simulated["mismatches"] == 0
    # Between the last word of the first frame's input and its one word of output is all that the first layer does.
    assert simulated["first_latency_cycles"] > 1024 * 1040
