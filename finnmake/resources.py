"""Where the data that ships with finnmake lies: rules, kernels, boards, templates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import finnmake
from finnmake.errors import BuildFileError


@dataclass(frozen=True)
class Resources:
    """Folders of data files, in a checkout or in the installed package.

    Attributes:
        driver: the host's driver: a Python file that goes into the deploy folder as it is.
    """

    rules: Path
    hls_library: Path
    boards: Path
    templates: Path
    driver: Path


def find_resources() -> Resources:
    """The folders beside the package in a checkout, or inside of it when it was installed from a wheel.

    Raises:
        BuildFileError: where they are not found.
    """
    package = Path(finnmake.__file__).resolve().parent
    for base in (package / "_data", package.parent):
        if (base / "hls_library").is_dir() and (base / "rules").is_dir() and (base / "boards").is_dir():
            return Resources(
                base / "rules",
                base / "hls_library",
                base / "boards",
                package / "codegen" / "templates",
                package / "deploy" / "driver.py",
            )
    raise BuildFileError(
        "the installation lacks rules, kernels and boards", where=str(package), remedy="Install finnmake again."
    )
