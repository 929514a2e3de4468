"""Files at relative paths as a REAPI ``Directory`` tree."""

from __future__ import annotations

from collections.abc import Mapping

from finnmake.build.digest import FileDigest, digest_of_bytes


def merkle_tree(files: Mapping[str, FileDigest]) -> tuple[str, dict[str, bytes]]:
    """Build the tree.

    Args:
        files: relative POSIX path -> file.

    Returns:
        The SHA-256 of the root ``Directory`` and, by SHA-256, every serialised ``Directory`` of the tree.
    """
    nested: dict[str, object] = {}
    for path, file in files.items():
        *folders, name = path.split("/")
        here = nested
        for folder in folders:
            here = here.setdefault(folder, {})  # type: ignore[assignment]
        here[name] = file
    blobs: dict[str, bytes] = {}
    return _directory(nested, blobs)[0], blobs


def _directory(nested: dict[str, object], blobs: dict[str, bytes]) -> tuple[str, int]:
    from finnmake.build.reapi import remote_execution_pb2 as reapi

    message = reapi.Directory()
    # REAPI wants the nodes of each kind sorted by name, or two equal trees would have two digests.
    for name in sorted(nested):
        node = nested[name]
        if isinstance(node, FileDigest):
            message.files.add(
                name=name,
                digest=reapi.Digest(hash=node.sha256, size_bytes=node.size),
                is_executable=node.executable,
            )
        else:
            sha256, size = _directory(node, blobs)  # type: ignore[arg-type]
            message.directories.add(name=name, digest=reapi.Digest(hash=sha256, size_bytes=size))
    data = message.SerializeToString(deterministic=True)
    digest = digest_of_bytes(data)
    blobs[digest.sha256] = data
    return digest
