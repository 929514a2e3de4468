"""Builds that share a remote cache: what one has built another downloads; no fault of it makes a wrong file."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from finnmake.build.action import Action
from finnmake.build.digest import Digest
from finnmake.build.reapi import remote_execution_pb2 as reapi
from finnmake.build.rebuilder import Rebuilder
from finnmake.build.result import decode
from finnmake.errors import StoreError
from tests.build.conftest import Project, shell
from tests.build.remote.conftest import Misbehaving, digest_of
from tests.support.cache_servers import Server, nginx_server

SECRET = "user:correct-horse-battery"


def project(root: Path, url: str, role: str = "read-write", more: str = "") -> Project:
    made = Project(root)
    made.write("finnmake.toml", f'[remote]\nurl = "{url}"\nrole = "{role}"\ntimeout = 2\nretries = 1\n{more}')
    made.write("a.txt", "one\n")
    return made


def tasks(script: str = "cat a.txt a.txt > two.txt; mkdir d; cp a.txt d/inside.txt") -> dict[str, Action]:
    return {"double": shell(script, {"a.txt": Path("a.txt")}, {"two.txt": "build/two.txt", "d/": "build/d"})}


def test_what_one_has_built_another_downloads(server: Server, tmp_path: Path) -> None:
    first = project(tmp_path / "first", server.url)
    assert first.build(tasks()) == {"double": "run"}
    second = project(tmp_path / "elsewhere" / "second", server.url, "read")
    assert second.build(tasks()) == {"double": "remote"}
    assert second.read("build/two.txt") == "one\none\n"
    assert second.read("build/d/inside.txt") == "one\n"
    assert second.build(tasks()) == {"double": "up_to_date"}
    # Now it has it itself.
    (second.root / ".finnmake" / "state.sqlite").unlink()
    assert second.build(tasks()) == {"double": "store"}


NESTED = "mkdir -p d/x/y d/z; cp a.txt d/x/y/deep.txt; cp a.txt d/z/deep.txt; touch d/empty; cp a.txt two.txt"


def test_folders_inside_of_folders_are_shared(server: Server, tmp_path: Path) -> None:
    """buildbox-casd gives a result only where it has each directory of its trees."""
    first = project(tmp_path / "first", server.url)
    assert first.build(tasks(NESTED)) == {"double": "run"}
    second = project(tmp_path / "second", server.url, "read")
    assert second.build(tasks(NESTED)) == {"double": "remote"}
    assert second.read("build/d/x/y/deep.txt") == "one\n"
    assert second.read("build/d/empty") == ""


def test_results_are_what_validating_servers_take(misbehaving: Misbehaving, tmp_path: Path) -> None:
    """What bazel-remote asks of an ActionResult: valid digests, relative paths, every blob there before the result."""
    assert project(tmp_path / "made", misbehaving.url).build(tasks(NESTED)) == {"double": "run"}
    sent: list[str] = []

    def check(digest: reapi.Digest) -> bytes:
        assert re.fullmatch("[0-9a-f]{64}", digest.hash)
        data = misbehaving.stored[f"/cas/{digest.hash}"]
        assert digest_of(data) == (digest.hash, digest.size_bytes)
        assert f"/cas/{digest.hash}" in sent, "before the result"
        return data

    def check_path(path: str) -> None:
        assert path
        assert not path.startswith("/")
        assert ".." not in path.split("/")

    for method, path, _ in misbehaving.requests:
        if method == "PUT":
            sent.append(path)
        if not (method == "PUT" and path.startswith("/ac/")):
            continue
        message = reapi.ActionResult.FromString(misbehaving.stored[path])
        assert message.output_files
        assert message.output_directories
        for file in message.output_files:
            check_path(file.path)
            check(file.digest)
        for directory in message.output_directories:
            check_path(directory.path)
            tree = reapi.Tree.FromString(check(directory.tree_digest))
            folders = {digest_of(child.SerializeToString(deterministic=True)) for child in tree.children}
            for folder in (tree.root, *tree.children):
                assert all(
                    Digest(child.digest.hash, child.digest.size_bytes) in folders for child in folder.directories
                )
                for node in folder.files:
                    check(node.digest)
    assert sum(path.startswith("/ac/") for path in sent) == 1


def test_who_only_reads_gives_nothing(server: Server, tmp_path: Path) -> None:
    reader = project(tmp_path / "reader", server.url, "read")
    reader.write("a.txt", f"{tmp_path}\n")
    assert reader.build(tasks()) == {"double": "run"}
    other = project(tmp_path / "other", server.url)
    other.write("a.txt", f"{tmp_path}\n")
    assert other.build(tasks()) == {"double": "run"}


def test_a_flipped_bit_in_a_blob_makes_no_wrong_file(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = project(tmp_path / "first", server.url)
    first.write("a.txt", f"{tmp_path}\n")
    first.build(tasks())
    for blob in first.store_files("cas"):
        kept = server.blob(blob.name)
        if kept.exists() and kept.stat().st_size:
            kept.chmod(0o644)
            data = bytearray(kept.read_bytes())
            data[0] ^= 1
            kept.write_bytes(bytes(data))
    second = project(tmp_path / "second", server.url, "read")
    second.write("a.txt", f"{tmp_path}\n")
    assert second.build(tasks()) == {"double": "run"}
    assert second.read("build/two.txt") == f"{tmp_path}\n" * 2
    said = capfd.readouterr().err
    # BuildGrid reads directory listings itself, and answers that one is damaged.
    assert "gave wrong bytes" in said or "Wire format was corrupt" in said


@pytest.fixture
def filled(misbehaving: Misbehaving, tmp_path: Path) -> Misbehaving:
    assert project(tmp_path / "filler", misbehaving.url).build(tasks()) == {"double": "run"}
    assert any(path.startswith("/ac/") for path in misbehaving.stored)
    return misbehaving


def build_beside(remote: Misbehaving, tmp_path: Path, role: str = "read-write") -> tuple[str, str]:
    """Builds the same elsewhere; what became of the task, and its output."""
    other = project(tmp_path / "other", remote.url, role)
    return other.build(tasks())["double"], other.read("build/two.txt")


RIGHT = "one\none\n"


def test_every_flipped_bit_of_a_result_is_harmless(filled: Misbehaving, tmp_path: Path) -> None:
    (name,) = (path for path in filled.stored if path.startswith("/ac/"))
    whole = filled.stored[name]
    # Every bit of the message, in a few builds: one byte in eight here, another offset each.
    for position in range(0, len(whole) * 8, 8 * 11 + 3):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        filled.stored[name] = bytes(damaged)
        other = project(tmp_path / f"other{position}", filled.url, "read")
        how = other.build(tasks())["double"]
        assert how in ("run", "remote")
        assert other.read("build/two.txt") == RIGHT
        assert not (other.root / "build/two.txt").stat().st_mode & 0o100


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: b"x\n", id="no message"),
        pytest.param(lambda data: data[: len(data) // 2], id="truncated"),
        pytest.param(lambda data: data + b"\x00" * (20 << 20), id="endless"),
    ],
)
def test_a_result_that_is_none(filled: Misbehaving, tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    for path, data in list(filled.stored.items()):
        if path.startswith("/ac/"):
            filled.stored[path] = spoil(data)
    assert build_beside(filled, tmp_path) == ("run", RIGHT)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: None, id="missing"),
        pytest.param(lambda data: data[:-1], id="truncated"),
        pytest.param(lambda data: data + b"more", id="longer"),
        pytest.param(lambda data: b"wrong"[: len(data)], id="another"),
    ],
)
def test_blobs_that_are_wrong(filled: Misbehaving, tmp_path: Path, spoil: Callable[[bytes], bytes | None]) -> None:
    for path, data in list(filled.stored.items()):
        if path.startswith("/cas/"):
            spoilt = spoil(data)
            if spoilt is None:
                del filled.stored[path]
            else:
                filled.stored[path] = spoilt
    assert build_beside(filled, tmp_path) == ("run", RIGHT)


@pytest.mark.parametrize("status", [301, 400, 403, 418, 500, 503])
def test_a_server_that_only_says_no(
    filled: Misbehaving, tmp_path: Path, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    filled.answer = lambda method, path: (status, b"no")
    assert build_beside(filled, tmp_path) == ("run", RIGHT)
    said = capfd.readouterr().err
    assert said.count("goes on without the remote cache") == 1
    assert str(status) in said


def test_a_server_that_hangs(filled: Misbehaving, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    filled.answer = lambda method, path: 30.0
    assert build_beside(filled, tmp_path) == ("run", RIGHT)
    assert capfd.readouterr().err.count("goes on without the remote cache") == 1


def test_a_server_that_takes_nothing(
    misbehaving: Misbehaving, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    misbehaving.answer = lambda method, path: (507, b"full") if method == "PUT" else None
    made = project(tmp_path / "made", misbehaving.url)
    assert made.build(tasks()) == {"double": "run"}
    assert capfd.readouterr().err.count("goes on without the remote cache") == 1
    # It is not forgotten: the next build gives it.
    misbehaving.answer = lambda method, path: None
    assert made.build(tasks()) == {"double": "up_to_date"}
    assert project(tmp_path / "other", misbehaving.url, "read").build(tasks()) == {"double": "remote"}


def test_no_server_at_all(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for scheme in ("http", "grpc"):
        made = project(tmp_path / scheme, f"{scheme}://127.0.0.1:1")
        assert made.build(tasks()) == {"double": "run"}
        assert made.read("build/two.txt") == RIGHT
        assert capfd.readouterr().err.count("goes on without the remote cache") == 1


def test_a_busy_server_is_asked_again(filled: Misbehaving, tmp_path: Path) -> None:
    seen: set[tuple[str, str]] = set()

    def first_time_busy(method: str, path: str) -> tuple[int, bytes] | None:
        if (method, path) in seen:
            return None
        seen.add((method, path))
        return 503, b"busy"

    filled.answer = first_time_busy
    assert build_beside(filled, tmp_path) == ("remote", RIGHT)


@pytest.mark.parametrize("name", ["../../../escaped", "..", "/escaped", "a/../../../escaped", "", "."])
def test_a_path_that_leads_out_of_the_folder_is_not_followed(filled: Misbehaving, tmp_path: Path, name: str) -> None:
    for path, data in list(filled.stored.items()):
        if path.startswith("/ac/"):
            message = reapi.ActionResult.FromString(data)
            message.ClearField("stdout_raw")
            tree = filled.stored[f"/cas/{message.output_directories[0].tree_digest.hash}"]
            escaping = reapi.Tree.FromString(tree)
            escaping.root.files[0].name = name
            spoilt = escaping.SerializeToString()
            digest = digest_of(spoilt)
            filled.stored[f"/cas/{digest.sha256}"] = spoilt
            message.output_directories[0].tree_digest.hash = digest.sha256
            message.output_directories[0].tree_digest.size_bytes = digest.size
            filled.stored[path] = message.SerializeToString()
    how, text = build_beside(filled, tmp_path)
    assert (how, text) == ("run", RIGHT)
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("name", ["../../../../victim", "", "AB" * 32, "ab" * 31])
def test_a_blob_with_another_name_is_not_looked_for(filled: Misbehaving, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("1234")
    for path, data in list(filled.stored.items()):
        if path.startswith("/ac/"):
            message = reapi.ActionResult.FromString(data)
            message.ClearField("stdout_raw")
            message.output_files[0].digest.hash = name
            message.output_files[0].digest.size_bytes = 4
            filled.stored[path] = message.SerializeToString()
    assert build_beside(filled, tmp_path) == ("run", RIGHT)
    assert victim.read_text() == "1234"


def test_a_tree_without_end_is_refused() -> None:
    folders = [reapi.Directory(files=[reapi.FileNode(name="f", digest=reapi.Digest(hash="0" * 64, size_bytes=1))])]
    for _ in range(60):
        below = digest_of(folders[-1].SerializeToString(deterministic=True))
        named = reapi.Digest(hash=below.sha256, size_bytes=below.size)
        folders.append(
            reapi.Directory(directories=[reapi.DirectoryNode(name=name, digest=named) for name in ("a", "b")])
        )
    tree = reapi.Tree(root=folders[-1], children=folders[:-1]).SerializeToString()
    message = reapi.ActionResult()
    message.output_directories.add(path="d", tree_digest=reapi.Digest(hash="1" * 64, size_bytes=len(tree)))
    with pytest.raises(StoreError, match="too many files"):
        decode(message.SerializeToString(), lambda digest: tree)


def test_credentials_are_sent_and_said_nowhere(
    tmp_path: Path, misbehaving: Misbehaving, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path / "file", misbehaving.url, more='credentials_file = "secret"\n')
    made.write("secret", f"{SECRET}\n")
    made.build(tasks())
    assert {header for _, _, header in misbehaving.requests} == {"Basic dXNlcjpjb3JyZWN0LWhvcnNlLWJhdHRlcnk="}
    misbehaving.requests.clear()
    monkeypatch.setenv("CACHE_TOKEN", "a-bearer-token")
    other = project(tmp_path / "variable", misbehaving.url, more='credentials_variable = "CACHE_TOKEN"\n')
    assert other.build(tasks()) == {"double": "remote"}, "who one is does not change keys"
    assert {header for _, _, header in misbehaving.requests} == {"Bearer a-bearer-token"}
    misbehaving.answer = lambda method, path: (401, b"who are you")
    third = project(tmp_path / "third", misbehaving.url, more='credentials_variable = "CACHE_TOKEN"\n')
    assert third.build(tasks()) == {"double": "run"}
    said = capfd.readouterr()
    everything = said.out + said.err
    for folder in ("file", "variable", "third"):
        for file in (tmp_path / folder / ".finnmake").rglob("*"):
            everything += file.read_bytes().decode("latin-1") if file.is_file() else ""
    assert "check [remote] credentials" in said.err
    for secret in ("correct-horse-battery", "dXNlcjpj", "a-bearer-token"):
        assert secret not in everything


def test_credentials_that_are_not_there(tmp_path: Path) -> None:
    made = project(tmp_path, "http://127.0.0.1:1", more='credentials_variable = "NO_SUCH_VARIABLE_HERE"\n')
    with pytest.raises(Exception, match="holds no credentials"):
        Rebuilder(made.workspace())


def test_a_server_that_wants_credentials(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("user:{PLAIN}correct-horse-battery\n")
    with nginx_server(tmp_path / "server", f"auth_basic cache; auth_basic_user_file {passwords};") as server:
        made = project(tmp_path / "made", server.url, more='credentials_file = "secret"\n')
        made.write("secret", SECRET)
        made.build(tasks())
        other = project(tmp_path / "other", server.url, more='credentials_file = "secret"\n')
        other.write("secret", SECRET)
        assert other.build(tasks()) == {"double": "remote"}
        stranger = project(tmp_path / "stranger", server.url)
        assert stranger.build(tasks()) == {"double": "run"}


def test_who_may_only_read_is_refused_by_the_server_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The roles of docs/remote_cache.md: everyone reads, CI writes."""
    readers, writers = tmp_path / "readers", tmp_path / "writers"
    readers.write_text("ci:{PLAIN}w\ndev:{PLAIN}r\n")
    writers.write_text("ci:{PLAIN}w\n")
    access = f"auth_basic cache; auth_basic_user_file {readers};"
    access += f" limit_except GET HEAD {{ auth_basic cache; auth_basic_user_file {writers}; }}"

    def member(name: str, secret: str, role: str) -> Project:
        made = project(tmp_path / name, server.url, role, 'credentials_file = "secret"\n')
        made.write("secret", secret)
        return made

    with nginx_server(tmp_path / "server", access) as server:
        assert member("intruder", "dev:r", "read-write").build(tasks()) == {"double": "run"}
        assert "check [remote] credentials" in capfd.readouterr().err
        assert member("early", "dev:r", "read").build(tasks()) == {"double": "run"}, "nothing has been taken"
        assert member("ci", "ci:w", "read-write").build(tasks()) == {"double": "run"}
        assert member("dev", "dev:r", "read").build(tasks()) == {"double": "remote"}
        assert capfd.readouterr().err == ""


def test_uploads_do_not_make_an_action_wait(misbehaving: Misbehaving, tmp_path: Path) -> None:
    """The second action runs while the first one's upload hangs."""
    started: list[float] = []

    def slow(method: str, path: str) -> float | None:
        if method in ("PUT", "HEAD"):
            started.append(time.monotonic())
            return 1.0
        return None

    misbehaving.answer = slow
    made = project(tmp_path / "made", misbehaving.url)
    several = {f"t{number}": shell(f"echo {number} > out", {}, {"out": f"build/{number}"}) for number in range(3)}
    with made.rebuilder() as rebuilder:
        rebuilder.state.begin_build()
        order = []
        for name, action in several.items():
            rebuilder.execute(name, action)
            order.append(rebuilder.sharing is not None and bool(rebuilder.state.memos("upload")))
        assert order == [True, True, True], "all of them are still to be uploaded when the last has run"
        misbehaving.answer = lambda method, path: None
        assert rebuilder.sharing is not None
        assert rebuilder.sharing.finish(20) == 0
