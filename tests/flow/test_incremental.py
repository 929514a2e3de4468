"""What runs again after a change, and what does not: with real tools, through the command line."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from tests.support.command import Installation
from tests.support.project import BASE, FOLDING, Build, Project

UNTIL = ("--until", "stitched")
DESIGN_TOOLS = {"lint", "rtlsim_build"}
FOLDED: dict[str, dict[str, object]] = {**FOLDING, "MatrixVectorActivation_0": {"SIMD": 4, "PE": 4}}


def nothing_happened(build: Build) -> bool:
    """Whether neither an action ran nor a result was fetched."""
    return build.actions["up_to_date"] > 0 and {*build.actions.items()} >= {("run", 0), ("store", 0), ("failed", 0)}


def cores(project: Project) -> dict[str, str]:
    """Layer -> name of its core, which says its structure."""
    return {layer["name"]: layer["core"] for layer in project.manifest()}


def layers_of(names: set[str]) -> set[str]:
    """Layers whose steps are among task names."""
    return {name.partition(".")[0] for name in names if "." in name}


def test_a_second_build_has_nothing_to_do(built: Project) -> None:
    before = built.digests()
    assert nothing_happened(built.build(*UNTIL))
    assert built.digests() == before


def test_folding_of_one_layer_and_back(built: Project) -> None:
    before, cores_before, layers_before = built.digests(), cores(built), built.layers()
    built.write_folding(FOLDED)
    changed = built.build(*UNTIL)
    new = {name for name, core in cores(built).items() if core not in cores_before.values()}
    # The layer itself, and what stands behind it because its words are wider now.
    assert new == {"MatrixVectorActivation_0", "StreamingDataWidthConverter_2"}
    assert changed.tools == {f"{layer}.{step}" for layer in new for step in SIMULATED} | DESIGN_TOOLS
    assert layers_of(changed.ran) == new
    assert {"ApplyFolding", "InsertDWC", "layers", "stitch", "rtlsim"} <= changed.ran
    assert not {"import", "Streamline", "CreateDataflowPartition"} & changed.ran
    built.write_folding(FOLDING)
    back = built.build(*UNTIL)
    assert back.actions["run"] == 0
    assert back.actions["store"] > 0
    assert built.layers() == layers_before
    after = built.digests()
    assert {path: after[path] for path in before} == before
    # What a layer that is no more has left behind goes with `doit clean`.
    assert {path.split("/")[3] for path in after.keys() - before.keys()} == {"StreamingDataWidthConverter_2"}
    built.doit("clean")
    assert not built.output.exists()


SIMULATED = ("lint", "cppsim_build", "rtlsim_build", "synth")


def test_other_weights_build_no_core_again(built: Project) -> None:
    before, cores_before = built.digests(), cores(built)
    built.write_model(replace(BASE, layer_seeds=(20, 21)))
    retrained = built.build(*UNTIL)
    assert cores(built) == cores_before
    # Synthesis takes the contents of memories in, for now.
    assert retrained.tools == {"MatrixVectorActivation_0.synth", "MatrixVectorActivation_1.synth"}
    assert {"import", "MatrixVectorActivation_0.generate", "MatrixVectorActivation_0.rtlsim", "rtlsim"} <= retrained.ran
    after = built.digests()
    assert before["build/net/stitched/rtlsim.so"] == after["build/net/stitched/rtlsim.so"]
    weights = "build/net/layers/MatrixVectorActivation_0/weights.mem"
    assert before[weights] != after[weights]


def test_a_layer_in_the_middle_builds_no_other_core_again(built: Project) -> None:
    cores_before = cores(built)
    built.write_model(replace(BASE, sizes=(16, 8, 8, 4), layer_seeds=(0, 7, 1)))
    inserted = {"MatrixVectorActivation_1": {"SIMD": 2, "PE": 2}}
    last = {"MatrixVectorActivation_2": FOLDING["MatrixVectorActivation_1"]}
    built.write_folding({**FOLDING, **inserted, **last})
    build = built.build(*UNTIL)
    after = cores(built)
    assert after["MatrixVectorActivation_0"] == cores_before["MatrixVectorActivation_0"]
    assert after["MatrixVectorActivation_2"] == cores_before["MatrixVectorActivation_1"]
    # The FIFO in front of it equals the one behind it, which there was before.
    assert after["StreamingFIFO_3"] == after["StreamingFIFO_2"] == cores_before["StreamingFIFO_2"]
    assert layers_of(build.ran) == {"MatrixVectorActivation_1"}
    assert build.tools == {f"MatrixVectorActivation_1.{step}" for step in SIMULATED} | DESIGN_TOOLS


def test_names_times_and_places_mean_nothing(built: Project, tmp_path: Path) -> None:
    built.write_model(replace(BASE, prefix="renamed/by::the exporter_"))
    assert nothing_happened(built.build(*UNTIL))
    for path in built.folder.rglob("*"):
        if ".finnmake" not in path.parts:
            os.utime(path, (1e9, 1e9))
    assert nothing_happened(built.build(*UNTIL))
    moved = tmp_path / "another place"
    built.folder.rename(moved)
    assert nothing_happened(Project(moved, built.installation).build(*UNTIL))


def test_finnmake_in_another_place_means_nothing(built: Project, tmp_path: Path) -> None:
    elsewhere = Installation.copied(tmp_path / "site")
    shutil.copytree(built.installation.site, elsewhere.site, dirs_exist_ok=True)
    assert nothing_happened(Project(built.folder, elsewhere).build(*UNTIL))


def test_a_second_checkout_takes_all_from_the_store(built: Project, tmp_path: Path) -> None:
    second = Project.create(tmp_path / "second", built.installation)
    (second.folder / "finnmake.toml").write_text(f'[store]\npath = "{built.store}"\n')
    build = second.build(*UNTIL)
    assert build.actions["run"] == 0
    assert second.digests() == built.digests()


def test_equal_layers_share_one_build(built: Project) -> None:
    built.write_model(replace(BASE, sizes=(16, 8, 8, 8, 4), layer_seeds=(0, 7, 7, 1)))
    equal = ("MatrixVectorActivation_1", "MatrixVectorActivation_2")
    built.write_folding({**FOLDING, **{layer: {"SIMD": 8, "PE": 8} for layer in equal}})
    steps = ("lint", "cppsim_build")
    # Both at once: whichever task comes first runs, the other waits and takes its result.
    text = built.doit("-n", "2", *(f"net:{layer}.{step}" for step in steps for layer in equal))
    assert cores(built)[equal[0]] == cores(built)[equal[1]]
    for step in steps:
        lines = [line.split()[0] for line in text.splitlines() if line.endswith(f".{step}")]
        assert sorted(lines) == ["run", "store"], text


def test_a_kernel_rebuilds_its_own_cores_only(built: Project, tmp_path: Path) -> None:
    edited = Installation(tmp_path / "site")
    shutil.copytree(built.installation.site, edited.site)
    project = Project(built.folder, edited)
    kernel = edited.kernels / "thresholding"
    for name in ("thresholding.v", "thresholding.hpp"):
        with (kernel / name).open("a") as file:
            file.write("// edited\n")
    build = project.build(*UNTIL)
    # Simulation and lint of the design hold no core.
    assert build.tools == {f"Thresholding_0.{step}" for step in SIMULATED}
    assert layers_of(build.ran) == {"Thresholding_0"}
    # And with the kernel as it was, everything is there.
    assert built.build(*UNTIL).actions["run"] == 0


def test_an_edit_of_finnmake_that_changes_no_file_runs_no_tool(built: Project, tmp_path: Path) -> None:
    edited = Installation(tmp_path / "site")
    shutil.copytree(built.installation.site, edited.site)
    for name in ("graph/model_wrapper.py", "codegen/actions.py"):
        with (edited.site / "finnmake" / name).open("a") as file:
            file.write("\n# edited\n")
    build = Project(built.folder, edited).build(*UNTIL)
    assert {"import", "layers", "Thresholding_0.generate", "stitch"} <= build.ran
    assert build.tools == set()


def test_builds_in_both_ways_share_their_state(bitstream: Project) -> None:
    assert nothing_happened(bitstream.build())
    text = bitstream.doit()
    assert "\n0 run, 0 store, " in text
    assert nothing_happened(bitstream.build(*UNTIL))
    # And the other way round: what doit does, `finnmake build` finds done.
    shutil.rmtree(bitstream.output)
    assert "0 run" in bitstream.doit().splitlines()[-1]
    assert nothing_happened(bitstream.build())
