"""``finnmake build``, ``run`` and ``doctor``: what they print for programs."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support.networks import Mlp
from tests.support.project import FOLDING, NAME, Project

STAGES = {
    "import": {"imported"},
    "streamlined": {"net:Streamline/out/graph.onnx"},
    "layers": {"manifest", "folding", "expected"},
    "cores": {"net:MatrixVectorActivation_0.generate/out/core.v", "net:LabelSelect_0.generate/out/top.cpp"},
    "cppsim": {"net:MatrixVectorActivation_0.cppsim/out/cppsim.json"},
    "rtlsim": {"net:MatrixVectorActivation_0.rtlsim/out/rtlsim.json"},
    "synth": {"net:MatrixVectorActivation_0.synth/netlist.il"},
    "stitched": {"stitched", "stitched_simulation"},
}
BUILD_KEYS = {"ok", "seconds", "actions", "ran", "outputs"}
RUN_KEYS = {"engine", "samples", "seconds", "cycles_per_sample", "first_latency_cycles"}


def test_a_bare_model_until_every_stage(built: Project, tmp_path: Path) -> None:
    # No build file here, but the same store: nothing has to run.
    bare = Project(tmp_path / "bare", built.installation)
    bare.folder.mkdir()
    (bare.folder / "finnmake.toml").write_text(f'[store]\npath = "{built.store}"\n')
    folder = ("--fold", str(built.folder / "fold.json"), "--out", "made")
    model = str(built.folder / "net.onnx")
    earlier: set[str] = set()
    for stage, expected in STAGES.items():
        build = bare.build(model, "--board", "ulx3s-85f", *folder, "--until", stage)
        assert build.body.keys() >= BUILD_KEYS
        assert build.body["ok"] is True
        assert build.actions.keys() == {"run", "up_to_date", "store", "remote", "failed"}
        assert build.actions["run"] == 0
        outputs = build.body["outputs"]
        assert expected <= outputs.keys()
        assert not expected <= earlier
        assert earlier <= outputs.keys()
        earlier = set(outputs)
        for path in outputs.values():
            assert Path(path).is_relative_to(bare.folder / "made")
            assert Path(path).exists()
    for path, digest in built.digests().items():
        file = bare.folder / "made" / path.removeprefix("build/net/")
        assert hashlib.sha256(file.read_bytes()).hexdigest() == digest


def test_a_bare_model_from_nothing(project: Project, tmp_path: Path) -> None:
    (project.folder / "dodo.py").unlink()
    arguments = ("net.onnx", "--board", "ulx3s-85f", "--until", "layers", "--clock", "40", "--target-fps", "1e6")
    build = project.build(*arguments)
    assert {"import", "SetFolding", "layers"} <= build.ran
    assert Path(build.body["outputs"]["manifest"]) == project.output / "manifest.json"
    assert max(layer["interval"] for layer in project.manifest()) <= 40
    again = project.build(*arguments)
    assert (again.actions["run"], again.actions["store"]) == (0, 0)
    # The folding that was chosen: copied, edited, read.
    folding = json.loads(Path(build.body["outputs"]["folding"]).read_text())
    assert folding["MatrixVectorActivation_0"]["SIMD"] != 2
    folding["MatrixVectorActivation_0"] |= {"SIMD": 2, "PE": 2}
    (project.folder / "mine.json").write_text(json.dumps(folding))
    edited = project.build(*arguments[:-2], "--fold", "mine.json")
    assert json.loads(Path(edited.body["outputs"]["folding"]).read_text()) == folding
    done = project.installation.run("finnmake.cli", ["-C", "build/net", "why"], project.folder)
    assert "net:import: up to date" in done.stdout, done.stderr


def test_what_is_ignored_of_a_folding_is_said(project: Project) -> None:
    finns: dict[str, dict[str, object]] = {
        "MVAU_hls_0": {"PE": 2, "inFIFODepths": [4]},
        "Reshape_rtl_0": {"impl_style": "rtl"},
    }
    for folding, ignored in ((FOLDING, ""), (finns, "MVAU_hls_0.inFIFODepths, Reshape_rtl_0")):
        project.write_folding(folding)
        for _ in range(2):
            done = project.finnmake("build", "--until", "layers")
            assert done.returncode == 0, done.stdout + done.stderr
            notes = [line for line in done.stdout.splitlines() if line.startswith("  note ")]
            assert [line.partition(": ")[2] for line in notes] == [ignored] * bool(ignored)


def test_build_of_a_target_and_of_one_task(project: Project) -> None:
    build = project.build(f"{NAME}:import")
    assert build.ran == {"import"}
    assert set(build.body["outputs"]) >= {"imported"}
    assert "layers" in project.build(NAME, "--until", "layers").ran


def test_engines_give_equal_outputs(built: Project) -> None:
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (25, 1, 1, 16), dtype=np.uint8)
    np.save(built.folder / "x.npy", images)
    np.save(built.folder / "floats.npy", images.astype(np.float32) / np.float32(255))
    outputs, bodies = {}, {}
    for engine in ("reference", "cpp", "rtl", "stitched"):
        name = "floats.npy" if engine == "rtl" else "x.npy"
        done = built.finnmake("run", NAME, "--engine", engine, "--inputs", name, "--output", "y.npy", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        bodies[engine] = json.loads(done.stdout)
        outputs[engine] = np.load(built.folder / "y.npy")
        assert outputs[engine].shape == (25,)
        assert bodies[engine].keys() >= RUN_KEYS
        assert bodies[engine]["engine"] == engine
        assert bodies[engine]["samples"] == 25
    for engine in outputs:
        assert (outputs[engine] == outputs["reference"]).all(), engine
    assert len(set(outputs["reference"].tolist())) > 1
    slowest = max(layer["interval"] for layer in built.manifest())
    assert bodies["rtl"]["cycles_per_sample"] == bodies["stitched"]["cycles_per_sample"] == slowest
    stitched = json.loads((built.output / "stitched/rtlsim.json").read_text())
    assert bodies["stitched"]["first_latency_cycles"] == stitched["first_latency_cycles"]
    assert 0 < bodies["rtl"]["first_latency_cycles"] <= bodies["stitched"]["first_latency_cycles"]
    # What was run has built nothing again.
    assert built.build("--until", "stitched").actions["run"] == 0


@pytest.mark.nightly
def test_run_builds_what_it_needs(project: Project) -> None:
    project.write_model(Mlp((8, 4)))
    project.write_folding({"Thresholding_0": {"PE": 8}, "MatrixVectorActivation_0": {"SIMD": 8}})
    np.save(project.folder / "x.npy", np.arange(24, dtype=np.uint8).reshape(3, 8))
    outputs = []
    for engine in ("reference", "cpp"):
        done = project.finnmake("run", NAME, "--engine", engine, "--inputs", "x.npy", "--output", "y.npy")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"engine {engine}, samples 3, seconds " in done.stdout
        outputs.append(np.load(project.folder / "y.npy"))
        assert (project.output / "layers/MatrixVectorActivation_0/cppsim.so").exists() is (engine == "cpp")
    assert outputs[0].shape == (3,)
    assert (outputs[0] == outputs[1]).all()
    assert not (project.output / "simulator").exists()


def test_a_model_with_an_open_batch_runs(project: Project) -> None:
    model = Mlp((8, 4)).model()
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(model, project.folder / "net.onnx")
    project.write_build_file(fold="auto")
    np.save(project.folder / "x.npy", np.arange(24, dtype=np.uint8).reshape(3, 8))
    # The layers against the model, on samples; then the model alone.
    assert "reference" in project.build("net:reference").ran
    done = project.finnmake("run", NAME, "--inputs", "x.npy", "--output", "y.npy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert np.load(project.folder / "y.npy").shape == (3,)


def test_doctor(project: Project) -> None:
    done = project.finnmake("doctor", "--json")
    body = json.loads(done.stdout)
    assert body["ok"] is (done.returncode == 0)
    rows = {row["name"]: row for row in body["tools"]}
    assert {"verilator", "pyosys", "perl", "make"} <= rows.keys()
    for row in body["tools"]:
        assert row.keys() >= {"name", "found", "version", "where", "why", "get", "skipped"}
        assert row["why"]
        assert not row["found"] or (row["where"] and row["version"])
        assert row["found"] or (row["get"] and row["skipped"])
    text = project.finnmake("doctor").stdout
    for name in rows:
        assert re.search(rf" {re.escape(name)}( |$)", text, re.MULTILINE)


def test_doctor_without_tools(project: Project) -> None:
    done = project.finnmake("doctor", "--json", environment={"PATH": "/nowhere"})
    body = json.loads(done.stdout)
    assert done.returncode == 1
    assert body["ok"] is False
    missing = [row["name"] for row in body["tools"] if not row["found"]]
    assert "make" in missing
    text = project.finnmake("doctor", environment={"PATH": "/nowhere"}).stdout
    assert text.count("MISSING  ") == text.count("  skipped without it: ") == text.count("  get it: ") == len(missing)


def test_a_missing_tool_is_one_message(project: Project) -> None:
    done = project.finnmake("build", "net:Thresholding_0.cppsim", environment={"PATH": "/nowhere"})
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Traceback" not in said
    assert "doctor" in said or "apt install" in said, said


def test_a_tool_that_is_missing_is_said_before_the_first_action(project: Project) -> None:
    done = project.finnmake("build", "net", "--until", "rtlsim", environment={"PATH": "/nowhere"})
    assert done.returncode == 1
    assert "g++" in done.stdout + done.stderr
    assert not project.output.exists()
