"""``finnmake.toml``: every entry is checked, and says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from finnmake.build.configuration import default_configuration, execution_of, parse_size, read_configuration
from finnmake.errors import BuildFileError


def write(folder: Path, text: str) -> Path:
    (folder / "finnmake.toml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("10", 10), ("1 kB", 1000), ("1.5 KiB", 1536), ("20GiB", 20 << 30), ("2 TB", 2 * 10**12), ("7B", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "5 gib", "1,5 GB", "1e9", "0x10"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(BuildFileError, match="is no size"):
        parse_size(text)


def test_defaults(tmp_path: Path) -> None:
    found = read_configuration(write(tmp_path, ""))
    assert found == default_configuration(tmp_path)
    assert found.store == tmp_path / ".finnmake/store"
    assert found.store_size == 20 << 30
    assert found.remote is None


def test_everything(tmp_path: Path) -> None:
    found = read_configuration(
        write(
            tmp_path,
            """
            [store]
            path = "/var/cache/finnmake"
            max_size = "500 MB"
            [remote]
            url = "grpcs://cache.example:443"
            role = "read-write"
            instance = "team"
            credentials_file = "secret"
            ca_file = "certificates.pem"
            timeout = 5
            retries = 0
            """,
        )
    )
    assert (found.store, found.store_size) == (Path("/var/cache/finnmake"), 500_000_000)
    remote = found.remote
    assert remote is not None
    assert remote.writes
    assert (remote.url, remote.instance, remote.timeout, remote.retries) == ("grpcs://cache.example:443", "team", 5, 0)
    assert (remote.credentials_file, remote.ca_file) == (tmp_path / "secret", tmp_path / "certificates.pem")


def test_remote_execution(tmp_path: Path) -> None:
    text = """
        [remote_execution]
        url = "grpcs://engine.example:443"
        instance = "team"
        retries = 5
        send_properties = ["OSFamily", "licence"]
        [remote_execution.properties]
        pool = "fpga"
    """
    found = read_configuration(write(tmp_path, text))
    engine = found.execution
    assert engine is not None
    assert (engine.remote.url, engine.remote.instance, engine.remote.retries) == (
        "grpcs://engine.example:443",
        "team",
        5,
    )
    assert (engine.send_properties, engine.properties) == (("OSFamily", "licence"), {"pool": "fpga"})
    assert execution_of(found, "") == engine
    other = execution_of(found, "grpc://other:1")
    assert (other.remote.url, other.remote.instance) == ("grpc://other:1", "team")
    assert execution_of(default_configuration(tmp_path), "grpc://other:1").remote.url == "grpc://other:1"


def test_remote_execution_needs_an_address(tmp_path: Path) -> None:
    configuration = default_configuration(tmp_path)
    with pytest.raises(BuildFileError, match="names no engine"):
        execution_of(configuration, "")
    with pytest.raises(BuildFileError, match="no address of a remote execution engine"):
        execution_of(configuration, "http://x")


def test_slurm(tmp_path: Path) -> None:
    text = """
        [slurm]
        partition = "fpga"
        account = "nn"
        options = ["--time=8:00:00"]
        poll_seconds = 2
        max_jobs = 8
        [slurm.rules]
        PlaceAndRoute = ["--mem=16G", "--cpus-per-task=2"]
        [slurm.licences]
        vivado = "xlnx@flex:1"
    """
    found = read_configuration(write(tmp_path, text)).slurm
    assert (found.partition, found.account, found.options) == ("fpga", "nn", ("--time=8:00:00",))
    assert found.rules == {"PlaceAndRoute": ("--mem=16G", "--cpus-per-task=2")}
    assert (found.licences, found.poll, found.max_jobs) == ({"vivado": "xlnx@flex:1"}, 2, 8)
    assert default_configuration(tmp_path).slurm == read_configuration(write(tmp_path, "[slurm]")).slurm


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[slurm]\nqueue = 'x'", r"\[slurm\] unknown entries: queue"),
        ("[slurm]\noptions = '--mem=8G'", r"\[slurm\] options is not a list of options of sbatch"),
        ("[slurm]\noptions = ['8G']", r"\[slurm\] options is not a list of options of sbatch"),
        ("[slurm]\noptions = ['--array=1-9']", "cannot have --array=1-9"),
        ("[slurm.rules]\nSynth = [1]", r"\[slurm.rules\] Synth is not a list of options"),
        ("[slurm.licences]\nvivado = 1", "a value that is not a text"),
        ("[slurm]\nmax_jobs = 0", "max_jobs is not a number from 1"),
        ("[remote_execution]\nurl = 'http://x'", "no address of a remote execution engine"),
        ("[remote_execution]\nurl = 'grpc://x'\nrole = 'read'", "unknown entries: role"),
        ("[remote_execution]\nurl = 'grpc://x'\ndownload = 'some'", "download is 'some'"),
        ("[remote_execution]\nurl = 'grpc://x'\nsend_properties = 1", "not a list of texts"),
        ("[remote_execution]\nurl = 'grpc://x'\nproperties = {a = 1}", "properties are not texts"),
        ("[store]\nsize = 1", r"\[store\] unknown entries: size"),
        ("stores = 1", "unknown entries: stores"),
        ("store = 1", "store is not a table"),
        ("[store]\nmax_size = 5", r"\[store\] max_size is not a text"),
        ("[store]\nmax_size = 'much'", "'much' is no size"),
        ("[remote]", r"\[remote\] url is missing"),
        ("[remote]\nurl = 'ftp://x'", "no address of a remote cache"),
        ("[remote]\nurl = 'http://'", "no address of a remote cache"),
        ("[remote]\nurl = 'ftp://me:secret@x'", "has credentials in it"),
        ("[remote]\nurl = 'http://me:secret@x'", "has credentials in it"),
        ("[remote]\nurl = 'http://x'\nrole = 'admin'", "role is 'admin'"),
        ("[remote]\nurl = 'http://x'\ntimeout = true", "timeout is not a number"),
        ("[remote]\nurl = 'http://x'\ntimeout = 0", "timeout is not a number"),
        ("[remote]\nurl = 'http://x'\ncredentials_file = 'a'\ncredentials_variable = 'B'", "two sources"),
        ("[store", "cannot be read"),
    ],
)
def test_bad_entries(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BuildFileError, match=message) as found:
        read_configuration(write(tmp_path, text))
    assert "finnmake.toml" in found.value.text
    assert "secret" not in found.value.text
