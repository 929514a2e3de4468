"""The state survives crashes, damage and company."""

from __future__ import annotations

import multiprocessing
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from finnmake.build.state import DigestRow, OutputRecord, State, TaskRecord
from finnmake.errors import StoreError


def record(name: str, key: str = "k") -> TaskRecord:
    outputs = (OutputRecord("a", "out/a", "0" * 64, 3, False),)
    return TaskRecord(name, "dodo.py", f"fingerprint {key}", key, outputs, 1, "run", "", 0.5)


def test_a_committed_task_is_there_without_closing(tmp_path: Path) -> None:
    state = State(tmp_path / "state.sqlite")
    state.record_task(record("t:a"), {"input a": "1"})
    other = State(tmp_path / "state.sqlite")
    assert other.tasks == {"t:a": record("t:a")}
    assert other.ingredients("t:a") == ({"input a": "1"}, None)
    state.shut()
    other.shut()


def test_ingredients_before(tmp_path: Path) -> None:
    state = State(tmp_path / "state.sqlite")
    for number in "123":
        state.record_task(record("t:a", number), {"input a": number})
    assert state.ingredients("t:a") == ({"input a": "3"}, {"input a": "2"})
    assert state.ingredients("t:b") == (None, None)
    state.forget_task("t:a")
    state.shut()
    again = State(tmp_path / "state.sqlite")
    assert again.tasks["t:a"].fingerprint == ""
    assert again.tasks["t:a"].outputs == record("t:a").outputs
    again.shut()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_damaged_file_is_put_aside(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(content)
    state = State(path)
    assert state.tasks == {}
    state.record_task(record("t:a"), {})
    state.shut()
    assert "was damaged" in capsys.readouterr().err
    assert (tmp_path / "state.sqlite.damaged").read_bytes() == content


def spoil(path: Path, table: str, column: str, content: bytes) -> None:
    """Writes bytes into all texts of a column, as a damaged page has them."""
    with sqlite3.connect(path) as connection:
        connection.execute(f"update {table} set {column}=cast(? as text)", (content,))
    connection.close()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[1]"])
@pytest.mark.parametrize(
    ("table", "column"),
    [("task", "outputs"), ("task", "ingredients"), ("task", "previous"), ("build", "up_to_date")],
)
def test_texts_that_are_damaged_put_the_file_aside(
    tmp_path: Path, table: str, column: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    if (column, content) != ("outputs", b"[1]"):
        content = content.replace(b"[1]", b"[1")
    path = tmp_path / "state.sqlite"
    state = State(path)
    state.begin_build()
    for key in "12":
        state.record_task(record("t:a", key), {"input a": key})
    state.end_build(["t:b"])
    state.shut()
    spoil(path, table, column, content)
    state = State(path)
    number = state.begin_build() if table == "task" else 0
    assert state.ingredients("t:a") == ((None, None) if table == "task" else ({"input a": "2"}, {"input a": "1"}))
    assert state.last_build() == (number, ())
    assert capsys.readouterr().err.count("was damaged") == 1
    assert (tmp_path / "state.sqlite.damaged").is_file()
    state.record_task(record("t:c"), {"input c": "1"})
    state.end_build([])
    state.shut()
    state = State(path)
    assert set(state.tasks) == {"t:c"}
    assert capsys.readouterr().err == ""
    state.shut()


@pytest.mark.parametrize(("table", "column"), [("task", "reason"), ("digest", "sha256"), ("memo", "value")])
def test_texts_that_every_build_reads_are_looked_at_first(
    tmp_path: Path, table: str, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state.sqlite"
    state = State(path)
    state.record_digest("a", DigestRow(1, 1, 1, 1, 1, "0" * 64))
    state.record_task(record("t:a"), {})
    state.shut()
    spoil(path, table, column, b"\xff")
    state = State(path)
    assert "was damaged" in capsys.readouterr().err
    assert state.tasks == {}
    assert state.digests == {}
    state.shut()


def test_other_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    State(path).shut()
    with sqlite3.connect(path) as connection:
        connection.execute("update memo set value='99' where kind='format'")
    connection.close()
    with pytest.raises(StoreError, match="format version"):
        State(path)


def test_unusable_place_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be used"):
        State(tmp_path / "file" / "state.sqlite")


def test_memos_of_a_kind_are_asked_for_while_others_are_recorded(tmp_path: Path) -> None:
    state = State(tmp_path / "state.sqlite")
    for number in range(500):
        state.record_memo("old", str(number), "", "")

    def record_more() -> None:
        for number in range(500):
            state.record_memo("new", str(number), "", "")

    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(1) as threads:
            recording = threads.submit(record_more)
            while not recording.done():
                assert len(state.memos("old")) == 500
            recording.result()
    finally:
        sys.setswitchinterval(switch_interval)
    state.shut()


def test_memos_hold_as_long_as_their_stamp(tmp_path: Path) -> None:
    state = State(tmp_path / "state.sqlite")
    state.record_memo("tool", "/usr/bin/x", "stamp", "1.0")
    state.shut()
    again = State(tmp_path / "state.sqlite")
    assert again.memo("tool", "/usr/bin/x", "stamp") == "1.0"
    assert again.memo("tool", "/usr/bin/x", "other") is None
    assert again.memo("tool", "/usr/bin/y", "stamp") is None
    again.shut()


def _many_tasks(path: Path, number: int) -> None:
    state = State(path)
    for task in range(50):
        state.record_task(record(f"t:{number}.{task}"), {"input a": str(task)})
    state.shut()


def test_builds_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_many_tasks, args=(path, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    state = State(path)
    assert len(state.tasks) == 200
    state.shut()


def _open_together(folder: Path, start: Barrier) -> None:
    for number in range(20):
        start.wait(20)
        state = State(folder / f"{number}.sqlite")
        assert state.begin_build()
        state.shut()


def test_eight_builds_make_the_file_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(8)
    builds = [context.Process(target=_open_together, args=(tmp_path, start)) for _ in range(8)]
    for process in builds:
        process.start()
    for process in builds:
        process.join()
    assert [process.exitcode for process in builds] == [0] * 8
