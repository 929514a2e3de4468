"""Which source files and which distributions a Python function can depend on: its module's static import closure."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from finnmake.build.action import PythonCommand
from finnmake.build.digest import DigestMemo, FileDigest
from finnmake.build.state import State
from finnmake.errors import BuildFileError

_Folders = tuple[Path, ...]
_Loaded = list[tuple[str, frozenset[str]]]


@dataclass(frozen=True)
class Sources:
    """What the key of a Python command says of code.

    Attributes:
        files: path below the directory that holds the package, e.g. ``finnmake/graph/model.py`` -> file.
        paths: the same, where the files are.
        versions: distribution -> version, of the third-party packages that these files import.
        digest: one text that changes when any of these does.
        packages: the top-level packages and modules that the files may belong to.
    """

    files: Mapping[str, FileDigest]
    paths: Mapping[str, Path]
    versions: Mapping[str, str]
    digest: str
    packages: tuple[str, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules that the files are."""
        return tuple(name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in self.files)


@dataclass(frozen=True)
class _Imports:
    """Imports of one file: ``(module, name)`` pairs as written; name "" for plain ``import module``.

    ``on_demand`` are those in a module-level ``__getattr__``: they count only for who takes an attribute of the
    package.
    """

    eager: tuple[tuple[str, str], ...]
    on_demand: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Root:
    """Where a top-level package lies (a module ``x.py`` lies at ``x``), and whether in one of a command's folders."""

    path: Path | None
    local: bool


class SourceIndex:
    """Import closures, with each file parsed once per change (remembered in the state by the file's digest).

    Sees ``import`` and ``from`` statements anywhere in a file except below ``if TYPE_CHECKING``; not
    ``importlib.import_module``: code that a Python action runs must import what it uses by name.
    """

    def __init__(self, digests: DigestMemo, state: State) -> None:
        self._digests = digests
        self._state = state
        self._roots: dict[tuple[str, _Folders], _Root] = {}
        self._closures: dict[tuple[tuple[str, ...], tuple[str, ...], _Folders], Sources] = {}
        self._versions: dict[str, tuple[str, str]] = {}
        self._parsed: dict[Path, tuple[FileDigest, _Imports]] = {}
        self._located: dict[tuple[str, _Folders], Path | None] = {}
        self._loads: dict[tuple[str, _Folders], tuple[FileDigest, _Loaded]] = {}
        self._distributions: Mapping[str, list[str]] | None = None

    def of(self, command: PythonCommand) -> Sources:
        """The closure of a command's modules within its packages, as the files are when this is first asked.

        Raises:
            BuildFileError: a module is not there, or a file of the closure is not Python.
        """
        modules = (command.module, *command.modules)
        key = (modules, command.allowed_packages, command.folders)
        known = self._closures.get(key)
        if known is None:
            known = self._closures[key] = self._closure(*key)
        return known

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files that have been looked at."""
        return tuple(map(str, self._parsed))

    def unchanged(self, sources: Sources) -> bool:
        """Whether the files still have the bytes that their digests say."""
        try:
            return all(self._digests.file(sources.paths[name]) == file for name, file in sources.files.items())
        except OSError:
            return False

    def _closure(self, modules: tuple[str, ...], packages: tuple[str, ...], folders: _Folders) -> Sources:
        for module in modules:
            if self._locate(module, folders) is None:
                raise BuildFileError(
                    f"there is no module {module}", remedy="check the spelling and that its package is installed"
                )
        files: dict[str, FileDigest] = {}
        paths: dict[str, Path] = {}
        distributions: dict[str, str] = {}
        own = dict.fromkeys(packages)
        waiting = [name for module in modules for name in _with_parents(module)]
        seen = set(waiting)
        while waiting:
            name = waiting.pop()
            path = self._locate(name, folders)
            if path is None:
                continue
            file, loaded = self._loaded(name, path, folders)
            key = name.replace(".", "/") + ("/__init__.py" if path.name == "__init__.py" else ".py")
            files[key], paths[key] = file, path
            for top, found in loaded:
                if top in own or self._root(top, folders).local:
                    own[top] = None
                    waiting.extend(sorted(found - seen))
                    seen |= found
                elif top not in sys.stdlib_module_names:
                    distribution, version = self._version(top)
                    distributions[distribution] = version
        own.update((module.partition(".")[0], None) for module in modules)
        files = dict(sorted(files.items()))
        text = json.dumps([[(name, file.sha256) for name, file in files.items()], sorted(distributions.items())])
        return Sources(files, paths, dict(sorted(distributions.items())), text, tuple(own))

    def _loaded(self, name: str, path: Path, folders: _Folders) -> tuple[FileDigest, _Loaded]:
        """A file, and the modules that loading it loads, by their package."""
        known = self._loads.get((name, folders))
        if known is None:
            file, imports = self._imports(name, path)
            by_top: dict[str, set[str]] = {}
            for found in self._modules(imports.eager, folders):
                by_top.setdefault(found.partition(".")[0], set()).update(_with_parents(found))
            known = self._loads[name, folders] = (file, [(top, frozenset(found)) for top, found in by_top.items()])
        return known

    def _modules(self, pairs: Iterable[tuple[str, str]], folders: _Folders) -> Iterator[str]:
        """The modules that import statements load."""
        for module, name in pairs:
            yield module
            if not name or module.partition(".")[0] in sys.stdlib_module_names:
                continue
            if self._locate(f"{module}.{name}", folders) is not None:
                yield f"{module}.{name}"
            elif (path := self._locate(module, folders)) is not None and path.name == "__init__.py":
                yield from self._modules(self._imports(module, path)[1].on_demand, folders)

    def _root(self, top: str, folders: _Folders) -> _Root:
        known = self._roots.get((top, folders))
        if known is None:
            known = self._roots[top, folders] = _find_root(top, folders)
        return known

    def _locate(self, module: str, folders: _Folders) -> Path | None:
        if (module, folders) in self._located:
            return self._located[module, folders]
        top, _, rest = module.partition(".")
        base = self._root(top, folders).path
        found = None
        if base is not None:
            base = base.joinpath(*rest.split(".")) if rest else base
            for path in (base / "__init__.py", base.with_suffix(".py")):
                if path.is_file():
                    found = path
                    break
        self._located[module, folders] = found
        return found

    def _imports(self, module: str, path: Path) -> tuple[FileDigest, _Imports]:
        parsed = self._parsed.get(path)
        if parsed is not None:
            return parsed
        file = self._digests.look(path)
        text = self._state.memo("imports", str(path), file.sha256)
        if text is None:
            imports = _parse(module, path)
            self._state.record_memo("imports", str(path), file.sha256, json.dumps([imports.eager, imports.on_demand]))
        else:
            eager, on_demand = json.loads(text)
            imports = _Imports(tuple(map(tuple, eager)), tuple(map(tuple, on_demand)))
        self._parsed[path] = (file, imports)
        return file, imports

    def _version(self, top: str) -> tuple[str, str]:
        known = self._versions.get(top)
        if known is None:
            known = self._versions[top] = self._find_version(top)
        return known

    def _find_version(self, top: str) -> tuple[str, str]:
        from importlib.metadata import PackageNotFoundError, packages_distributions, version

        name = self._state.memo("distribution", top, sys.prefix) or top
        try:
            return name.replace("_", "-"), version(name)
        except PackageNotFoundError:
            pass
        if top not in sys.modules and find_spec(top) is None:
            return top, "not installed"
        # Slow (reads every installed package's list of files), so its answer is remembered.
        if self._distributions is None:
            self._distributions = packages_distributions()
        for name in sorted(set(self._distributions.get(top, ()))):
            self._state.record_memo("distribution", top, sys.prefix, name)
            return name, version(name)
        return top, "not installed"


def _with_parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _find_root(top: str, folders: _Folders) -> _Root:
    from importlib.machinery import PathFinder

    if top in sys.stdlib_module_names:
        return _Root(None, local=False)
    for folder in folders:
        if (folder / top).is_dir() or (folder / f"{top}.py").is_file():
            return _Root(folder / top, local=True)
    loaded = sys.modules.get(top)
    places = list(getattr(loaded, "__path__", ()) or ())
    if not places:
        specification = PathFinder.find_spec(top)
        if specification is not None:
            places = list(specification.submodule_search_locations or ())
            origin = specification.origin or ""
            if not places and origin.endswith(".py"):
                places = [origin.removesuffix(".py")]  # a package of one file
    return _Root(Path(places[0]) if places else None, local=False)


def _parse(module: str, path: Path) -> _Imports:
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise BuildFileError(f"is not Python: {error}", where=str(path)) from error
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    eager: set[tuple[str, str]] = set()
    on_demand: set[tuple[str, str]] = set()
    for statement in tree.body:
        lazy = isinstance(statement, ast.FunctionDef) and statement.name == "__getattr__"
        _collect(statement, package, on_demand if lazy else eager)
    return _Imports(tuple(sorted(eager)), tuple(sorted(on_demand)))


def _collect(node: ast.AST, package: str, found: set[tuple[str, str]]) -> None:
    if isinstance(node, ast.Import):
        found.update((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if node.level:
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1])
            module = f"{base}.{module}" if module else base
        found.update((module, alias.name) for alias in node.names)
    elif isinstance(node, ast.If) and _is_type_checking(node.test):
        for statement in node.orelse:
            _collect(statement, package, found)
    else:
        for child in ast.iter_child_nodes(node):
            _collect(child, package, found)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"
