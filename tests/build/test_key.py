"""Keys: what they depend on, what they do not, and that they are those of real REAPI messages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.build.action import Action, PythonCommand, ToolCommand
from finnmake.build.digest import FileDigest
from finnmake.build.key import Resolved, reapi_action
from finnmake.build.merkle import merkle_tree
from finnmake.build.reapi import remote_execution_pb2 as reapi
from finnmake.build.sources import Sources
from tests.build.conftest import Project, call

T = TypeVar("T")


def sha(text: str) -> FileDigest:
    return FileDigest(hashlib.sha256(text.encode()).hexdigest(), len(text), False)


TOOL = Resolved(
    Action(
        "Synth",
        ToolCommand(("yosys", "-p", "synth"), {"LEVEL": "2"}, ("^ERROR",)),
        {"core.v": Path("core.v"), "include/types.vh": Path("types.vh")},
        {"netlist.json": "build/netlist.json"},
        ("abc",),
    ),
    {"core.v": sha("module"), "include/types.vh": sha("define")},
    {"yosys": "yosys 0.70", "abc": "abc 1"},
    None,
)
PYTHON = Resolved(
    Action("Import", PythonCommand("finnmake.a:b", {"pe": 4}), {"m": Path("m")}, {"n": "n"}),
    {"m": sha("model")},
    {"python": "cpython 3.11.2"},
    Sources({"finnmake/a.py": sha("def b()")}, {}, {"numpy": "2.0"}, "digest"),
)


def test_key_format_has_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, every store in the world misses: change the salt when the format has to change."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert reapi_action(TOOL).key == "f428fc1f56c32cea9882b5f026e131a76a99db0edb71b4e51a099c098d6521c6"
    assert reapi_action(PYTHON).key == "8604ddf275f2273901dc0a8ee067eda2a2c7918c7aeb1b07f9c60f35494d4548"


def test_key_is_the_digest_of_the_action_message() -> None:
    made = reapi_action(TOOL)
    assert made.key == hashlib.sha256(made.action).hexdigest()
    action = reapi.Action.FromString(made.action)
    assert action.command_digest.hash == hashlib.sha256(made.command).hexdigest()
    command = reapi.Command.FromString(made.command)
    launcher, kind, context, *argv = command.arguments
    assert (launcher, kind, argv) == ("finnmake-worker", "tool", ["yosys", "-p", "synth"])
    assert json.loads(context) == {
        "environment": {"LEVEL": "2"},
        "error_patterns": ["^ERROR"],
        "outputs": ["netlist.json"],
        "packages": {},
        "tools": {"abc": "abc 1", "yosys": "yosys 0.70"},
    }
    assert list(command.output_paths) == ["netlist.json"]
    assert [(e.name, e.value) for e in command.environment_variables] == [("PATH", "/usr/local/bin:/usr/bin:/bin")]
    properties = {p.name: p.value for p in action.platform.properties}
    assert properties.pop("ISA")
    assert properties == {"OSFamily": "linux", "abc": "abc 1", "yosys": "yosys 0.70"}
    root = reapi.Directory.FromString(made.directories[action.input_root_digest.hash])
    assert [file.name for file in root.files] == ["core.v"]
    folder = reapi.Directory.FromString(made.directories[root.directories[0].digest.hash])
    assert folder.files[0].digest.hash == sha("define").sha256


def variants(resolved: Resolved) -> dict[str, Resolved]:
    """One change each; the name is the ingredient that must be named."""
    action = resolved.action
    found = {
        "input new": replace(resolved, inputs={**resolved.inputs, "new": sha("x")}),
        "tool new": replace(resolved, tools={**resolved.tools, "new": "1"}),
        "licence": replace(resolved, action=replace(action, licence="vivado")),
    }
    for name in resolved.inputs:
        found[f"input {name}"] = replace(resolved, inputs={**resolved.inputs, name: sha("other")})
        executable = resolved.inputs[name]._replace(executable=True)
        found[f"input {name} "] = replace(resolved, inputs={**resolved.inputs, name: executable})
    for name in resolved.tools:
        found[f"tool {name}"] = replace(resolved, tools={**resolved.tools, name: "9"})
    outputs = {**action.outputs, "more": "more"}
    found["output more"] = replace(resolved, action=replace(action, outputs=outputs))
    command = action.command
    if isinstance(command, ToolCommand):
        for ingredient, other in {
            "argument 2": replace(command, argv=("yosys", "-p", "other")),
            "argument 3": replace(command, argv=("yosys", "-p", "synth", "")),
            "environment LEVEL": replace(command, environment={"LEVEL": "3"}),
            "environment MORE": replace(command, environment={"LEVEL": "2", "MORE": ""}),
            "error pattern 0": replace(command, error_patterns=("^Error",)),
            "error pattern 1": replace(command, error_patterns=("^ERROR", "x")),
        }.items():
            found[ingredient] = replace(resolved, action=replace(action, command=other))
    else:
        assert resolved.sources is not None
        for ingredient, changed in {
            "function": replace(command, function="finnmake.a:c"),
            "argument pe": replace(command, arguments={"pe": 8}),
            "argument simd": replace(command, arguments={"pe": 4, "simd": 1}),
        }.items():
            found[ingredient] = replace(resolved, action=replace(action, command=changed))
        files = replace(resolved.sources, files={"finnmake/a.py": sha("def c()")}, digest="other")
        found["source finnmake/a.py"] = replace(resolved, sources=files)
        versions = replace(resolved.sources, versions={"numpy": "2.1"}, digest="another")
        found["package numpy"] = replace(resolved, sources=versions)
    return found


@pytest.mark.parametrize("resolved", [TOOL, PYTHON], ids=["tool", "python"])
def test_every_ingredient_is_in_key_fingerprint_and_trace(resolved: Resolved) -> None:
    keys, fingerprints = {reapi_action(resolved).key}, {resolved.fingerprint_text()}
    before = resolved.ingredients()
    for ingredient, other in variants(resolved).items():
        keys.add(reapi_action(other).key)
        fingerprints.add(other.fingerprint_text())
        after = other.ingredients()
        assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == {ingredient.rstrip()}
    assert len(keys) == len(fingerprints) == 1 + len(variants(resolved))


def backwards(mapping: Mapping[str, T]) -> dict[str, T]:
    return dict(reversed(list(mapping.items())))


def test_what_is_not_in_the_key() -> None:
    action = replace(
        TOOL.action,
        mnemonic="Other",
        inputs={"core.v": Path("/elsewhere/x.v")},
        outputs={"netlist.json": "other/place"},
    )
    assert reapi_action(replace(TOOL, action=action)).key == reapi_action(TOOL).key
    shuffled = replace(TOOL, inputs=backwards(TOOL.inputs), tools=backwards(TOOL.tools))
    assert reapi_action(shuffled).key == reapi_action(TOOL).key
    assert shuffled.fingerprint_text() == TOOL.fingerprint_text()


def test_two_directories_give_one_key(tmp_path: Path, userpackage: Path) -> None:
    keys = set()
    for name in ("one", "two/deeper"):
        project = Project(tmp_path / name)
        project.write("a.txt", "hello")
        arguments = {"source": "a.txt", "target": "b.txt"}
        project.build({"t:a": call("upper", {"a.txt": Path("a.txt")}, {"b.txt": "b.txt"}, **arguments)})
        with project.rebuilder() as rebuilder:
            keys.add(rebuilder.state.tasks["t:a"].key)
            ingredients = " ".join(rebuilder.state.ingredients("t:a")[0] or ())
        assert str(tmp_path) not in ingredients
        assert "source userpackage/functions.py" in ingredients
        assert "source finnmake/errors.py" in ingredients
        assert "source finnmake/build/store.py" not in ingredients
    assert len(keys) == 1


names = st.text("abcXYZ.-_é", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
trees = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map("/".join),
    st.builds(
        lambda data, x: FileDigest(hashlib.sha256(data).hexdigest(), len(data), x), st.binary(max_size=3), st.booleans()
    ),
    max_size=6,
).filter(lambda tree: not any(a != b and b.startswith(a + "/") for a in tree for b in tree))


@given(trees, trees, st.randoms())
def test_merkle_root_names_the_tree(one: dict[str, FileDigest], two: dict[str, FileDigest], random: object) -> None:
    items = list(one.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    assert merkle_tree(dict(items))[0] == merkle_tree(one)[0]
    assert (merkle_tree(one)[0] == merkle_tree(two)[0]) == (one == two)


@given(trees)
def test_merkle_directories_are_canonical(tree: dict[str, FileDigest]) -> None:
    root, blobs = merkle_tree(tree)
    assert root in blobs
    for sha256, blob in blobs.items():
        assert hashlib.sha256(blob).hexdigest() == sha256
        directory = reapi.Directory.FromString(blob)
        for nodes in (directory.files, directory.directories):
            found = [node.name.encode() for node in nodes]
            assert found == sorted(set(found))
