"""``finnmake.toml``: a workspace's store, the remote cache that it shares, what runs its actions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from finnmake.build.files import expanded
from finnmake.errors import BuildFileError

CONFIGURATION = "finnmake.toml"
DEFAULT_STORE = ".finnmake/store"
DEFAULT_SIZE = "20 GiB"

ROLES = ("read", "read-write")
DOWNLOADS = ("final", "all")

_UNITS = {"": 1, "B": 1, **{f"{p}iB": 1024**e for e, p in enumerate("KMGT", 1)}}
_UNITS |= {f"{prefix}B": 1000**exponent for exponent, prefix in enumerate("kMGT", 1)}
_SCHEMES = ("http", "https", "grpc", "grpcs")


@dataclass(frozen=True)
class RemoteConfiguration:
    """A remote cache, and how it is talked to.

    Attributes:
        url: ``http(s)://host:port/path`` for Bazel's HTTP protocol, ``grpc(s)://host:port`` for REAPI v2.
        role: ``read`` takes results, ``read-write`` also gives them.
        instance: REAPI instance name.
        credentials_file: file with one line: ``user:password`` or a bearer token.
        credentials_variable: environment variable with the same.
        ca_file: certificates (PEM) to trust in place of the system's.
        timeout: seconds without progress after which a request is given up.
        retries: how often a request is tried again, with growing pauses.
    """

    url: str
    role: str = "read"
    instance: str = ""
    credentials_file: Path | None = None
    credentials_variable: str | None = None
    ca_file: Path | None = None
    timeout: float = 30.0
    retries: int = 2

    @property
    def writes(self) -> bool:
        """Whether results are given to the remote."""
        return self.role == "read-write"


@dataclass(frozen=True)
class ExecutionConfiguration:
    """A remote execution engine.

    Attributes:
        remote: its address (REAPI v2), and how it is talked to.
        properties: platform properties that every action is sent with; they are in no key.
        send_properties: names of those of an action's own platform properties that are sent; None: all.
        download: ``all`` outputs, or the ``final`` ones and what is needed here on the way to them.
    """

    remote: RemoteConfiguration
    properties: Mapping[str, str] = field(default_factory=dict)
    send_properties: tuple[str, ...] | None = None
    download: str = "final"


@dataclass(frozen=True)
class SlurmConfiguration:
    """How tool actions are submitted to Slurm. Nothing of it is in any key.

    Attributes:
        partition: "" for Slurm's default.
        account: "" for Slurm's default.
        options: further options of ``sbatch``, for every job.
        rules: mnemonic of an action -> further options of ``sbatch``, such as memory and CPUs.
        licences: name of an action's licence -> what is asked of Slurm for it; ``NAME:1`` by default.
        poll: longest time between two looks at the jobs, in seconds.
        max_jobs: how many of a build's jobs Slurm has at a time.
    """

    partition: str = ""
    account: str = ""
    options: tuple[str, ...] = ()
    rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    licences: Mapping[str, str] = field(default_factory=dict)
    poll: float = 5.0
    max_jobs: int = 100


@dataclass(frozen=True)
class Configuration:
    """What ``finnmake.toml`` says; its defaults where there is none.

    Attributes:
        store: folder of the local store.
        store_size: bytes above which what has not been used for longest is removed; 0: no limit.
        remote: None where there is none.
        execution: engine that ``--remote-exec`` uses; None where there is none.
        slurm: what ``--executor slurm`` uses.
    """

    store: Path
    store_size: int
    remote: RemoteConfiguration | None = None
    execution: ExecutionConfiguration | None = None
    slurm: SlurmConfiguration = SlurmConfiguration()


def parse_size(text: str) -> int:
    """Bytes of a size such as ``500 MB``, ``20GiB`` or ``0``.

    Raises:
        BuildFileError: it is none.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2] not in _UNITS:
        raise BuildFileError(f"{text!r} is no size", remedy="for example 500 MB or 20 GiB; 0 for no limit")
    return int(float(match[1]) * _UNITS[match[2]])


def default_configuration(root: Path) -> Configuration:
    """Of a workspace without ``finnmake.toml``."""
    return Configuration(root / DEFAULT_STORE, parse_size(DEFAULT_SIZE))


def read_configuration(root: Path) -> Configuration:
    """What ``root/finnmake.toml`` says. Relative paths in it are relative to ``root``.

    Raises:
        BuildFileError: the file cannot be read, has an unknown entry or a value that makes no sense.
    """
    where = str(root / CONFIGURATION)
    try:
        content = tomllib.loads((root / CONFIGURATION).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BuildFileError(f"cannot be read: {error}", where=where) from error
    try:
        tables = _Table(content, "", ("store", "remote", "remote_execution", "slurm"))
        store = _Table(tables.table("store"), "store", ("path", "max_size"))
        path = root / expanded(Path(store.text("path", DEFAULT_STORE)))
        size = parse_size(store.text("max_size", DEFAULT_SIZE))
        remote = _remote(tables.table("remote"), root) if "remote" in content else None
        engine = tables.table("remote_execution")
        execution = _execution(engine, root) if "remote_execution" in content else None
        slurm = _slurm(tables.table("slurm"))
    except BuildFileError as error:
        raise BuildFileError(error.what, where=where, remedy=error.remedy) from None
    return Configuration(path, size, remote, execution, slurm)


_CONNECTION = ("url", "instance", "credentials_file", "credentials_variable", "ca_file", "timeout", "retries")


def _remote(content: Mapping[str, Any], root: Path) -> RemoteConfiguration:
    table = _Table(content, "remote", (*_CONNECTION, "role"))
    role = table.text("role", "read")
    if role not in ROLES:
        raise BuildFileError(f"[remote] role is {role!r}", remedy=f"say {' or '.join(ROLES)}")
    check_url(table.text("url"))
    return _connection(table, "remote", role, root)


def _execution(content: Mapping[str, Any], root: Path) -> ExecutionConfiguration:
    table = _Table(content, "remote_execution", (*_CONNECTION, "properties", "send_properties", "download"))
    check_engine_url(table.text("url"))
    properties = table.table("properties")
    if not all(isinstance(value, str) for value in properties.values()):
        raise BuildFileError("[remote_execution] properties are not texts")
    names = content.get("send_properties")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise BuildFileError("[remote_execution] send_properties is not a list of texts")
    download = table.text("download", DOWNLOADS[0])
    if download not in DOWNLOADS:
        raise BuildFileError(f"[remote_execution] download is {download!r}", remedy=f"say {' or '.join(DOWNLOADS)}")
    connection = _connection(table, "remote_execution", "read-write", root)
    return ExecutionConfiguration(connection, dict(properties), None if names is None else tuple(names), download)


def _slurm(content: Mapping[str, Any]) -> SlurmConfiguration:
    names = ("partition", "account", "options", "rules", "licences", "poll_seconds", "max_jobs")
    table = _Table(content, "slurm", names)
    licences = table.table("licences")
    if not all(isinstance(text, str) for text in licences.values()):
        raise BuildFileError("[slurm.licences] has a value that is not a text", remedy='for example vivado = "xlnx:1"')
    return SlurmConfiguration(
        table.text("partition", ""),
        table.text("account", ""),
        _sbatch_options(content.get("options", []), "[slurm] options"),
        {rule: _sbatch_options(options, f"[slurm.rules] {rule}") for rule, options in table.table("rules").items()},
        dict(licences),
        table.number("poll_seconds", 5.0, 0.1, 3600),
        int(table.number("max_jobs", 100, 1, 100_000)),
    )


def _sbatch_options(options: Any, what: str) -> tuple[str, ...]:
    if not isinstance(options, list) or not all(isinstance(text, str) and text.startswith("-") for text in options):
        raise BuildFileError(
            f"{what} is not a list of options of sbatch", remedy='one text an option, for example ["--mem=8G"]'
        )
    for text in options:
        # One action is one job, whose script is the build's.
        if text.startswith(("-a", "--array", "--wrap", "-W", "--wait", "--test-only", "--requeue")):
            raise BuildFileError(f"{what} cannot have {text}", remedy="leave it out")
    return tuple(options)


def _connection(table: _Table, name: str, role: str, root: Path) -> RemoteConfiguration:
    credentials = table.optional_path("credentials_file", root), table.optional_text("credentials_variable")
    if all(credentials):
        raise BuildFileError(f"[{name}] names two sources of credentials", remedy="name a file or a variable")
    return RemoteConfiguration(
        table.text("url"),
        role,
        table.text("instance", ""),
        *credentials,
        table.optional_path("ca_file", root),
        table.number("timeout", 30.0, 0.1, 3600),
        int(table.number("retries", 2, 0, 10)),
    )


def execution_of(configuration: Configuration, url: str) -> ExecutionConfiguration:
    """The engine that ``--remote-exec URL`` stands for; "" for that of the configuration.

    Raises:
        BuildFileError: there is none, or its address is none.
    """
    if not url:
        if configuration.execution is None:
            raise BuildFileError(
                "--remote-exec without an address, and finnmake.toml names no engine",
                remedy="say --remote-exec=grpc://host:port, or write [remote_execution] url",
            )
        return configuration.execution
    check_engine_url(url)
    if configuration.execution is None:
        return ExecutionConfiguration(RemoteConfiguration(url, "read-write"))
    return replace(configuration.execution, remote=replace(configuration.execution.remote, url=url))


def check_engine_url(url: str) -> None:
    """Checks the address of an engine.

    Raises:
        BuildFileError: as ``check_url``; or it is not spoken to by gRPC.
    """
    check_url(url)
    if not url.startswith("grpc"):
        raise BuildFileError(
            f"{url!r} is no address of a remote execution engine", remedy="grpc://host:port or grpcs://…"
        )


def check_url(url: str) -> None:
    """Checks the address of a remote cache.

    Raises:
        BuildFileError: its scheme is unknown, it has no host, or a password in it, which would end in logs.
    """
    if "@" in url:
        raise BuildFileError(
            "the address of the remote cache has credentials in it",
            remedy="put them in a file and name it: [remote] credentials_file",
        )
    match = re.fullmatch(r"([a-z]+)://([^/?#]+)([^?#]*)", url)
    if match is None or match[1] not in _SCHEMES:
        raise BuildFileError(
            f"{url!r} is no address of a remote cache",
            remedy="http://host:port/path or https://… (Bazel's HTTP protocol), grpc://host:port or grpcs://… (REAPI)",
        )


class _Table:
    """One table of the file, its entries checked as they are asked for."""

    def __init__(self, content: Mapping[str, Any], name: str, known: tuple[str, ...]) -> None:
        self._content = content
        self._prefix = f"[{name}] " if name else ""
        unknown = sorted(set(content) - set(known))
        if unknown:
            raise BuildFileError(
                f"{self._prefix}unknown entries: {', '.join(unknown)}", remedy=f"known: {', '.join(known)}"
            )

    def table(self, name: str) -> Mapping[str, Any]:
        found = self._content.get(name, {})
        if not isinstance(found, dict):
            raise BuildFileError(f"{name} is not a table", remedy=f"write [{name}] on a line of its own")
        return found

    def text(self, name: str, default: str | None = None) -> str:
        found = self._content.get(name, default)
        if not isinstance(found, str):
            raise BuildFileError(f"{self._prefix}{name} is {'missing' if found is None else 'not a text'}")
        return found

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if name in self._content else None

    def optional_path(self, name: str, root: Path) -> Path | None:
        text = self.optional_text(name)
        return None if text is None else root / expanded(Path(text))

    def number(self, name: str, default: float, least: float, most: float) -> float:
        found = self._content.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int | float) or not least <= found <= most:
            raise BuildFileError(f"{self._prefix}{name} is not a number from {least:g} to {most:g}")
        return float(found)
