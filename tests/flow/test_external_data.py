"""Models built whose weights lie in files beside them, as Brevitas' default exporter writes them,."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from tests.support.command import Installation
from tests.support.networks import Mlp
from tests.support.project import BASE, Project

UNTIL = ("--until", "layers")
OTHER = Mlp(sizes=(16, 8, 4), layer_seeds=(0, 7))


def write(project: Project, network: Mlp, location: str = "net.onnx.data") -> None:
    """The model with all its weights in another file."""
    (project.folder / location).unlink(missing_ok=True)
    (project.folder / location).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(
        network.model(), project.folder / "net.onnx", save_as_external_data=True, location=location, size_threshold=0
    )


def test_external_data(project: Project, tmp_path: Path, installation: Installation) -> None:
    write(project, BASE)
    model = (project.folder / "net.onnx").read_bytes()
    first = project.build(*UNTIL)
    assert "import" in first.ran
    layers = project.digests()
    again = project.build(*UNTIL)
    assert (again.actions["run"], again.actions["store"]) == (0, 0)
    # The same bytes elsewhere are the same result, and so is the model in one file.
    write(project, BASE, "weights/all.bin")
    moved = project.build(*UNTIL)
    assert (moved.actions["run"], moved.actions["store"]) == (0, 0)
    project.write_model(BASE)
    assert project.build(*UNTIL).actions["run"] == 0
    assert project.digests() == layers
    # Other weights alone, with the same graph file: what depends on them runs.
    write(project, OTHER)
    assert (project.folder / "net.onnx").read_bytes() == model
    retrained = project.build(*UNTIL)
    assert {"import", "Streamline", "layers"} <= retrained.ran
    assert project.digests() != layers
    write(project, BASE)
    back = project.build(*UNTIL)
    assert back.actions["run"] == 0
    assert back.actions["store"] > 0


@pytest.mark.parametrize(
    ("location", "spoil", "expected"),
    [
        ("net.onnx.data", "missing", ["net.onnx.data", "there is no such file"]),
        ("net.onnx.data", "short", ["net.onnx", "does not hold"]),
        ("../escaped.data", "", ["../escaped.data", "does not lie in its folder"]),
    ],
)
def test_external_data_that_cannot_be_used(project: Project, location: str, spoil: str, expected: list[str]) -> None:
    write(project, BASE)
    data = project.folder / "net.onnx.data"
    if spoil == "missing":
        data.unlink()
    elif spoil == "short":
        data.write_bytes(data.read_bytes()[:100])
    else:
        model = onnx.load(project.folder / "net.onnx", load_external_data=False)
        for tensor in model.graph.initializer:
            tensor.external_data[0].value = location
        onnx.save(model, project.folder / "net.onnx")
        data.rename(project.folder.parent / "escaped.data")
    said = project.refused("build", *UNTIL)
    for part in expected:
        assert part in said, said
