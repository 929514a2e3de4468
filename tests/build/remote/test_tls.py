"""TLS with certificates of one's own: nginx as a cache, and nginx before buildbox-casd."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.build.conftest import Project
from tests.build.remote.test_sharing import RIGHT, project, tasks
from tests.support.cache_servers import casd_server, nginx_server, tls_proxy

TOKEN = "correct-horse-battery-staple"


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own, and a server's certificate that it has signed."""

    ca: Path
    certificate: Path
    key: Path


def authority(folder: Path) -> Authority:
    """Makes one with the openssl command."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed (apt install openssl)")
    folder.mkdir()
    new = [openssl, "req", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    ca = ["-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority of a test"]
    asked = ["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=cache"]
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    signed = ["-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
    sign = [openssl, "x509", "-req", *signed, "-extfile", "names", "-out", "server.pem"]
    for command in ([*new, *ca], [*new, *asked], sign):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return Authority(folder / "ca.pem", folder / "server.pem", folder / "server.key")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(params=["http", "grpc"])
def address(request: pytest.FixtureRequest, ours: Authority, tmp_path: Path) -> Iterator[str]:
    """Address of a cache that speaks TLS and wants a token."""
    access = f'if ($http_authorization != "Bearer {TOKEN}") {{ return 401; }}'
    with ExitStack() as stack:
        if request.param == "http":
            server = stack.enter_context(nginx_server(tmp_path / "nginx", access, (ours.certificate, ours.key)))
            yield server.url
        else:
            behind = stack.enter_context(casd_server(tmp_path / "casd")).url.removeprefix("grpc://")
            yield stack.enter_context(tls_proxy(tmp_path / "proxy", ours.certificate, ours.key, behind, access))


def made(folder: Path, url: str, ca: Path | None, token: str = TOKEN) -> Project:
    trust = f'ca_file = "{ca}"\n' if ca else ""
    new = project(folder, url, more=f'credentials_file = "secret"\n{trust}')
    new.write("secret", f"{token}\n")
    return new


def test_a_certificate_of_ones_own_is_trusted_where_it_is_named(
    address: str, ours: Authority, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert made(tmp_path / "first", address, ours.ca).build(tasks()) == {"double": "run"}
    second = made(tmp_path / "second", address, ours.ca)
    assert second.build(tasks()) == {"double": "remote"}
    assert second.read("build/two.txt") == RIGHT
    assert capfd.readouterr().err == ""
    for folder in ("first", "second"):
        for file in (tmp_path / folder).rglob("*"):
            if file.is_file() and file.name != "secret":
                assert TOKEN.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("trusted", ["the system's", "another's"])
def test_a_certificate_that_nobody_vouches_for_costs_one_warning(
    address: str, trusted: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ca = authority(tmp_path / "another").ca if trusted == "another's" else None
    new = made(tmp_path / "new", address, ca)
    assert new.build(tasks()) == {"double": "run"}
    assert new.read("build/two.txt") == RIGHT
    said = capfd.readouterr().err
    assert said.count("goes on without the remote cache") == 1
    assert "ssl_transport" not in said, "lines of gRPC itself"
    assert TOKEN not in said


def test_a_wrong_token_is_refused_and_not_repeated(
    address: str, ours: Authority, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    new = made(tmp_path / "new", address, ours.ca, "another-token")
    assert new.build(tasks()) == {"double": "run"}
    said = capfd.readouterr().err
    assert said.count("goes on without the remote cache") == 1
    assert "check [remote] credentials" in said
    assert "another-token" not in said
