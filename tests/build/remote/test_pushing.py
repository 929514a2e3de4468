"""``finnmake cache push`` and ``pull``, with real servers of both protocols."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.remote.conftest import Misbehaving
from tests.support.cache_servers import Server
from tests.support.small_build import SmallBuild


def configuration(url: str, role: str) -> str:
    return f'[remote]\nurl = "{url}"\nrole = "{role}"\ntimeout = 5\nretries = 0\n'


def checkout(folder: Path, url: str, role: str, model: str) -> SmallBuild:
    return SmallBuild.create(folder, configuration(url, role), model)


def test_everything_goes_there_and_comes_back(server: Server, tmp_path: Path) -> None:
    maker = SmallBuild.create(tmp_path / "maker", model="push pull\n")
    maker.build("net")
    (maker.folder / "finnmake.toml").write_text(configuration(server.url, "read-write"))
    user = checkout(tmp_path / "user", server.url, "read", "push pull\n")
    # Nothing is there yet, and nothing is run to make it.
    said = user.json("cache", "pull", "net", status=1)
    assert said["missing"] == ["net:list"]
    assert not (user.folder / "out").exists()
    assert maker.json("cache", "push") == {"uploaded": 0, "present": 0, "absent": 0, "unknown": 0}
    assert maker.json("cache", "push", "--all") == {"uploaded": 4, "present": 0, "absent": 0, "unknown": 0}
    assert maker.json("cache", "push", "--all") == {"uploaded": 0, "present": 4, "absent": 0, "unknown": 0}
    said = user.json("cache", "pull", "net")
    assert (said["downloaded"], said["missing"], said["ok"]) == (4, [], True)
    assert (user.folder / "out/all").read_text() == (maker.folder / "out/all").read_text()
    assert user.build("net") == {"up_to_date": 4}
    assert user.finnmake("cache", "pull", "net").stdout == (
        "0 results downloaded, 0 were in the local store, 4 up to date, 0 missing\n"
    )


def test_what_is_missing_is_named(server: Server, tmp_path: Path) -> None:
    maker = checkout(tmp_path / "maker", server.url, "read-write", "x1 x2 x3\n")
    maker.build("net:x1", "net:x3")
    user = checkout(tmp_path / "user", server.url, "read", "x1 x2 x3\n")
    done = user.finnmake("cache", "pull", "net")
    assert done.returncode == 1
    assert done.stdout == (
        "missing: net:x2\n"
        "3 results downloaded, 0 were in the local store, 0 up to date, 1 missing\n"
        "what needs a missing result could not be asked for\n"
    )
    assert (user.folder / "out/x3").exists()
    assert not (user.folder / "out/x2").exists()


def test_what_a_build_could_not_upload_is_pushed_later(misbehaving: Misbehaving, tmp_path: Path) -> None:
    maker = checkout(tmp_path / "maker", misbehaving.url, "read-write", "a b\n")
    misbehaving.answer = lambda method, path: (500, b"") if method == "PUT" else None
    maker.build("net")
    assert misbehaving.stored == {}
    done = maker.finnmake("cache", "push")
    assert done.returncode == 1
    assert "500" in done.stderr
    misbehaving.answer = lambda method, path: None
    assert maker.json("cache", "push")["uploaded"] == 4
    assert sum(path.startswith("/ac/") for path in misbehaving.stored) == 4
    assert maker.finnmake("cache", "push").stdout == (
        "0 results uploaded, 0 were there, 0 are not in the local store\n"
    )


def test_who_may_only_read_does_not_push(misbehaving: Misbehaving, tmp_path: Path) -> None:
    user = checkout(tmp_path / "user", misbehaving.url, "read", "a\n")
    for arguments in (("push",), ("push", "--all")):
        done = user.finnmake("cache", *arguments)
        assert done.returncode == 1
        assert 'Who may write says [remote] role = "read-write".' in done.stderr
    assert not any(method == "PUT" for method, _, _ in misbehaving.requests)


@pytest.mark.parametrize("target", ["net:zz", "nothing"])
def test_an_unknown_target(misbehaving: Misbehaving, tmp_path: Path, target: str) -> None:
    user = checkout(tmp_path / "user", misbehaving.url, "read", "a\n")
    user.build("net")
    done = user.finnmake("cache", "pull", target)
    assert done.returncode == 1
    assert target in done.stderr
