"""Layers whose weights come from the host: a port of the stitched design each, driven by the simulation."""

from __future__ import annotations

import json

import numpy as np

from tests.support.project import FOLDING, Project


def test_weights_from_the_host_give_the_same_outputs(built: Project) -> None:
    name = "MatrixVectorActivation_1"
    built.write_folding({**FOLDING, name: {**FOLDING[name], "mem_mode": "external"}})
    assert "rtlsim" in built.build("--until", "stitched").ran
    manifest = json.loads((built.output / "manifest.json").read_text())
    (weights,) = manifest["weights"]
    assert (weights["layer"], weights["words"], weights["stream"]["port"]) == (name, 16, "weights_0")
    assert "input  wire [3:0] weights_0_tdata" in (built.output / "stitched/stitched.v").read_text()
    assert json.loads((built.output / "stitched/rtlsim.json").read_text())["mismatches"] == 0

    np.save(built.folder / "x.npy", np.random.default_rng(3).integers(0, 4, (5, 16)))
    outputs = []
    for engine in ("reference", "cpp", "rtl", "stitched"):
        done = built.finnmake("run", "net", "--engine", engine, "--inputs", "x.npy", "--output", f"{engine}.npy")
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(np.load(built.folder / f"{engine}.npy"))
    assert all(np.array_equal(array, outputs[0]) for array in outputs)

    done = built.finnmake("build", "net:shell")
    assert done.returncode != 0
    assert f"layer {name}: its weights come from the host, and the shell has no port" in done.stdout + done.stderr
