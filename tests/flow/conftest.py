"""A finnmake of its own, and projects that are built once for all tests and all of their processes."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import Installation
from tests.support.project import Project

NewProject = Callable[..., Project]


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder that all processes of this run of pytest share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(request.config, "workerinput") else base


def _once(folder: Path, make: Callable[[], object]) -> None:
    """Makes something unless another process has; waits where it is at it."""
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder.with_suffix(".done")
        if not done.exists():
            make()
            done.touch()


@pytest.fixture(scope="session")
def installation(shared_folder: Path) -> Installation:
    """The finnmake that the tests run."""
    site = shared_folder / "site"
    _once(site, lambda: Installation.copied(site))
    return Installation(site)


@pytest.fixture(scope="session")
def built_session(shared_folder: Path, installation: Installation) -> Project:
    """The project built until ``stitched``; not to be changed."""
    folder = shared_folder / "stitched"
    _once(folder, lambda: Project.create(folder, installation).build("--until", "stitched"))
    return Project(folder, installation)


@pytest.fixture(scope="session")
def bitstream_session(shared_folder: Path, built_session: Project) -> Project:
    """The project built down to the bitstream; not to be changed."""
    folder = shared_folder / "bitstream"
    _once(folder, lambda: built_session.copied(folder).build())
    return Project(folder, built_session.installation)


@pytest.fixture
def built(tmp_path: Path, built_session: Project) -> Project:
    """A copy of the project that is built until ``stitched``."""
    return built_session.copied(tmp_path / "project")


@pytest.fixture
def bitstream(tmp_path: Path, bitstream_session: Project) -> Project:
    """A copy of the project that is built down to the bitstream."""
    return bitstream_session.copied(tmp_path / "project")


@pytest.fixture
def project(tmp_path: Path, installation: Installation) -> Project:
    """A project that nothing has been built of."""
    return Project.create(tmp_path / "project", installation)
