"""The result of an action: which blobs it produced. Written as a REAPI ``ActionResult``: any cache server takes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finnmake.build.digest import Digest, FileDigest, digest_of_bytes
from finnmake.errors import StoreError

if TYPE_CHECKING:
    # At run time imported where it is used: a build that has nothing to do does not pay for protobuf.
    from finnmake.build.reapi import remote_execution_pb2 as reapi_types

_MOST_FILES = 100_000
_LONGEST_PATH = 4096


@dataclass(frozen=True)
class ActionResult:
    """What an action produced.

    Attributes:
        files: (scratch path, file) of every output file, those inside directory outputs too, in order of path.
        directories: scratch paths of the directory outputs, each ending in "/".
    """

    files: tuple[tuple[str, FileDigest], ...]
    directories: tuple[str, ...] = ()

    def has(self, outputs: Collection[str]) -> bool:
        """Whether it has these declared outputs and no others."""
        declared = {path for path in outputs if path.endswith("/")}
        files = {path for path, _ in self.files if not path.startswith(tuple(declared))}
        return set(self.directories) == declared and files == set(outputs) - declared


def encode(result: ActionResult, put_bytes: Callable[[bytes], Digest]) -> bytes:
    """Serialise to a REAPI ``ActionResult``; its directory outputs become ``Tree`` blobs, stored with ``put_bytes``."""
    from finnmake.build.reapi import remote_execution_pb2 as reapi

    message = reapi.ActionResult()
    for path, file in result.files:
        if not any(path.startswith(directory) for directory in result.directories):
            message.output_files.add(
                path=path, digest=reapi.Digest(hash=file.sha256, size_bytes=file.size), is_executable=file.executable
            )
    for directory in sorted(result.directories):
        inside = {path[len(directory) :]: file for path, file in result.files if path.startswith(directory)}
        tree = _tree(inside)
        digest = put_bytes(tree)
        message.output_directories.add(
            path=directory.removesuffix("/"), tree_digest=reapi.Digest(hash=digest.sha256, size_bytes=digest.size)
        )
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def _tree(files: dict[str, FileDigest]) -> bytes:
    from finnmake.build.merkle import merkle_tree
    from finnmake.build.reapi import remote_execution_pb2 as reapi

    root, blobs = merkle_tree(files)
    tree = reapi.Tree(root=reapi.Directory.FromString(blobs[root]))
    # Each directory once, children in the order of their digests: the same tree has the same bytes wherever it is
    # built.
    for digest in sorted(blobs):
        if digest != root:
            tree.children.append(reapi.Directory.FromString(blobs[digest]))
    data: bytes = tree.SerializeToString(deterministic=True)
    return data


def directories_of(tree: bytes) -> list[bytes]:
    """The serialised ``Directory`` messages of a ``Tree`` that ``encode`` has made."""
    from finnmake.build.reapi import remote_execution_pb2 as reapi

    message = reapi.Tree.FromString(tree)
    return [bytes(each.SerializeToString(deterministic=True)) for each in (message.root, *message.children)]


def decode(data: bytes, get_bytes: Callable[[Digest], bytes]) -> ActionResult:
    """Read a REAPI ``ActionResult``.

    Args:
        data: the serialised message.
        get_bytes: fetches a ``Tree`` blob.

    Raises:
        StoreError: the message or one of its trees makes no sense, or names a file outside of its folder.
    """
    from google.protobuf.message import DecodeError

    from finnmake.build.reapi import remote_execution_pb2 as reapi

    files: dict[str, FileDigest] = {}
    directories = []
    try:
        message = reapi.ActionResult.FromString(data)
        for file in message.output_files:
            _check_path(file.path)
            files[file.path] = _file(file)
        for output in message.output_directories:
            _check_path(output.path)
            tree = reapi.Tree.FromString(get_bytes(_digest(output.tree_digest)))
            children = {_digest_of(child): child for child in tree.children}
            directories.append(f"{output.path}/")
            _walk(tree.root, f"{output.path}/", children, files)
    except (DecodeError, KeyError) as error:
        raise StoreError(f"an action result cannot be read: {error!r}") from error
    if message.exit_code != 0 or not (files or directories):
        raise StoreError("an action result has no outputs or is that of a failed action")
    return ActionResult(tuple(sorted(files.items())), tuple(sorted(directories)))


def _digest_of(directory: reapi_types.Directory) -> str:
    return digest_of_bytes(directory.SerializeToString(deterministic=True)).sha256


def _walk(
    root: reapi_types.Directory,
    prefix: str,
    children: Mapping[str, reapi_types.Directory],
    files: dict[str, FileDigest],
) -> None:
    waiting = [(root, prefix)]
    folders = 0
    while waiting:
        directory, path = waiting.pop()
        folders += 1
        for file in directory.files:
            _check_name(file.name)
            files[path + file.name] = _file(file)
        for child in directory.directories:
            _check_name(child.name)
            waiting.append((children[child.digest.hash], f"{path}{child.name}/"))
        # A small tree that names the same folder again and again stands for more than there is room for.
        if folders + len(files) > _MOST_FILES or len(path) > _LONGEST_PATH:
            raise StoreError("an action result has too many files or folders")


def _file(node: reapi_types.FileNode | reapi_types.OutputFile) -> FileDigest:
    return FileDigest(*_digest(node.digest), node.is_executable)


def _digest(digest: reapi_types.Digest) -> Digest:
    # It becomes part of a path.
    if not re.fullmatch("[0-9a-f]{64}", digest.hash) or digest.size_bytes < 0:
        raise StoreError(f"an action result names the blob {digest.hash!r}")
    return Digest(digest.hash, digest.size_bytes)


def _check_path(path: str) -> None:
    for name in path.split("/"):
        _check_name(name)


def _check_name(name: str) -> None:
    """Names come from a remote: none may lead out of the folder that the outputs go to."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise StoreError(f"an action result names the file {name!r}")
