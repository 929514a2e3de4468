"""The rebuilder: what runs, what does not, what comes from the store."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from finnmake.build.action import Action, Canonical, DirectoryOf, ToolCommand
from finnmake.build.executor import with_task
from finnmake.build.files import remove_tree
from finnmake.errors import BuildFileError, FinnmakeError, ModelError, ToolError
from tests.build.conftest import Project, call, shell


def two_steps(project: Project) -> dict[str, Action]:
    """Count runs in a file outside of what the actions declare: the only way to see that a tool really ran."""
    runs = project.root / "runs"
    return {
        "t:first": shell(
            f"echo first >> {runs}; tr a-z A-Z < a.txt | tr -d ' ' > b.txt",
            {"a.txt": Path("a.txt")},
            {"b.txt": "out/b"},
        ),
        "t:second": shell(f"echo second >> {runs}; rev b.txt > c.txt", {"b.txt": Path("out/b")}, {"c.txt": "out/c"}),
    }


def test_second_build_does_nothing(project: Project) -> None:
    project.write("a.txt", "hello")
    assert project.build(two_steps(project)) == {"t:first": "run", "t:second": "run"}
    assert project.build(two_steps(project)) == {"t:first": "up_to_date", "t:second": "up_to_date"}
    assert project.read("out/c") == "OLLEH"
    assert project.read("runs") == "first\nsecond\n"


def test_early_cut_off(project: Project) -> None:
    project.write("a.txt", "hello")
    project.build(two_steps(project))
    project.write("a.txt", "hel lo")
    assert project.build(two_steps(project)) == {"t:first": "run", "t:second": "up_to_date"}


def test_back_and_forth_comes_from_the_store(project: Project) -> None:
    for text in ("hello", "world"):
        project.write("a.txt", text)
        project.build(two_steps(project))
    project.write("a.txt", "hello")
    assert project.build(two_steps(project)) == {"t:first": "store", "t:second": "store"}
    assert project.read("out/c") == "OLLEH"
    assert project.read("runs") == "first\nsecond\nfirst\nsecond\n"


def test_touch_runs_nothing(project: Project) -> None:
    path = project.write("a.txt", "hello")
    project.build(two_steps(project))
    os.utime(path, (1, 1))
    assert set(project.build(two_steps(project)).values()) == {"up_to_date"}


def test_same_size_and_time_but_other_bytes_is_seen(project: Project) -> None:
    path = project.write("a.txt", "hello")
    os.utime(path, (1000, 1000))
    project.build(two_steps(project))
    path.write_text("hullo")
    os.utime(path, (1000, 1000))
    assert project.build(two_steps(project))["t:first"] == "run"


def test_edited_output_is_restored_from_the_store(project: Project) -> None:
    project.write("a.txt", "hello")
    project.build(two_steps(project))
    project.write("out/b", "by hand")
    assert project.build(two_steps(project)) == {"t:first": "store", "t:second": "up_to_date"}
    assert project.read("out/b") == "HELLO"


def test_removed_output_is_restored_from_the_store(project: Project) -> None:
    project.write("a.txt", "hello")
    project.build(two_steps(project))
    (project.root / "out/c").unlink()
    assert project.build(two_steps(project)) == {"t:first": "up_to_date", "t:second": "store"}


def test_outputs_are_no_hard_links_of_the_store(project: Project) -> None:
    project.write("a.txt", "hello")
    project.build(two_steps(project))
    assert (project.root / "out/c").stat().st_nlink == 1
    assert all(path.stat().st_nlink == 1 and path.stat().st_mode & 0o222 == 0 for path in project.store_files("cas"))


def test_changed_command_runs_again(project: Project) -> None:
    project.write("a.txt", "hello")
    tasks = {"t:a": shell("cat a.txt > b.txt", {"a.txt": Path("a.txt")}, {"b.txt": "b.txt"})}
    project.build(tasks)
    tasks = {"t:a": shell("cat a.txt a.txt > b.txt", {"a.txt": Path("a.txt")}, {"b.txt": "b.txt"})}
    assert project.build(tasks) == {"t:a": "run"}
    assert project.read("b.txt") == "hellohello"


def test_two_workspaces_share_a_store_whatever_their_paths(project: Project, tmp_path: Path) -> None:
    store = tmp_path / "shared"
    first = Project(tmp_path / "one", store=store)
    second = Project(tmp_path / "somewhere" / "two", store=store)
    for each in (first, second):
        each.write("a.txt", "hello")
    tasks = {"t:a": shell("cat a.txt > b.txt", {"a.txt": Path("a.txt")}, {"b.txt": "b.txt"})}
    assert first.build(tasks) == {"t:a": "run"}
    assert second.build(tasks) == {"t:a": "store"}
    assert second.read("b.txt") == "hello"


def test_equal_actions_run_once(project: Project) -> None:
    project.write("a.txt", "hello")
    runs = project.root / "runs"
    script = f"echo x >> {runs}; sleep 0.3; cat a.txt > b.txt"
    actions = {f"t:{i}": shell(script, {"a.txt": Path("a.txt")}, {"b.txt": f"b{i}.txt"}) for i in range(4)}
    how: list[str] = []
    with project.rebuilder() as rebuilder:
        threads = [
            threading.Thread(target=lambda item=item: how.append(rebuilder.execute(*item).how))
            for item in actions.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(how) == ["run", "store", "store", "store"]
    assert project.read("runs") == "x\n"
    assert project.read("b3.txt") == "hello"


def test_missing_input_names_it(project: Project) -> None:
    with pytest.raises(BuildFileError, match=r"a\.txt: there is no such file"):
        project.build(two_steps(project))


def test_missing_output_is_a_failure_and_stores_nothing(project: Project) -> None:
    with pytest.raises(ToolError, match=r"declared outputs were not made: b\.txt"):
        project.build({"t:a": shell("true", {}, {"b.txt": "b.txt"})})
    assert project.store_files("ac") == []


def test_failing_tool_says_its_errors_first(project: Project) -> None:
    script = "echo working; echo 'ERROR: no such module'; for i in 1 2 3; do echo more; done; exit 7"
    with pytest.raises(ToolError) as caught:
        project.build({"t:a": shell(script, {}, {"b.txt": "b.txt"})})
    lines = with_task(caught.value, "t:a").splitlines()
    assert lines[0] == "ERROR: no such module"
    assert lines[1] == "t:a: sh failed with exit status 7"
    log = lines[2].split("full log: ")[1]
    assert Path(log).read_text().splitlines()[0] == "working"
    assert project.store_files("ac") == []


def test_error_line_fails_in_spite_of_exit_status_0(project: Project) -> None:
    action = shell("echo 'ERROR: bad'; echo x > b.txt", {}, {"b.txt": "b.txt"}, error_patterns=["^ERROR"])
    with pytest.raises(ToolError, match=r"(?s)^ERROR: bad\nsh said that it failed"):
        project.build({"t:a": action})
    assert not (project.root / "b.txt").exists()


def test_a_failure_leaves_the_last_success(project: Project) -> None:
    project.write("a.txt", "good")
    tasks = {"t:a": shell("grep good a.txt > b.txt", {"a.txt": Path("a.txt")}, {"b.txt": "b.txt"})}
    project.build(tasks)
    project.write("a.txt", "evil")
    with pytest.raises(ToolError):
        project.build(tasks)
    assert project.read("b.txt") == "good\n"
    project.write("a.txt", "good")
    assert project.build(tasks) == {"t:a": "up_to_date"}


def test_tool_sees_declared_inputs_and_environment_only(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    project.write("a.txt", "hello")
    project.write("undeclared.txt", "no")
    action = shell(
        "ls > files; env | cut -d= -f1 | sort > names",
        {"deep/a.txt": Path("a.txt")},
        {"files": "files", "names": "names"},
        environment={"GIVEN": "1"},
    )
    project.build({"t:a": action})
    assert project.read("files").split() == ["deep", "files"]
    names = set(project.read("names").split())
    assert {"GIVEN", "HOME", "PATH", "TMPDIR"} <= names
    assert "SECRET" not in names


def test_input_edited_while_the_action_runs(project: Project) -> None:
    path = project.write("a.txt", "before")
    tasks = {"t:a": shell(f"cat a.txt > b.txt; echo after > {path}", {"a.txt": Path("a.txt")}, {"b.txt": "b.txt"})}
    with pytest.raises(BuildFileError, match=r"edited while its action ran"):
        project.build(tasks)
    assert project.store_files("ac") == []
    assert not (project.root / "b.txt").exists()


def test_directory_output_and_directory_input(project: Project) -> None:
    names = project.write("names", "x y sub/z")
    tasks = {
        "t:make": shell(
            "mkdir -p out/sub; for n in $(cat names); do echo $n > out/$n; done",
            {"names": Path("names")},
            {"out/": "made"},
        ),
        "t:use": shell("find in -type f | sort > list", {"in/": DirectoryOf("t:make", "out/")}, {"list": "list"}),
    }
    assert set(project.build(tasks).values()) == {"run"}
    assert project.read("list").split() == ["in/sub/z", "in/x", "in/y"]
    names.write_text("x")
    assert set(project.build(tasks).values()) == {"run"}
    assert sorted(str(p.relative_to(project.root)) for p in (project.root / "made").rglob("*")) == ["made/x"]
    assert project.read("list").split() == ["in/x"]
    names.write_text("x y sub/z")
    assert set(project.build(tasks).values()) == {"store"}
    assert project.read("made/sub/z") == "sub/z\n"


def test_user_file_beside_outputs_stays(project: Project) -> None:
    tasks = {"t:make": shell("mkdir -p out; echo 1 > out/x", {}, {"out/": "made"})}
    project.build(tasks)
    project.write("made/notes", "mine")
    tasks = {"t:make": shell("mkdir -p out; echo 2 > out/y", {}, {"out/": "made"})}
    project.build(tasks)
    assert sorted(p.name for p in (project.root / "made").iterdir()) == ["notes", "y"]


def test_tasks_may_share_a_folder_of_files_named_by_content(project: Project) -> None:
    def tasks(one: str, two: str) -> dict[str, Action]:
        def make(names: str) -> Action:
            return shell(f"mkdir -p d; for n in {names}; do echo $n > d/$n; done", {}, {"d/": "shared"})

        return {"t:one": make(one), "t:two": make(two)}

    def present() -> list[str]:
        return sorted(path.name for path in (project.root / "shared").iterdir())

    project.build(tasks("a common", "b common"))
    assert present() == ["a", "b", "common"]
    assert project.build(tasks("c", "b common")) == {"t:one": "run", "t:two": "up_to_date"}
    assert present() == ["b", "c", "common"]
    assert project.build(tasks("a common", "b")) == {"t:one": "store", "t:two": "run"}
    assert present() == ["a", "b", "common"]
    assert set(project.build(tasks("a common", "b")).values()) == {"up_to_date"}


def test_a_build_to_another_place_leaves_the_first_one(project: Project) -> None:
    def tasks(place: str, names: str) -> dict[str, Action]:
        script = f"mkdir -p d; for n in {names}; do echo $n > d/$n; done; echo f > f"
        return {"t:make": shell(script, {}, {"d/": f"{place}/d", "f": f"{place}/f"})}

    project.build(tasks("one", "a b"))
    project.build(tasks("two", "a"))
    present = sorted(str(path.relative_to(project.root)) for path in project.root.glob("*/**/*") if path.is_file())
    assert [path for path in present if not path.startswith(".")] == ["one/d/a", "one/d/b", "one/f", "two/d/a", "two/f"]


def test_a_link_that_leads_nowhere_is_one_message(project: Project) -> None:
    (project.root / "loop").symlink_to("loop")
    with pytest.raises(BuildFileError, match="cannot be read"):
        project.build({"t:a": shell("cp loop b", {"loop": Path("loop")}, {"b": "b"})})


def test_executable_outputs_stay_executable(project: Project) -> None:
    make = shell("printf '#!/bin/sh\\necho ran' > x; chmod +x x", {}, {"x": "x"})
    tasks = {"t:make": make, "t:use": shell("./x > y", {"x": Path("x")}, {"y": "y"})}
    project.build(tasks)
    (project.root / "x").unlink()
    assert project.build(tasks) == {"t:make": "store", "t:use": "up_to_date"}
    assert os.access(project.root / "x", os.X_OK)


def test_output_link_out_of_the_box_is_refused(project: Project) -> None:
    with pytest.raises(ToolError, match="link to something outside"):
        project.build({"t:a": shell("ln -s /etc/hostname b.txt", {}, {"b.txt": "b.txt"})})


def test_output_folder_that_is_a_link_out_of_the_box_is_refused(project: Project) -> None:
    (project.root / "secret").mkdir()
    (project.root / "secret" / "file").write_text("no output\n")
    script = f"mkdir d; echo x > d/a; ln -s {project.root}/secret d/b"
    with pytest.raises(ToolError, match="output d/b/file is a link to something outside"):
        project.build({"t:a": shell(script, {}, {"d/": "d"})})
    inside = "mkdir d; echo x > d/a; mkdir e; echo y > e/file; ln -s ../e d/b"
    project.build({"t:a": shell(inside, {}, {"d/": "d"})})
    assert project.read("d/b/file") == "y\n"
    assert not (project.root / "d/b").is_symlink()


def test_output_link_inside_becomes_a_file(project: Project) -> None:
    project.build({"t:a": shell("echo x > real; ln -s real b.txt", {}, {"b.txt": "b.txt"})})
    assert not (project.root / "b.txt").is_symlink()
    assert project.read("b.txt") == "x\n"


def test_background_process_of_a_tool_is_killed(project: Project) -> None:
    alive = project.root / "alive"
    project.build({"t:a": shell(f"(sleep 1; touch {alive}) & echo x > b.txt", {}, {"b.txt": "b.txt"})})
    threading.Event().wait(1.5)
    assert not alive.exists()


def test_corrupt_blob_is_dropped_said_and_rebuilt(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.write("a.txt", "hello")
    project.build(two_steps(project))
    for blob in project.store_files("cas"):
        blob.chmod(0o644)
        data = bytearray(blob.read_bytes())
        data[0] ^= 1
        blob.write_bytes(data)
    (project.root / "out/b").unlink()
    (project.root / "out/c").unlink()
    assert project.build(two_steps(project)) == {"t:first": "run", "t:second": "run"}
    assert "corrupt" in capsys.readouterr().err
    assert project.read("out/c") == "OLLEH"


@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_damaged_blob_is_a_miss(project: Project, damage: str) -> None:
    project.write("a.txt", "hello")
    project.build(two_steps(project))
    for blob in project.store_files("cas"):
        blob.chmod(0o644)
        blob.write_bytes(blob.read_bytes()[:2]) if damage == "truncate" else blob.unlink()
    (project.root / "out/c").unlink()
    assert project.build(two_steps(project)) == {"t:first": "up_to_date", "t:second": "run"}
    assert project.read("out/c") == "OLLEH"


def test_python_action(project: Project, userpackage: Path) -> None:
    project.write("a.txt", "hello")
    tasks = {"t:a": call("upper", {"a.txt": Path("a.txt")}, {"b.txt": "b.txt"}, source="a.txt", target="b.txt")}
    assert project.build(tasks) == {"t:a": "run"}
    assert project.read("b.txt") == "HELLO"
    assert project.build(tasks) == {"t:a": "up_to_date"}
    assert project.read(".finnmake/logs/t_a.log") == "upper a.txt\n"
    functions = userpackage / "functions.py"
    functions.write_text(functions.read_text() + "\n# changed\n")
    assert project.build(tasks) == {"t:a": "run"}


def test_python_errors(project: Project, userpackage: Path) -> None:
    with pytest.raises(ModelError) as caught:
        project.build({"t:a": call("refuse", {}, {"b.txt": "b.txt"}, source="m.onnx")})
    assert (caught.value.what, caught.value.where) == ("the model is bad", "m.onnx")
    with pytest.raises(FinnmakeError, match=r"crash failed: ZeroDivisionError: one by none") as other:
        project.build({"t:a": call("crash", {}, {"b.txt": "b.txt"}, source="m.onnx")})
    log = Path(other.value.remedy.split("full log: ")[1])
    assert "Traceback" in log.read_text()
    assert "Traceback" not in other.value.text


def test_python_undeclared_read_is_refused(project: Project, userpackage: Path) -> None:
    secret = project.write("secret.txt", "x")
    action = call("read", {}, {"b.txt": "b.txt"}, path=str(secret), target="b.txt")
    with pytest.raises(BuildFileError, match=r"undeclared access to .*secret\.txt"):
        project.build({"t:a": action})
    link = userpackage / "template.txt"
    link.write_text("a template beside the code is an input too")
    with pytest.raises(BuildFileError, match=r"undeclared access to .*template\.txt"):
        project.build({"t:a": call("read", {}, {"b.txt": "b.txt"}, path=str(link), target="b.txt")})
    with pytest.raises(BuildFileError, match="may not start a program"):
        project.build({"t:a": call("start_program", {}, {"b.txt": "b.txt"}, target="b.txt")})


def test_python_sees_declared_inputs_only(project: Project, userpackage: Path) -> None:
    project.write("a.txt", "x")
    project.build({"t:a": call("listing", {"d/a.txt": Path("a.txt")}, {"b.txt": "b.txt"}, target="b.txt")})
    assert project.read("b.txt").split() == ["d", "d/a.txt"]


def test_canonical_input(project: Project, userpackage: Path) -> None:
    project.write("a.txt", "# one spelling\nbody")
    source = Canonical(Path("a.txt"), "userpackage.functions:without_comments", packages=("userpackage",))
    tasks = {"t:a": shell("cat a.txt > b.txt", {"a.txt": source}, {"b.txt": "b.txt"})}
    with project.rebuilder() as rebuilder:
        assert not rebuilder.status("t:a", tasks["t:a"], may_run=False).up_to_date
    assert project.build(tasks) == {"t:a": "run"}
    assert project.read("b.txt") == "body"
    project.write("a.txt", "# another spelling, much longer\nbody")
    assert project.build(tasks) == {"t:a": "up_to_date"}
    project.write("a.txt", "# another spelling\nnew body")
    assert project.build(tasks) == {"t:a": "run"}
    assert project.read("b.txt") == "new body"
    for blob in project.store_files("cas"):
        blob.unlink()
    (project.root / "b.txt").unlink()
    assert project.build(tasks) == {"t:a": "run"}
    assert project.read("b.txt") == "new body"


def with_companions() -> dict[str, Action]:
    functions = "userpackage.functions"
    source = Canonical(
        Path("in/a.txt"), f"{functions}:with_includes", ("userpackage",), companions=f"{functions}:included"
    )
    return {"t:a": shell("cat a.txt > b.txt", {"a.txt": source}, {"b.txt": "b.txt"})}


def test_files_that_a_canonical_input_refers_to_are_inputs(project: Project, userpackage: Path) -> None:
    tasks = with_companions()
    project.write("in/a.txt", "# remark\ninclude data/x\nend")
    project.write("in/data/x", "middle")
    assert project.build(tasks) == {"t:a": "run"}
    assert project.read("b.txt") == "middle\nend"
    assert project.build(tasks) == {"t:a": "up_to_date"}
    project.write("in/data/x", "other middle")
    with project.rebuilder() as rebuilder:
        assert not rebuilder.status("t:a", tasks["t:a"], may_run=False).up_to_date
    assert project.build(tasks) == {"t:a": "run"}
    assert project.read("b.txt") == "other middle\nend"
    project.write("in/data/x", "middle")
    assert project.build(tasks) == {"t:a": "store"}
    # The same bytes under another name, or in the file itself, make no difference.
    project.write("in/a.txt", "include y\nend")
    project.write("in/y", "middle")
    assert project.build(tasks) == {"t:a": "up_to_date"}
    project.write("in/a.txt", "middle\nend")
    assert project.build(tasks) == {"t:a": "up_to_date"}
    project.write("in/a.txt", "include y\nend")
    for blob in project.store_files("cas"):
        blob.unlink()
    (project.root / "b.txt").unlink()
    assert project.build(tasks) == {"t:a": "run"}
    assert project.read("b.txt") == "middle\nend"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("x", "no such file"), ("/etc/passwd", "folder"), ("../a.txt", "folder"), ("b/../../a", "folder")],
)
def test_files_elsewhere_are_refused(project: Project, userpackage: Path, name: str, expected: str) -> None:
    project.write("in/a.txt", f"include {name}")
    project.write("a.txt", "secret")
    with pytest.raises(BuildFileError, match=expected):
        project.build(with_companions())


def test_always_runs_what_is_known(project: Project) -> None:
    tasks = {"t:a": shell("echo x > b.txt", {}, {"b.txt": "b.txt"})}
    assert project.build(tasks) == {"t:a": "run"}
    assert project.build(tasks, always=True) == {"t:a": "run"}


def test_unknown_tool(project: Project) -> None:
    action = Action("X", ToolCommand(("yosis",)), {}, {"b": "b"})
    with pytest.raises(ToolError, match=r"no rule\.toml declares a tool 'yosis'"):
        project.build({"t:a": action})


def test_what_an_orphan_of_a_killed_build_writes_is_cleared_later(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = project.root / ".finnmake" / "scratch" / "1-0"
    (left / "7").mkdir(parents=True)
    (left / "lock").touch()

    def remove(folder: Path) -> None:
        if folder.name != "7":
            remove_tree(folder)

    with monkeypatch.context() as orphan:
        orphan.setattr("finnmake.build.sandbox.remove_tree", remove)
        project.build({"t:a": shell("echo x > b.txt", {}, {"b.txt": "b.txt"})})
    assert left.exists()
    project.build({"t:b": shell("echo y > c.txt", {}, {"c.txt": "c.txt"})})
    assert list((project.root / ".finnmake" / "scratch").iterdir()) == []


def test_scratch_directories_of_killed_builds_are_cleared(project: Project) -> None:
    left = project.root / ".finnmake" / "scratch" / "1-0"
    (left / "7").mkdir(parents=True)
    (left / "lock").touch()
    project.build({"t:a": shell("echo x > b.txt", {}, {"b.txt": "b.txt"})})
    assert list((project.root / ".finnmake" / "scratch").iterdir()) == []
