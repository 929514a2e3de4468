"""The import closure: every file that can matter, no other."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from finnmake.build.action import PythonCommand
from finnmake.build.digest import DigestMemo
from finnmake.build.sources import SourceIndex
from finnmake.build.state import State
from finnmake.errors import BuildFileError

Closure = Callable[..., set[str]]


@pytest.fixture
def closure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Closure:
    """Writes a package ``sample`` and returns the file names of a module's closure."""
    monkeypatch.syspath_prepend(tmp_path / "python")

    def of(module: str, files: Mapping[str, str]) -> set[str]:
        for name, text in {"__init__.py": "", **files}.items():
            path = tmp_path / "python" / "sample" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        state = State(tmp_path / "state.sqlite")
        try:
            sources = SourceIndex(DigestMemo(tmp_path, state), state).of(
                PythonCommand(f"{module}:f", packages=("sample",))
            )
        finally:
            state.shut()
        return {*sources.files, *sources.versions}

    return of


def test_imports_of_every_form(closure: Closure) -> None:
    files = {
        "main.py": "import sample.plain\nfrom sample import module\nfrom . import near\nfrom .sub import thing\n",
        "plain.py": "def f():\n    from sample.inner import x\n",
        "module.py": "try:\n    import sample.guarded\nexcept ImportError:\n    pass\n",
        "near.py": "from finnmake.errors import FinnmakeError\nimport json, numpy\n",
        "inner.py": "",
        "guarded.py": "",
        "other.py": "",
        "sub/__init__.py": "from ..other import y\n",
        "sub/thing.py": "",
        "sub/unused.py": "",
        "unused.py": "",
    }
    names = {
        "__init__",
        "main",
        "plain",
        "module",
        "near",
        "inner",
        "guarded",
        "other",
        "sub/__init__",
        "sub/thing",
    }
    expected = {f"sample/{name}.py" for name in names} | {"finnmake/__init__.py", "finnmake/errors.py", "numpy"}
    assert closure("sample.main", files) == expected


def test_packages_that_are_not_there_are_not_looked_for_in_all_that_are(
    closure: Closure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scan() -> dict[str, list[str]]:
        pytest.fail("read the list of files of every installed package")

    monkeypatch.setattr(importlib.metadata, "packages_distributions", scan)
    text = "try:\n    import nobody_has_this\nexcept ImportError:\n    pass\n"
    assert closure("sample.main", {"main.py": text}) == {"sample/__init__.py", "sample/main.py", "nobody_has_this"}


def test_imports_for_type_checkers_do_not_count(closure: Closure) -> None:
    text = "import typing\nfrom typing import TYPE_CHECKING\n"
    text += "if TYPE_CHECKING:\n    import sample.a\nelse:\n    import sample.b\n"
    text += "if typing.TYPE_CHECKING:\n    import sample.a\n"
    found = closure("sample.main", {"main.py": text, "a.py": "", "b.py": ""})
    assert found == {"sample/__init__.py", "sample/main.py", "sample/b.py"}


def test_what_a_package_imports_on_demand(closure: Closure) -> None:
    init = "def __getattr__(name):\n    from sample.heavy import Thing\n    return Thing\n"
    files = {"__init__.py": init, "heavy.py": "", "main.py": "import sample.light", "light.py": ""}
    assert "sample/heavy.py" not in closure("sample.main", files)
    assert "sample/heavy.py" in closure("sample.main", {**files, "main.py": "from sample import Thing"})


def test_changes_are_seen_and_others_are_not(tmp_path: Path, closure: Closure) -> None:
    files = {"main.py": "import sample.a", "a.py": "", "b.py": ""}
    closure("sample.main", files)

    def digest() -> str:
        state = State(tmp_path / "state.sqlite")
        try:
            command = PythonCommand("sample.main:f", packages=("sample",))
            return SourceIndex(DigestMemo(tmp_path, state), state).of(command).digest
        finally:
            state.shut()

    first = digest()
    (tmp_path / "python/sample/b.py").write_text("x = 1")
    assert digest() == first
    (tmp_path / "python/sample/a.py").write_text("import sample.b")
    second = digest()
    assert second != first
    (tmp_path / "python/sample/b.py").write_text("x = 2")
    assert digest() != second


def test_modules_that_are_none(closure: Closure) -> None:
    with pytest.raises(BuildFileError, match=r"there is no module sample\.none"):
        closure("sample.none", {})
    with pytest.raises(BuildFileError, match=r"main\.py: is not Python"):
        closure("sample.main", {"main.py": "def ("})
    assert "nosuchpackage" in closure("sample.main", {"main.py": "import nosuchpackage"})


def test_compiler_packages_do_not_pull_in_each_other(closure: Closure) -> None:
    """`import finnmake` offers the accelerator on demand; an action of the compiler must not depend on it."""
    found = closure("sample.main", {"main.py": "import finnmake.graph.datatype"})
    assert "finnmake/graph/datatype.py" in found
    assert not any(name.startswith(("finnmake/flow", "finnmake/build")) for name in found)


def test_modules_of_a_project_enter_with_all_that_they_import_there(tmp_path: Path) -> None:
    """Modules beside a build file need no package that is named, and win over what is installed."""
    project = tmp_path / "project"
    (project / "parts").mkdir(parents=True)
    (project / "steps.py").write_text("import near\nfrom parts.inner import x\nimport numpy\n")
    for name in ("near.py", "unused.py", "parts/inner.py"):
        (project / name).write_text("x = 1\n")
    command = PythonCommand("finnmake.errors:FinnmakeError", modules=("steps",), folders=(project,))
    state = State(tmp_path / "state.sqlite")
    try:
        sources = SourceIndex(DigestMemo(tmp_path, state), state).of(command)
    finally:
        state.shut()
    assert set(sources.files) >= {"steps.py", "near.py", "parts/inner.py", "finnmake/errors.py"}
    assert "unused.py" not in sources.files
    assert set(sources.versions) == {"numpy"}
    assert set(sources.packages) == {"finnmake", "steps", "near", "parts"}
