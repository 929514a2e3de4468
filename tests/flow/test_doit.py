"""doit's own commands do what a doit user expects, on a clean tree and on a built one."""

from __future__ import annotations

import pytest

from tests.support.project import Project

STEPS = ("generate", "lint", "cppsim_build", "cppsim", "rtlsim_build", "rtlsim", "synth")


def test_list_on_a_clean_tree(project: Project) -> None:
    before = sorted(project.folder.iterdir())
    assert [line.split()[0] for line in project.doit("list").splitlines()] == ["net"]
    names = [line.split()[0] for line in project.doit("list", "--all").splitlines()]
    assert {"net:import", "net:Streamline", "net:ApplyFolding", "net:layers", "net:reference"} <= set(names)
    # To list is not to build, and loading does not run the compiler.
    assert not project.output.exists()
    assert [
        path for path in sorted(project.folder.iterdir()) if path.name not in (".finnmake", "__pycache__")
    ] == before


def test_list_on_a_built_tree(built: Project) -> None:
    lines = [line.split(maxsplit=1) for line in built.doit("list", "--all", "--status").splitlines()]
    names = {name: status for status, name in lines}
    for layer in built.layers():
        assert {f"net:{layer}.{step}" for step in STEPS} <= {name.split()[0] for name in names}
    states = {name.split()[0]: status for name, status in names.items()}
    assert states["net:MatrixVectorActivation_0.synth"] == "U"
    assert states["net:place_and_route"] in ("R", "E")


def test_info(built: Project) -> None:
    text = built.doit("info", "net:MatrixVectorActivation_0.lint")
    assert "up-to-date" in text
    assert "check the Verilog of MatrixVectorActivation_" in text
    assert "lint.txt" in text


def test_info_of_what_is_not_built(project: Project) -> None:
    project.build("--until", "import")
    # doit says with the status, too, that there is something to do.
    assert "first build" in project.doit("info", "net:Streamline", status=1)


def test_parallel(built: Project) -> None:
    text = built.doit("-n", "2", "net:rtlsim", "net:lint", "net:MatrixVectorActivation_1.synth")
    assert "0 run, 0 store" in text
    (built.output / "stitched/lint.txt").unlink()
    assert "0 run, 1 store" in built.doit("-n", "2", "net:lint").splitlines()[-1]


def test_clean_and_back(bitstream: Project) -> None:
    before = bitstream.digests()
    text = bitstream.doit("clean", "--dry-run")
    assert "build/net/net.bit" in text
    assert bitstream.digests() == before
    bitstream.doit("clean")
    assert not (bitstream.folder / "build").exists()
    assert "0 run" in bitstream.doit("-n", "2").splitlines()[-1]
    assert bitstream.digests() == before
    # On a tree that is clean already there is nothing to do.
    bitstream.doit("clean")
    assert bitstream.doit("clean") == ""
    assert "net" in bitstream.doit("list")


def test_clean_of_one_task(built: Project) -> None:
    before = built.digests()
    built.doit("clean", "net:MatrixVectorActivation_0.synth")
    gone = before.keys() - built.digests().keys()
    folder = "build/net/layers/MatrixVectorActivation_0"
    assert gone == {f"{folder}/netlist.il", f"{folder}/resources.json"}


def test_clean_on_a_clean_tree(project: Project) -> None:
    assert project.doit("clean") == ""


def test_forget(built: Project) -> None:
    built.doit("forget", "net:lint")
    assert "forgotten" in built.doit("info", "net:lint", status=1)
    build = built.build("--until", "stitched")
    # The state has forgotten, the store has not.
    assert (build.actions["run"], build.actions["store"]) == (0, 1)
    built.doit("forget")
    build = built.build("--until", "stitched")
    assert (build.actions["run"], build.actions["up_to_date"]) == (0, 0)


def test_forget_on_a_clean_tree(project: Project) -> None:
    project.doit("forget")
    assert not project.output.exists()


def test_why(project: Project) -> None:
    def why(*tasks: str) -> str:
        text = project.doit("why", *tasks)
        assert project.finnmake("why", *tasks).stdout == text
        return text

    project.build("--until", "layers")
    assert "net:import: run" in why()
    assert "  first build" in why("net:import")
    project.write_folding({"MatrixVectorActivation_0": {"PE": 8}})
    project.build("--until", "layers")
    text = why()
    assert "net:Streamline: up to date" in text
    start = text.index("net:ApplyFolding: run")
    assert "fold.json: " in text[start:].split("\nnet:")[0]
    project.build("--until", "layers")
    assert "run" not in why("net:ApplyFolding").splitlines()[0]


@pytest.mark.parametrize("command", ["run", "info", "why", "clean"])
def test_an_unknown_task_is_refused(project: Project, command: str) -> None:
    done = project.installation.run("doit", [command, "net:nothing"], project.folder)
    assert done.returncode != 0
    assert "net:nothing" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
