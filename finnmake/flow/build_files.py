"""Loading build files."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from finnmake.errors import BuildFileError, FinnmakeError
from finnmake.flow.target import Target


def load_build_file(path: Path) -> dict[str, Target]:
    """The targets that a build file defines, by name.

    Raises:
        BuildFileError: the file is not there or cannot be executed.
    """
    if not path.is_file():
        raise BuildFileError(
            f"there is no {path.name} in {path.parent.absolute()}",
            remedy="Name the folder of a build file with -C, or an .onnx file to build.",
        )
    with contextlib.chdir(path.parent):
        folder = str(Path.cwd())
        before = set(sys.modules)
        # As with doit, a build file may import what lies beside it.
        sys.path.insert(0, folder)
        try:
            namespace = runpy.run_path(path.name)
        except FinnmakeError:
            raise
        except Exception as error:
            raise BuildFileError(f"{type(error).__name__}: {error}", where=_place_of(error, path)) from error
        finally:
            sys.path.remove(folder)
            _unload(set(sys.modules) - before, folder)
    # By identity: a build file may give one target two names.
    targets = {id(value): value for value in namespace.values() if isinstance(value, Target)}.values()
    by_name = {target.name: target for target in targets}
    if len(by_name) < len(targets):
        raise BuildFileError("two targets have the same name", where=str(path), remedy="Give one a name=.")
    in_folder: dict[Path, str] = {}
    for name, target in by_name.items():
        other = in_folder.setdefault(target.folder(), name)
        if other != name:
            raise BuildFileError(
                f"{other} and {name} have the same output folder {target.output}",
                where=str(path),
                remedy="Give one another output=.",
            )
    return by_name


def _unload(modules: Iterable[str], folder: str) -> None:
    """Forgets modules that lie beside a build file: another build file may have others of their names."""
    for name in modules:
        place = os.path.join(folder, name.partition(".")[0])  # noqa: PTH118
        file = str(getattr(sys.modules[name], "__file__", None) or "")
        if (file == f"{place}.py" or file.startswith(f"{place}{os.sep}")) and name.partition(".")[0] != "finnmake":
            del sys.modules[name]


def _place_of(error: Exception, path: Path) -> str:
    """``path:line`` of the last line of a build file that an error passed through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path.name]
    if isinstance(error, SyntaxError) and error.filename == path.name and error.lineno is not None:
        lines.append(error.lineno)
    line = lines[-1] if lines else None
    return str(path) if line is None else f"{path}:{line}"
