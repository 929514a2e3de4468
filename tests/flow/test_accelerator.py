"""What a build file or a command line may say, and the one message for what it may not. Nothing is built here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finnmake import cli
from finnmake.errors import BoardError, BuildFileError
from finnmake.flow.accelerator import Accelerator
from finnmake.flow.build_files import load_build_file
from finnmake.flow.fifo_tasks import FifoChoice
from finnmake.flow.manifest import MANIFEST_FORMAT, Manifest
from finnmake.flow.session import targets_of
from finnmake.flow.stages import Stage
from finnmake.flow.transformations import Transformations

BOARD = "ulx3s-85f"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; its model is planned with, never read."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "net.onnx").write_bytes(b"")
    monkeypatch.chdir(project)
    return project


def accelerator(**arguments: Any) -> Accelerator:
    return Accelerator(**{"model": "net.onnx", "board": BOARD, **arguments})


def write_manifest(folder: Path) -> None:
    """Writes one without layers."""
    manifest = Manifest(
        layers=(),
        stitched="s",
        input_shape=(),
        output_shape=(),
        input_order=(),
        output_order=(),
        output_scale=(),
        output_bias=(),
    )
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"format": MANIFEST_FORMAT, **asdict(manifest)}))


@pytest.mark.parametrize(
    ("model", "name"), [("a/tfc-w1a1.qonnx.onnx", "tfc_w1a1"), ("3layers.onnx", "_3layers"), (".onnx", "_")]
)
def test_every_model_names_its_accelerator(model: str, name: str) -> None:
    assert accelerator(model=model).name == name


@pytest.mark.parametrize(
    "arguments",
    [
        {"target_fps": float("nan")},
        {"target_fps": 0},
        {"target_fps": 1e-320},
        {"target_fps": 100, "fold": "fold.json"},
        {"target_fps": 100, "fold": {"MatrixVectorActivation_0": {"PE": 1}}},
        {"clock_mhz": float("nan")},
        {"fold": None},
        {"fold": {"MatrixVectorActivation_0": 3}},
        {"labels": "labels.npy"},
        {"top_k": -1},
        {"synthesis": ["xc7", "gowin"]},
        {"finn_reports": "nowhere"},
        {"name": "3"},
        {"output": "../elsewhere"},
        {"model": 5},
        {"name": 5},
        {"output": 5},
        {"directory": 5},
        {"board": 5},
        {"board": None},
        {"clock_mhz": "50"},
        {"clock_mhz": True},
        {"clock_mhz": 10**400},
        {"fold": {"MatrixVectorActivation_0": {"PE": np.int64(2)}}},
        {"fold": {"MatrixVectorActivation_0": {"PE": float("nan")}}},
        {"fifo_depths": {"MatrixVectorActivation_0": {"inFIFODepths": [np.int64(2)]}}},
        {"target_fps": "fast"},
        {"samples": 5},
        {"samples": "samples.npy", "labels": 5},
        {"input_datatype": 5},
        {"input_scale": float("nan")},
        {"input_scale": [1]},
        {"top_k": "1"},
        {"top_k": 1.5},
        {"engine": 5},
        {"engine": {1: "rtl"}},
        {"minimize_widths": "no"},
        {"synthesis": 5},
        {"synthesis": [5]},
        {"synthesis": None},
        {"finn_reports": 5},
        {"until": "nowhere"},
        {"until": 5},
        {"until": []},
        {"output": ".finnmake"},
        {"output": "build/../.finnmake/store/net"},
    ],
)
def test_what_cannot_be_is_one_message(arguments: Mapping[str, Any]) -> None:
    with pytest.raises(BuildFileError) as caught:
        accelerator(**arguments).plan()
    assert "\n" in caught.value.text, "no remedy"
    # Said of what the build file says, not of what finnmake makes of it.
    assert "arguments of finnmake" not in caught.value.text


def test_a_value_that_cannot_be_is_said_with_its_target() -> None:
    with pytest.raises(BuildFileError) as caught:
        accelerator(clock_mhz="50")
    assert caught.value.text == "net: clock_mhz='50'\n  Say a number, an int or a float."


def test_a_stage_may_be_said_by_its_name() -> None:
    assert accelerator(until="layers").plan() == accelerator(until=Stage.LAYERS).plan()
    with pytest.raises(BoardError, match="no place and route"):
        accelerator(board="ultra96", until="bitstream").plan()


def test_paths_need_not_be_texts(folder: Path) -> None:
    (folder / "samples.npy").write_bytes(b"")
    written = accelerator(model=Path("net.onnx"), output=Path("made"), samples=Path("samples.npy"))
    assert written.plan() == accelerator(output="made", samples="samples.npy").plan()


@pytest.mark.parametrize("arguments", [{"samples": 5}, {"transformations": ()}, {"transformations": 5}])
def test_what_no_chain_of_transformations_says_is_one_message(arguments: Mapping[str, Any]) -> None:
    with pytest.raises(BuildFileError):
        Transformations(**{"model": "net.onnx", "transformations": ["Streamline"], **arguments}).plan()


def test_a_folding_file_may_be_a_path(folder: Path) -> None:
    (folder / "fold.json").write_text("{}")
    assert accelerator(fold=Path("fold.json")).plan() == accelerator(fold="fold.json").plan()


def test_the_folding_that_a_build_writes_is_not_the_one_that_it_reads(folder: Path) -> None:
    (folder / "build/net").mkdir(parents=True)
    (folder / "build/net/fold.json").write_text("{}")
    with pytest.raises(BuildFileError, match="Copy it to another place"):
        accelerator(fold="build/net/fold.json").plan()


def test_the_depths_that_a_build_writes_are_not_those_that_it_reads(folder: Path) -> None:
    (folder / "build/net").mkdir(parents=True)
    (folder / "build/net/fifo_depths.json").write_text("{}")
    with pytest.raises(BuildFileError, match="Copy it to another place"):
        accelerator(fifo_depths="build/net/fifo_depths.json").plan()


@pytest.mark.parametrize("name", ["manifest.json", "schedules", "in", "out", "graph.onnx"])
def test_a_users_file_may_have_any_name(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (folder / name).write_text("{}")
    write_manifest(folder / "build/net/unbuffered")
    monkeypatch.setattr(FifoChoice, "measures", lambda self, unbuffered: True)
    own = (("ApplyConfig", {"config": Path(name)}),)
    for target in (accelerator(fold=name, fifo_depths=name), accelerator(fold={}, transformations=own)):
        tasks = [task for task in target.plan() if folder / name in task.action.inputs.values()]
        assert len(tasks) == (1 if target.transformations else 2)
        for task in tasks:
            places = [place for place, source in task.action.inputs.items() if source == folder / name]
            others = [*(place for place in task.action.inputs if place not in places), *task.action.outputs]
            assert places == [f"user/{name}"]
            assert not [place for place in others if place.startswith("user/")]


def test_the_output_folder_may_be_written_in_any_way(folder: Path) -> None:
    written = accelerator(output=f"x/../../{folder.name}/made")
    assert written.folder() == folder / "made"
    assert [task.action for task in written.plan()] == [task.action for task in accelerator(output="made").plan()]


def test_a_build_file_imports_what_lies_beside_it(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/common_of_this_test.py").write_text(f"BOARD = {BOARD!r}\n")
    build_file = folder / "sub/dodo.py"
    build_file.write_text(
        "from pathlib import Path\nfrom finnmake import Accelerator\nfrom common_of_this_test import BOARD\n"
        "net = same = Accelerator(model='net.onnx', board=BOARD, directory=Path())\n"
    )
    found = load_build_file(Path("sub/dodo.py"))
    assert found.keys() == {"net"}
    assert found["net"].folder() == folder / "sub/build/net"


@pytest.mark.parametrize(("text", "where"), [("x = 1\ny = z\n", "dodo.py:2"), ("x = 1\n\ny = (\n", "dodo.py:3")])
def test_an_error_of_a_build_file_has_its_line(folder: Path, text: str, where: str) -> None:
    (folder / "dodo.py").write_text(text)
    with pytest.raises(BuildFileError) as caught:
        load_build_file(Path("dodo.py"))
    assert caught.value.where == where


@pytest.mark.parametrize("text", ["pass\n", "from finnmake import Accelerator\nnet = Accelerator\n"])
@pytest.mark.parametrize("wanted", [[], ["net"]])
def test_a_build_file_without_targets(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, wanted: list[str]
) -> None:
    (folder / "dodo.py").write_text(text)
    assert cli.main(["build", *wanted]) == 1
    assert capsys.readouterr().err.startswith("finnmake: dodo.py: defines no target\n")


def test_one_output_folder_is_not_for_two_targets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dodo.py").write_text(
        "from finnmake import Accelerator\n"
        + "".join(f"{n} = Accelerator(model='net.onnx', board={BOARD!r}, name={n!r})\n" for n in "ab")
    )
    assert cli.main(["build", "--out", "made"]) == 1
    assert "one folder for 2 targets" in capsys.readouterr().err


def test_an_output_folder_that_is_a_file_is_one_message(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "made").write_text("mine")
    assert cli.main(["build", "net.onnx", "--board", BOARD, "--out", "made", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["ok"] is False
    assert said.err.startswith(f"finnmake: {folder / 'made'}: cannot be made: File exists\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--core-engine", "gowin"), "engine='gowin'"),
        (("--core-engine", "Thresholding=gowin"), "engine={'Thresholding': 'gowin'}"),
        (("--core-engine", "Thresholding=,x=rtl"), "Thresholding: --core-engine Thresholding=,x=rtl"),
        (("--fifo-depths", "guessed"), "there is no file of FIFO depths"),
    ],
)
def test_engines_and_depths_on_the_command_line(
    folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert cli.main(["build", "net.onnx", "--board", BOARD, *options]) == 1
    assert said in capsys.readouterr().err


def test_depths_on_the_command_line_are_those_of_a_build_file(folder: Path) -> None:
    (folder / "dodo.py").write_text(
        f"from finnmake import Accelerator\nnet = Accelerator(model='net.onnx', board={BOARD!r})\n"
    )
    options = cli.build_parser().parse_args(["build", "--fifo-depths", "measured", "--core-engine", "LabelSelect=rtl"])
    (target,) = targets_of(options).values()
    assert isinstance(target, Accelerator)
    assert (target.fifo_depths, target.engine) == ("measured", {"LabelSelect": "rtl"})


@pytest.mark.parametrize(
    ("written", "options", "refused"),
    [
        ({"target_fps": 100}, ("--fold", "fold.json"), False),
        ({"target_fps": 100}, ("--fold", "auto", "--target-fps", "50"), False),
        ({"fold": "fold.json"}, ("--fold", "auto", "--target-fps", "50"), False),
        ({"fold": "fold.json"}, ("--target-fps", "50"), True),
        ({}, ("--target-fps", "50", "--fold", "fold.json"), True),
    ],
)
def test_a_folding_and_what_automatic_folding_aims_at(
    folder: Path, written: Mapping[str, Any], options: tuple[str, ...], refused: bool
) -> None:
    arguments = {"model": "net.onnx", "board": BOARD, **written}
    (folder / "dodo.py").write_text(f"from finnmake import Accelerator\nnet = Accelerator(**{arguments!r})\n")
    parsed = cli.build_parser().parse_args(["build", *options])
    if refused:
        with pytest.raises(BuildFileError, match="Leave one of them out"):
            targets_of(parsed)
    else:
        (target,) = targets_of(parsed).values()
        assert isinstance(target, Accelerator)
        assert target.target_fps == parsed.target_fps


def test_the_folder_of_a_build_file_is_not_written_over(folder: Path) -> None:
    (folder / "dodo.py").write_text("")
    with pytest.raises(BuildFileError, match="is that of a build file"):
        accelerator(output=".").plan()
    assert accelerator(output="build").plan()


def test_two_targets_do_not_share_an_output_folder(folder: Path) -> None:
    (folder / "dodo.py").write_text(
        "from finnmake import Accelerator\n"
        f"a = Accelerator(model='net.onnx', board={BOARD!r}, name='a', output='made')\n"
        f"b = Accelerator(model='net.onnx', board={BOARD!r}, name='b', output='./x/../made/')\n"
    )
    with pytest.raises(BuildFileError, match="a and b have the same output folder"):
        load_build_file(Path("dodo.py"))


@pytest.mark.parametrize("output", ["x.npy", "../project/x.npy", "link.npy", "net.onnx"])
def test_run_does_not_write_over_what_it_reads(folder: Path, capsys: pytest.CaptureFixture[str], output: str) -> None:
    (folder / "x.npy").write_bytes(b"mine")
    (folder / "link.npy").symlink_to("x.npy")
    assert cli.main(["run", "net.onnx", "--board", BOARD, "--inputs", "x.npy", "--output", output]) == 1
    assert "is a file that is read" in capsys.readouterr().err
    assert (folder / "x.npy").read_bytes() == b"mine"


def test_a_path_that_no_file_can_have_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["build", f"{'n' * 300}.onnx", "--board", BOARD]) == 1
    assert "File name too long" in capsys.readouterr().err


def test_why_says_that_nothing_has_been_built(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dodo.py").write_text(f"import finnmake\nnet = finnmake.Accelerator(model='net.onnx', board={BOARD!r})\n")
    assert cli.main(["why"]) == 1
    assert "nothing has been built" in capsys.readouterr().err
    assert not (folder / ".finnmake").exists()


def test_run_looks_for_the_folder_of_its_output_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "x.npy").write_bytes(b"")
    assert cli.main(["run", "net.onnx", "--board", BOARD, "--inputs", "x.npy", "--output", "none/y.npy"]) == 1
    assert "there is no folder none" in capsys.readouterr().err


def test_a_clock_is_the_same_however_it_is_written(folder: Path) -> None:
    write_manifest(folder / "build/net")

    def commands(clock_mhz: float) -> list[str]:
        return [repr(task.action.command) for task in accelerator(clock_mhz=clock_mhz).plan()]

    assert commands(50) == commands(50.0)
    assert commands(50) != commands(60)


def test_without_place_and_route_the_simulated_design_is_the_last_stage() -> None:
    assert accelerator(board="alveo-u250").last_stage() is Stage.STITCHED
    assert accelerator(board="alveo-u250").plan() == accelerator(board="alveo-u250", until=Stage.STITCHED).plan()
    assert accelerator().last_stage() is Stage.BITSTREAM


def test_a_bitstream_that_cannot_be_made_is_refused_before_anything_is_built() -> None:
    with pytest.raises(BoardError, match="no place and route for xczu3eg"):
        accelerator(board="ultra96", until=Stage.BITSTREAM).plan()
