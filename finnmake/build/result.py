"""The result of an action: which blobs it produced. Written as a REAPI ``ActionResult``: any cache server takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finnmake.build.digest import Digest, FileDigest, digest_of_bytes
from finnmake.errors import StoreError

if TYPE_CHECKING:
    # At run time imported where it is used: a build that has nothing to do does not pay for protobuf.
    from finnmake.build.reapi import remote_execution_pb2 as reapi_types


@dataclass(frozen=True)
class ActionResult:
    """What an action produced.

    Attributes:
        files: (scratch path, file) of every output file, those inside directory outputs too, in order of path.
        directories: scratch paths of the directory outputs, each ending in "/".
    """

    files: tuple[tuple[str, FileDigest], ...]
    directories: tuple[str, ...] = ()


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


def decode(data: bytes, get_bytes: Callable[[Digest], bytes]) -> ActionResult:
    """Read a REAPI ``ActionResult``.

    Args:
        data: the serialised message.
        get_bytes: fetches a ``Tree`` blob.

    Raises:
        StoreError: the message or one of its trees makes no sense.
    """
    from google.protobuf.message import DecodeError

    from finnmake.build.reapi import remote_execution_pb2 as reapi

    files: dict[str, FileDigest] = {}
    directories = []
    try:
        message = reapi.ActionResult.FromString(data)
        for file in message.output_files:
            files[file.path] = FileDigest(file.digest.hash, file.digest.size_bytes, file.is_executable)
        for output in message.output_directories:
            tree = reapi.Tree.FromString(get_bytes(Digest(output.tree_digest.hash, output.tree_digest.size_bytes)))
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
    directory: reapi_types.Directory,
    prefix: str,
    children: Mapping[str, reapi_types.Directory],
    files: dict[str, FileDigest],
) -> None:
    for file in directory.files:
        files[prefix + file.name] = FileDigest(file.digest.hash, file.digest.size_bytes, file.is_executable)
    for child in directory.directories:
        _walk(children[child.digest.hash], f"{prefix}{child.name}/", children, files)
