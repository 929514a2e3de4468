"""Reading the manifest of layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finnmake.errors import BuildFileError
from finnmake.flow.manifest import MANIFEST_FORMAT, read_manifest


def test_no_manifest_yet(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "manifest.json") is None


def test_manifest_of_another_version_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"format": MANIFEST_FORMAT - 1}))
    assert read_manifest(path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"format": MANIFEST_FORMAT}), "nonsense"])
def test_damaged_manifest(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(BuildFileError, match="not a manifest"):
        read_manifest(path)
