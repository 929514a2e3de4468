"""The locks of requirements: complete, pinned, hashed, and silent about where packages come from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", *(f"requirements-{name}.lock" for name in ("buildgrid", "buildstream", "qonnx")))
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]


def normalised(requirement: str) -> str:
    """The package's name as indexes spell it: ``Foo_Bar[x]>=1`` -> ``foo-bar``."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def text(lock: str) -> str:
    return (ROOT / lock).read_text(encoding="utf-8")


def pins(lock: str = "requirements.lock") -> dict[str, str]:
    """Package name -> its lines in the lock, all versions together."""
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", text(lock).strip()):
        name = normalised(block)
        found[name] = found.get(name, "") + block + "\n"
    return found


@pytest.mark.parametrize(
    "requirement",
    [
        requirement
        for group in (
            PROJECT["dependencies"],
            *(PROJECT["optional-dependencies"][e] for e in ("dev", "deploy", "interactive")),
        )
        for requirement in group
        if normalised(requirement) != "finnmake"
    ],
)
def test_every_declared_dependency_is_locked(requirement: str) -> None:
    assert normalised(requirement) in pins(), "run `make lock`"


@pytest.mark.parametrize("group", sorted(SETTINGS["dependency-groups"]))
def test_what_has_an_environment_of_its_own_is_locked(group: str) -> None:
    for requirement in SETTINGS["dependency-groups"][group]:
        assert normalised(requirement) in pins(f"requirements-{group}.lock"), "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_hashed(lock: str) -> None:
    for name, block in pins(lock).items():
        assert re.match(r"\S+==[\w.]+( |\n)", block), name
        assert "--hash=sha256:" in block, name


@pytest.mark.parametrize("lock", LOCKS)
def test_no_index_is_named(lock: str) -> None:
    assert not re.search(r"://|--index|--extra-index|--find-links", text(lock))


def test_training_packages_are_not_installed_for_a_build() -> None:
    assert not {"torch", "brevitas"} & pins().keys()
