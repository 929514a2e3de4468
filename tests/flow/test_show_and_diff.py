"""``finnmake show`` and ``finnmake diff`` on the files of a build."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from pathlib import Path

import onnx
import pytest

from finnmake import cli
from tests.support.command import Installation
from tests.support.networks import Mlp
from tests.support.project import Project


@pytest.fixture(scope="module")
def imported(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Project:
    # Weights of more than 1 KiB, so that they lie beside the graph.
    network = Mlp(sizes=(64, 8, 4), layer_seeds=(0, 1))
    project = Project.create(tmp_path_factory.mktemp("show") / "project", installation, network)
    project.build("net:Streamline")
    return project


def test_diff(imported: Project) -> None:
    done = imported.finnmake("diff", "net:import", "net:Streamline")
    assert done.returncode == 1
    assert "removed " in done.stdout
    assert "added         2 MultiThreshold" in done.stdout
    done = imported.finnmake("diff", "net", "build/net/graph/01-Streamline.onnx", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["equal"] is True
    assert imported.finnmake("diff", "net.onnx", "net.onnx").stdout == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing.onnx", "there is no model nothing.onnx"),
        ("other:import", "Known: net"),
        ("net:nothing", "Steps that do: import, Streamline"),
        ("net:ApplyFolding", "finnmake build net:ApplyFolding"),
        ("fold.json", "is not an ONNX model"),
    ],
)
def test_what_is_not_there(imported: Project, name: str, said: str) -> None:
    assert said in imported.refused("diff", name, "net.onnx", status=2)


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_a_tensor_that_its_file_does_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], json_too: tuple[str, ...]
) -> None:
    model = Mlp().model()
    onnx.save(model, tmp_path / "whole.onnx")
    (weights,) = [tensor for tensor in model.graph.initializer if tensor.name == "w1"]
    weights.dims[:] = [1 << 31, 1 << 31]
    onnx.save(model, tmp_path / "damaged.onnx")
    assert cli.main(["diff", str(tmp_path / "whole.onnx"), str(tmp_path / "damaged.onnx"), *json_too]) == 2
    assert "damaged.onnx: tensor w1: a tensor of shape [2147483648, 2147483648] takes" in capsys.readouterr().err


def test_show(imported: Project) -> None:
    pytest.importorskip("netron")
    process = imported.installation.start("finnmake.cli", ("show", "net:Streamline", "--no-browser"), imported.folder)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"http://localhost:\d+", line)
        assert match is not None, line
        with urllib.request.urlopen(match[0], timeout=20) as page:
            assert b'"/data/01-Streamline.onnx"' in page.read()
        graph = imported.output / "graph/01-Streamline.onnx"
        tensors = sorted((graph.parent / "tensors").iterdir())
        assert tensors
        # Netron asks for the files of big tensors beside the graph.
        for path in (graph, *tensors):
            name = path.relative_to(graph.parent).as_posix()
            with urllib.request.urlopen(f"{match[0]}/data/{name}", timeout=20) as data:
                assert data.read() == path.read_bytes()
    finally:
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_show_without_netron(project: Project) -> None:
    # A package of the same name that cannot be imported, before the real one.
    (project.folder / "netron.py").write_text("raise ImportError\n")
    assert 'pip install "finnmake[show]"' in project.refused("show", "net.onnx")
