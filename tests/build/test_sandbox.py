"""Tools in bubblewrap see the system and their own box, nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from finnmake.build.rebuilder import Rebuilder
from finnmake.build.sandbox import Bubblewrap
from finnmake.errors import ToolError
from tests.build.conftest import Project, shell

pytestmark = pytest.mark.skipif(
    not Bubblewrap().works,
    reason="bubblewrap is not installed (apt install bubblewrap) or may not make namespaces here",
)


@pytest.fixture
def rebuilder(project: Project) -> Iterator[Rebuilder]:
    rebuilder = Rebuilder(project.workspace())
    yield rebuilder
    rebuilder.close()
    rebuilder.state.shut()


def test_a_declared_input_is_there(project: Project, rebuilder: Rebuilder) -> None:
    project.write("a.txt", "hello")
    action = shell(
        "cat d/a.txt > b.txt; pwd >> b.txt; touch $HOME/x $TMPDIR/y", {"d/a.txt": Path("a.txt")}, {"b.txt": "b"}
    )
    assert rebuilder.execute("t:a", action).how == "run"
    assert project.read("b") == "hello/box\n"


def test_an_undeclared_read_fails(project: Project, rebuilder: Rebuilder) -> None:
    secret = project.write("secret.txt", "x")
    with pytest.raises(ToolError, match="No such file"):
        rebuilder.execute("t:a", shell(f"cat {secret} > b", {}, {"b": "b"}))


def test_a_write_elsewhere_fails(project: Project, rebuilder: Rebuilder) -> None:
    with pytest.raises(ToolError):
        rebuilder.execute("t:a", shell(f"set -e; echo x > {project.root}/planted; echo x > b", {}, {"b": "b"}))
    assert not (project.root / "planted").exists()


def test_there_is_no_network(rebuilder: Rebuilder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ToolError):
            rebuilder.execute("t:a", shell(f"set -e; : < /dev/tcp/127.0.0.1/{port}; echo x > b", {}, {"b": "b"}))


def test_python_runs_inside(project: Project, rebuilder: Rebuilder) -> None:
    project.write("s.py", "import xxhash, pathlib; pathlib.Path('b').write_text(xxhash.xxh64_hexdigest(b''))")
    from finnmake.build.action import Action, ToolCommand

    action = Action("P", ToolCommand(("python", "s.py")), {"s.py": Path("s.py")}, {"b": "b"})
    assert rebuilder.execute("t:a", action).how == "run"
    assert project.read("b") == "ef46db3751d8e999"


def test_same_key_and_bytes_as_without(project: Project, tmp_path: Path) -> None:
    digests = []
    for name, use in (("with", True), ("without", False)):
        each = Project(tmp_path / name)
        rebuilder = Rebuilder(each.workspace(), use_bubblewrap=use)
        rebuilder.execute("t:a", shell("env | grep -v HOME | grep -v TMPDIR | wc -l > b", {}, {"b": "b"}))
        record = rebuilder.state.tasks["t:a"]
        digests.append((record.key, record.outputs))
        rebuilder.close()
        rebuilder.state.shut()
    assert digests[0] == digests[1]
