"""Planning again behind a step that decides which further tasks there are: the same plans, made anew where need be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from finnmake.build.action import Action
from finnmake.flow.accelerator import Accelerator
from finnmake.flow.manifest import MANIFEST_FORMAT, LayerEntry, Manifest, StreamEntry

STREAM = StreamEntry("s", "INT4", 1, 8, 4)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.onnx").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def layer(name: str, core: str, position: int) -> LayerEntry:
    return LayerEntry(
        name=name,
        op_type=name.partition("_")[0],
        core=core,
        configured=f"{core}_configured",
        engine="rtl",
        function=core,
        constants=(),
        uses_dsp=False,
        verilog_files=("fm_padding/fm_padding.v",),
        cpp_files=("fm_padding/fm_padding.hpp",),
        parameters=(),
        memories=("weights",),
        inputs=(STREAM,),
        outputs=(STREAM,),
        sources=((position - 1, 0),),
        interval=8,
        latency=2,
    )


LAYERS = (layer("FMPadding_0", "a", 0), layer("FMPadding_1", "a", 1), layer("StreamingFIFO_0", "f", 2))


def write(folder: Path, layers: tuple[LayerEntry, ...]) -> None:
    """As the tasks ``unbuffered`` and ``layers`` write them."""
    unbuffered = tuple(each for each in layers if each.op_type != "StreamingFIFO")
    for place, those in (("manifest.json", layers), ("unbuffered/manifest.json", unbuffered)):
        manifest = Manifest(those, "top", (8,), (8,), (), (), (), ())
        path = folder / "build/net" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"format": MANIFEST_FORMAT, **asdict(manifest)}))


def accelerator() -> Accelerator:
    return Accelerator(model="net.onnx", board="ulx3s-85f", fold={}, synthesis=["xc7"])


def loaded(net: Accelerator) -> list[dict[str, Any]]:
    """What doit is given, in its order, without the objects that are made for each load."""
    return [{**task, "actions": [each.action for each in task["actions"]]} for task in net.create_doit_tasks()]


def actions(tasks: list[dict[str, Any]]) -> Mapping[str, Action]:
    return {task["name"]: task["actions"][0] for task in tasks}


def test_a_plan_made_again_is_that_of_a_new_build(folder: Path) -> None:
    net = accelerator()
    clean = loaded(net)
    assert not any("FMPadding_0" in task["name"] for task in clean)
    assert clean == loaded(accelerator())
    for layers in (LAYERS, (LAYERS[0], replace(LAYERS[1], core="b"), LAYERS[2]), LAYERS[:1], LAYERS):
        write(folder, layers)
        assert loaded(net) == loaded(accelerator())


def test_of_layers_that_stay_the_same_tasks_stay_the_same_objects(folder: Path) -> None:
    net = accelerator()
    write(folder, LAYERS)
    before = actions(loaded(net))
    write(folder, (LAYERS[0], replace(LAYERS[1], core="b"), LAYERS[2]))
    after = actions(loaded(net))
    stays = {"FMPadding_0.lint", "FMPadding_0.schedule", "FMPadding_0.synth_xc7", "StreamingFIFO_0.rtlsim"}
    assert all(before[name] is after[name] for name in stays)
    assert before["FMPadding_1.lint"] != after["FMPadding_1.lint"]
    # The core of the first layer was that of the second, too, which was measured once.
    assert "FMPadding_1.schedule" in after.keys() - before.keys()


def test_each_load_has_actions_of_its_own(folder: Path) -> None:
    write(folder, LAYERS)
    net = accelerator()
    first = [task["actions"][0] for task in net.create_doit_tasks()]
    second = [task["actions"][0] for task in net.create_doit_tasks()]
    assert not {id(action) for action in first} & {id(action) for action in second}


def test_tasks_are_named_from_where_they_are_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, LAYERS)
    net = accelerator()
    here = loaded(net)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert loaded(net) != here
    monkeypatch.chdir(folder)
    assert loaded(net) == here
