"""Workers: kept between actions, replaced when they die, silent on the build's own streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from finnmake.build.worker import WorkerDiedError, WorkerPool
from finnmake.errors import FinnmakeError


@pytest.fixture
def pool(tmp_path: Path, userpackage: Path) -> Iterator[WorkerPool]:
    pool = WorkerPool(tmp_path / "logs" / "workers.log")
    yield pool
    pool.close()


def run(pool: WorkerPool, folder: Path, function: str, result: str = "", **arguments: object) -> Path:
    for name in ("box", "tmp", "home"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    pool.run(
        f"userpackage.functions:{function}",
        arguments,
        packages=("finnmake", "userpackage"),
        modules=("userpackage", "userpackage.functions", "userpackage.libraries"),
        folder=folder,
        log=folder / "log",
        result=result,
    )
    return folder / "box"


def test_one_process_for_many_actions(pool: WorkerPool, tmp_path: Path) -> None:
    first = (run(pool, tmp_path / "a", "process", target="pid") / "pid").read_text()
    assert (run(pool, tmp_path / "b", "process", target="pid") / "pid").read_text() == first


def test_an_action_computes_in_one_thread(pool: WorkerPool, tmp_path: Path) -> None:
    assert (run(pool, tmp_path / "a", "threads", target="count") / "count").read_text() == "1"


def test_garbage_is_looked_for_but_not_among_modules(pool: WorkerPool, tmp_path: Path) -> None:
    enabled, frozen = (run(pool, tmp_path / "a", "garbage", target="g") / "g").read_text().split()
    assert enabled == "True"
    assert int(frozen) > 1000
    # What an action leaves is garbage.
    enabled, later = (run(pool, tmp_path / "b", "garbage", target="g") / "g").read_text().split()
    assert enabled == "True"
    assert int(later) <= int(frozen)


def test_an_exception_leaves_the_worker(pool: WorkerPool, tmp_path: Path) -> None:
    first = (run(pool, tmp_path / "a", "process", target="pid") / "pid").read_text()
    with pytest.raises(FinnmakeError):
        run(pool, tmp_path / "b", "crash", source="x")
    assert (run(pool, tmp_path / "c", "process", target="pid") / "pid").read_text() == first


def test_a_worker_that_dies_is_a_failed_action_not_a_hang(pool: WorkerPool, tmp_path: Path) -> None:
    first = (run(pool, tmp_path / "a", "process", target="pid") / "pid").read_text()
    with pytest.raises(WorkerDiedError, match=r"status 3.*userpackage\.functions:die"):
        run(pool, tmp_path / "b", "die")
    assert (run(pool, tmp_path / "c", "process", target="pid") / "pid").read_text() != first


def test_threads_have_workers_of_their_own(pool: WorkerPool, tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=run, args=(pool, tmp_path / str(i), "process"), kwargs={"target": "pid"})
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((tmp_path / str(i) / "box" / "pid").read_text() for i in range(4))


def test_an_action_cannot_read_another_ones_box(pool: WorkerPool, tmp_path: Path) -> None:
    box = run(pool, tmp_path / "a", "process", target="pid")
    with pytest.raises(FinnmakeError, match="undeclared access"):
        run(pool, tmp_path / "b", "read", path=str(box / "pid"), target="x")
    run(pool, tmp_path / "b", "swallow", path=str(box / "pid"), target="x")
    assert (tmp_path / "b" / "box" / "x").read_text() == "could not read it"


def test_a_workspace_behind_a_symbolic_link(pool: WorkerPool, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "box").mkdir()
    (tmp_path / "real" / "box" / "f").write_text("x")
    assert (run(pool, tmp_path / "link", "read", path="f", target="y") / "y").read_text() == "x"


def test_bytes_returned_go_to_the_result(pool: WorkerPool, tmp_path: Path) -> None:
    (tmp_path / "a" / "box").mkdir(parents=True)
    (tmp_path / "a" / "box" / "f").write_text("#c\nx")
    assert (run(pool, tmp_path / "a", "without_comments", "r", path="f") / "r").read_bytes() == b"x"


def test_a_closed_pool_starts_nothing(pool: WorkerPool, tmp_path: Path) -> None:
    pool.close()
    with pytest.raises(FinnmakeError, match="being stopped"):
        run(pool, tmp_path / "a", "process", target="pid")


def test_compiler_libraries_load_under_the_guard(pool: WorkerPool, tmp_path: Path, userpackage: Path) -> None:
    text = (
        "def load(target):\n    import numpy, onnx, onnxruntime, onnx_ir, jinja2\n    open(target, 'w').write('ok')\n"
    )
    (userpackage / "libraries.py").write_text(text)
    for name in ("box", "tmp", "home"):
        (tmp_path / "a" / name).mkdir(parents=True)
    pool.run(
        "userpackage.libraries:load",
        {"target": "x"},
        packages=("finnmake", "userpackage"),
        modules=("userpackage", "userpackage.functions", "userpackage.libraries"),
        folder=tmp_path / "a",
        log=tmp_path / "log",
    )
    assert (tmp_path / "a" / "box" / "x").read_text() == "ok"


def test_an_import_that_the_key_does_not_see_is_refused(pool: WorkerPool, tmp_path: Path, userpackage: Path) -> None:
    (userpackage / "hidden.py").write_text("")
    text = "\n\ndef hide():\n    import importlib\n    importlib.import_module('userpackage.hidden')\n"
    functions = userpackage / "functions.py"
    functions.write_text(functions.read_text() + text)
    with pytest.raises(FinnmakeError, match=r"imports userpackage\.hidden in a way that its key does not see"):
        run(pool, tmp_path / "a", "hide")


def test_projects_have_workers_of_their_own(pool: WorkerPool, tmp_path: Path) -> None:
    """Two projects may have modules of one name; a module that its key does not see is refused there, too."""
    text = "from pathlib import Path\ndef f():\n    Path('name').write_text(__file__)\n"
    text += "def g():\n    import importlib\n    importlib.import_module('hidden')\n"
    for name in ("a", "b", "a"):
        project = tmp_path / name
        project.mkdir(exist_ok=True)
        (project / "steps.py").write_text(text)
        (project / "hidden.py").write_text("")
        for folder in ("box", "tmp", "home"):
            (project / "run" / folder).mkdir(parents=True, exist_ok=True)

        def call(function: str, project: Path = project) -> None:
            pool.run(
                f"steps:{function}", {}, packages=("steps",), modules=("steps",), folders=(project,),
                folder=project / "run", log=project / "log",
            )  # fmt: skip

        call("f")
        assert (project / "run/box/name").read_text() == str(project / "steps.py")
    with pytest.raises(FinnmakeError, match="imports hidden in a way that its key does not see"):
        call("g")
