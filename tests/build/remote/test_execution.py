"""Remote execution on a real engine: the same bytes and the same cache entry as a local run, and what goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from finnmake.build.action import Action, DirectoryOf, ToolCommand
from finnmake.build.api import BuildResult, build
from finnmake.build.configuration import ExecutionConfiguration, RemoteConfiguration
from finnmake.build.doit_tasks import action_task
from finnmake.build.key import Resolved, reapi_action
from finnmake.build.reapi import remote_execution_pb2 as reapi
from finnmake.build.rebuilder import Rebuilder
from finnmake.build.remote.execution import with_platform
from finnmake.build.rules import load_rules
from finnmake.build.tools import Tool
from finnmake.errors import FinnmakeError, ModelError, ToolError
from finnmake.resources import find_resources
from tests.build.conftest import Project, call
from tests.support.engine import Engine, casd_engine

TOOLS = load_rules(find_resources().rules).tools
SOURCE = {"a.cpp": Path("a.cpp")}
COMPILE = Action("Compile", ToolCommand(("g++", "-c", "-o", "out/a.o", "a.cpp")), SOURCE, {"out/a.o": "a.o"}, ("g++",))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with casd_engine(tmp_path_factory.mktemp("engine") / "casd") as found:
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(tmp_path / "workspace", TOOLS)
    found.write("a.cpp", "int answer() { return 42; }\n")
    found.write("a.txt", "hello\n")
    return found


def configured(url: str) -> ExecutionConfiguration:
    return ExecutionConfiguration(RemoteConfiguration(url, "read-write", timeout=10, retries=1))


def opened(project: Project, url: str, tools: Mapping[str, Tool] = TOOLS) -> closing[Rebuilder]:
    workspace = replace(project.workspace(), tools=tools)
    return closing(Rebuilder(workspace, use_bubblewrap=False, execution=configured(url)))


def python(script: str, outputs: Mapping[str, str], *, error_patterns: tuple[str, ...] = ()) -> Action:
    return Action(
        "Script", ToolCommand(("python", "-c", script), {}, error_patterns), {"a.txt": Path("a.txt")}, outputs
    )


def test_remote_and_local_results_are_one_cache_entry(
    engine: Engine, project: Project, tmp_path: Path, userpackage: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = {"source": "a.txt", "target": "b.txt"}
    tree = 'import os; os.makedirs("out/x"); open("out/x/y", "w").write("y"); os.symlink("x/y", "out/link")'
    actions = {
        "t:compile": COMPILE,
        "t:upper": call("upper", {"a.txt": Path("a.txt")}, {"b.txt": "b.txt"}, **arguments),
        "t:tree": python(tree, {"out/": "tree"}),
    }
    local = Project(tmp_path / "local", TOOLS)
    for name in ("a.cpp", "a.txt"):
        local.write(name, project.read(name))
    assert set(local.build(actions).values()) == {"run"}
    with opened(project, engine.url) as rebuilder:
        assert [rebuilder.execute(name, action).how for name, action in actions.items()] == ["run"] * 3
        assert rebuilder.log_path("t:upper").read_text() == "upper a.txt\n"
    assert capfd.readouterr().err == ""
    for kind in ("ac", "cas"):
        here = {path.name: path.read_bytes() for path in project.store_files(kind)}
        there = {path.name: path.read_bytes() for path in local.store_files(kind)}
        assert {name: here[name] for name in there} == there
    for name in ("a.o", "b.txt", "tree/x/y", "tree/link"):
        assert (project.root / name).read_bytes() == (local.root / name).read_bytes()
    # Another workspace with an empty store: the engine knows the results.
    other = Project(tmp_path / "other", TOOLS)
    other.write("a.cpp", project.read("a.cpp"))
    with opened(other, engine.url) as rebuilder:
        assert rebuilder.execute("t:compile", COMPILE).how == "remote"
        assert rebuilder.execute("t:compile", COMPILE, always=True).how == "run"


def test_failures_are_those_of_a_local_run(engine: Engine, project: Project, userpackage: Path) -> None:
    project.write("a.cpp", "int answer() { return fourtytwo; }\n")
    actions = {
        "compile": COMPILE,
        "quiet": python("print('x'); print('ERROR: no')", {"b": "b"}, error_patterns=("^ERROR",)),
        "nothing": python("pass", {"b": "b"}),
        "refuse": call("refuse", {"a.txt": Path("a.txt")}, {"b": "b"}, source="a.txt"),
        "crash": call("crash", {"a.txt": Path("a.txt")}, {"b": "b"}, source="a.txt"),
    }

    def messages(rebuilder: Rebuilder) -> dict[str, tuple[type[FinnmakeError], str]]:
        found = {}
        for name, action in actions.items():
            with pytest.raises(FinnmakeError) as caught:
                rebuilder.execute(name, action)
            found[name] = (caught.type, caught.value.text)
        return found

    with opened(project, engine.url) as rebuilder:
        remote = messages(rebuilder)
        assert "fourtytwo" in rebuilder.log_path("compile").read_text()
    assert project.store_files("ac") == []
    with project.rebuilder() as rebuilder:
        assert remote == messages(rebuilder)
    assert remote["compile"][1].startswith("a.cpp:1:23: error:")
    assert remote["quiet"][1].startswith("ERROR: no\npython said that it failed, with exit status 0")
    assert remote["refuse"][0] is ModelError


def test_tools_in_arguments_and_environment_are_those_of_the_worker(engine: Engine, project: Project) -> None:
    script = "import os, sys; open('b', 'w').write(' '.join([*sys.argv[1:], os.environ['CXX'], os.environ['LANG']]))"
    command = ToolCommand(("python", "-c", script, "${tool:g++}"), {"CXX": "<${tool:g++}>"})
    with opened(project, engine.url) as rebuilder:
        rebuilder.execute("t", Action("Script", command, {}, {"b": "b"}, ("g++",)))
    assert project.read("b") == "/usr/bin/g++ </usr/bin/g++> C.UTF-8"


def test_undeclared_reads_fail(engine: Engine, project: Project) -> None:
    secret = project.write("undeclared.txt", "x")
    with opened(project, engine.url) as rebuilder, pytest.raises(ToolError, match="No such file"):
        rebuilder.execute("t", python(f"open({str(secret)!r})", {"b": "b"}))


def test_an_engine_that_is_down_is_said_once(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    with opened(project, "grpc://127.0.0.1:1") as rebuilder:
        assert rebuilder.execute("one", COMPILE).how == "run"
        assert rebuilder.execute("two", python("open('b', 'w')", {"b": "b"})).how == "run"
    assert capfd.readouterr().err.count("goes on without remote execution") == 1


def wait_until_it_runs(rebuilder: Rebuilder) -> None:
    executor = rebuilder._remote_executor
    assert executor is not None
    while not any(executor._running.values()):
        time.sleep(0.05)


def test_an_engine_that_dies_in_an_action_is_replaced_by_a_local_run(
    project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Where the engine runs it, nothing but the engine's end ends it.
    script = "import os, time; time.sleep(0 if os.getcwd() != '/' else 1000); open('b', 'w').write('done')"
    with casd_engine(tmp_path / "dying") as engine, opened(project, engine.url) as rebuilder:

        def kill() -> None:
            wait_until_it_runs(rebuilder)
            engine.kill()

        thread = threading.Thread(target=kill)
        thread.start()
        assert rebuilder.execute("t", python(script, {"b": "b"})).how == "run"
        thread.join()
    assert project.read("b") == "done"
    assert capfd.readouterr().err.count("goes on without remote execution") == 1


def test_stopping_cancels(engine: Engine, project: Project) -> None:
    with opened(project, engine.url) as rebuilder:

        def stop() -> None:
            wait_until_it_runs(rebuilder)
            rebuilder.stop()

        thread = threading.Thread(target=stop)
        thread.start()
        with pytest.raises(ToolError, match="being stopped"):
            rebuilder.execute("t", python("import time; time.sleep(1000)", {"b": "b"}))
        thread.join()


def test_a_worker_with_another_version_is_refused(
    engine: Engine, project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    tools = {**TOOLS, "g++": replace(TOOLS["g++"], version_pattern=r"^(\d+)")}
    with opened(project, engine.url, tools) as rebuilder:
        assert rebuilder.execute("t", COMPILE).how == "run"
    assert "the worker is not what the action needs\n  g++: g++ " in capfd.readouterr().err
    assert (project.root / "a.o").is_file()


def test_wrong_bytes_from_the_engine_are_noticed(
    project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    action = python("open('b', 'w').write('right' * 99)", {"b": "b"})
    with casd_engine(tmp_path / "lying") as engine:
        with opened(project, engine.url) as rebuilder:
            rebuilder.execute("t", action)
            (output,) = rebuilder.state.tasks["t"].outputs
        blob = engine.blobs / output.sha256[:2] / output.sha256[2:]
        blob.chmod(0o644)
        blob.write_text("wrong" * 99)
        other = Project(tmp_path / "other", TOOLS)
        other.write("a.txt", project.read("a.txt"))
        with opened(other, engine.url) as rebuilder:
            assert rebuilder.execute("t", action).how == "run"
    assert other.read("b") == "right" * 99
    assert "wrong bytes" in capfd.readouterr().err


def test_sent_properties_are_chosen_and_the_key_stays() -> None:
    resolved = Resolved(COMPILE, {}, {"g++": "g++ 12"}, None)
    action = reapi_action(replace(resolved, action=replace(COMPILE, licence="vivado")))
    configuration = configured("grpc://host:1")
    assert with_platform(action, configuration) is action
    chosen = replace(configuration, send_properties=("OSFamily", "licence"), properties={"pool": "fpga"})
    sent = with_platform(action, chosen)
    assert sent.key != action.key
    message, command = reapi.Action.FromString(sent.action), reapi.Command.FromString(sent.command)
    for platform in (message.platform, command.platform):
        properties = [(p.name, p.value) for p in platform.properties]
        assert properties == [("OSFamily", "linux"), ("licence", "vivado"), ("pool", "fpga")]
    assert message.command_digest.size_bytes == len(sent.command)


def test_properties_do_not_change_what_the_store_has(engine: Engine, project: Project) -> None:
    configuration = replace(configured(engine.url), send_properties=("OSFamily",))
    with closing(Rebuilder(project.workspace(), use_bubblewrap=False, execution=configuration)) as rebuilder:
        assert rebuilder.execute("t", COMPILE).how == "run"
    (project.root / "a.o").unlink()
    assert project.build({"t": COMPILE}) == {"t": "store"}


def chain(suffix: str = "") -> dict[str, Action]:
    """Three tasks in a row; only the last one's output is for the user."""
    first = python(f"open('one', 'w').write(open('a.txt').read() + {suffix!r})", {"one": "one"})
    script = "import os; os.makedirs('out/x'); open('out/x/two', 'w').write(open('one').read() * 2)"
    second = Action("Two", ToolCommand(("python", "-c", script)), {"one": Path("one")}, {"out/": "two"})
    script = "open('three', 'w').write(open('in/x/two').read() * 2)"
    third = Action(
        "Three", ToolCommand(("python", "-c", script)), {"in/": DirectoryOf("t:two", "out/")}, {"three": "three"}
    )
    return {"t:one": first, "t:two": second, "t:three": third}


def built(project: Project, url: str | None, tasks: Mapping[str, Action]) -> BuildResult:
    workspace = project.workspace()

    class Creator:
        def create_doit_tasks(self) -> Iterator[dict[str, object]]:
            for name, action in tasks.items():
                yield action_task(name, action, workspace=workspace)

    return build({"creator": Creator()}, remote_execution=url)


def there(project: Project) -> set[str]:
    return {name for name in ("one", "two/x/two", "three") if (project.root / name).exists()}


def test_what_nobody_needs_here_stays_with_the_engine(engine: Engine, project: Project) -> None:
    result = built(project, engine.url, chain())
    assert (result.ok, result.actions["run"]) == (True, 3)
    assert list(result.outputs) == ["t:three/three"]
    assert there(project) == {"three"}
    assert project.read("three") == "hello\n" * 4
    # Nothing to do, and nothing is fetched to find out.
    assert built(project, engine.url, chain()).actions["up_to_date"] == 3
    assert there(project) == {"three"}
    # Another beginning: all of it runs, from inputs that are not here.
    assert built(project, engine.url, chain("!")).actions["run"] == 3
    assert project.read("three") == "hello\n!" * 4
    assert there(project) == {"three"}
    # Back again: what is not in the store the engine knows.
    again = built(project, engine.url, chain())
    assert (again.actions["remote"], again.actions["store"]) == (2, 1)
    assert project.read("three") == "hello\n" * 4


def test_files_of_an_earlier_local_build_are_not_taken_for_new_ones(engine: Engine, project: Project) -> None:
    assert built(project, None, chain("old")).actions["run"] == 3
    assert there(project) == {"one", "two/x/two", "three"}
    assert built(project, engine.url, chain("new")).ok
    assert project.read("three") == "hello\nnew" * 4
    assert there(project) == {"three"}


def test_an_edited_file_in_the_place_of_an_absent_output_is_seen(engine: Engine, project: Project) -> None:
    assert built(project, engine.url, chain("edited")).ok
    project.write("one", "by hand")
    assert built(project, engine.url, chain("edited")).ok
    assert project.read("three") == "hello\nedited" * 4
    assert there(project) == {"three"}


def test_a_local_need_brings_the_bytes(engine: Engine, project: Project) -> None:
    tasks = chain("local")
    assert built(project, engine.url, tasks).ok
    # A worker of this version does not exist: the last action runs here, on inputs that are not here.
    other = Project(project.root, {**TOOLS, "g++": replace(TOOLS["g++"], version_pattern=r"^(\d+)")})
    here = {**tasks, "t:three": replace(tasks["t:three"], tools=("g++",))}
    result = built(other, engine.url, here)
    assert result.failures == {}
    assert result.ran == ("t:three",)
    assert there(project) == {"two/x/two", "three"}


def test_a_build_without_the_engine_makes_what_is_not_here(engine: Engine, project: Project) -> None:
    assert built(project, engine.url, chain("alone")).ok
    assert built(project, None, chain("alone")).ok
    assert there(project) == {"one", "two/x/two", "three"}


@pytest.mark.parametrize("what", ["outputs", "everything", "the engine"])
def test_what_an_engine_has_lost_is_made_again(project: Project, tmp_path: Path, what: str) -> None:
    with casd_engine(tmp_path / "first") as first:
        assert built(project, first.url, chain()).ok
        with opened(project, first.url) as rebuilder:
            outputs = [output for task in rebuilder.state.tasks.values() for output in task.outputs]
        for output in outputs:
            (first.blobs / output.sha256[:2] / output.sha256[2:]).unlink()
        tasks = chain()
        tasks["t:three"] = replace(tasks["t:three"], outputs={"three": "other"})
        script = "open('three', 'w').write(open('in/x/two').read() * 3)"
        tasks["t:three"] = replace(tasks["t:three"], command=ToolCommand(("python", "-c", script)))
        if what == "outputs":
            result = built(project, first.url, tasks)
        elif what == "everything":
            with casd_engine(tmp_path / "second") as second:
                result = built(project, second.url, tasks)
        else:
            first.kill()
            result = built(project, first.url, tasks)
    assert result.failures == {}
    assert project.read("other") == "hello\n" * 6
