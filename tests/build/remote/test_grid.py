"""A build on a BuildGrid of two workers, one of which dies in the middle of an action: the build completes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from finnmake.cli import main
from tests.support.buildgrid import Worker, running_grid
from tests.support.example import copied_example, files_of

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]


def test_a_build_outlives_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    remote, local = copied_example(tmp_path / "remote"), copied_example(tmp_path / "local")
    killed: list[Worker] = []
    with running_grid(tmp_path / "grid") as grid:
        # BuildGrid refuses properties that it has not been told of.
        text = f'[remote_execution]\nurl = "{grid.url}"\nsend_properties = ["OSFamily"]\ndownload = "all"\n'
        (remote / "finnmake.toml").write_text(text)

        def kill() -> None:
            while not killed:
                busy = [w for w in grid.workers if w.said() and w.said()[-1].startswith("start")]
                for worker in busy[:1]:
                    worker.kill()
                    killed.append(worker)
                time.sleep(0.01)

        thread = threading.Thread(target=kill)
        thread.start()
        assert main(["-C", str(remote), "build", "--until", "streamlined", "--remote-exec", "-j", "4"]) == 0
        thread.join()
        (survivor,) = set(grid.workers) - set(killed)
        begun = killed[0].said()[-1].split()[1]
        assert f"done {begun}" not in killed[0].said()
        assert f"done {begun}" in survivor.said()
    assert capfd.readouterr().err == ""
    monkeypatch.chdir(tmp_path)
    assert main(["-C", str(local), "build", "--until", "streamlined", "-j", "2"]) == 0
    assert files_of(remote / "build") == files_of(local / "build")
