"""Tensors in files beside the graph: ONNX external data, named by content.

A tensor larger than 1 KiB is written once to ``tensors/<SHA-256 of its raw bytes>``; a transformation that leaves a
weight alone writes the same name again, which is there already or copied without being hashed.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.limits import check_size

FOLDER = "tensors"
INLINE_LIMIT = 1024
"""Bytes up to which a tensor stays in the graph file."""
_MAP_LIMIT = 1 << 20
"""Bytes from which a file is mapped rather than read."""
_CONTENT_NAME = re.compile(rf"{FOLDER}/([0-9a-f]{{64}})")


class FileTensor(ir.Tensor[NDArray[Any]]):
    """A tensor that came from ``tensors/<digest>`` and still has those bytes."""

    def __init__(self, array: NDArray[Any], path: Path, digest: str, name: str | None) -> None:
        super().__init__(array, name=name)
        self.path = path
        self.digest = digest


def read_external(tensor: ir.ExternalTensor, folder: Path) -> ir.TensorProtocol:
    """The external tensor's content; large files are mapped, not read.

    Args:
        tensor: as the graph file describes it.
        folder: of the graph file; the tensor's file must lie in it.

    Raises:
        ModelError: where the file is missing, too short, or outside of ``folder``.
    """
    location = os.fspath(tensor.location)
    where = f"tensor {tensor.name}"
    path = folder / location
    try:
        inside = not Path(location).is_absolute() and path.resolve().is_relative_to(folder.resolve())
        there = path.is_file()
    except (OSError, ValueError):  # a name too long, or with a null byte
        inside, there = True, False
    if not inside:
        raise ModelError(
            f"its external data {location!r} lies outside of the model's folder",
            where=where,
            remedy="Keep external data beside the model file, with a relative location.",
        )
    if not there:
        raise ModelError(
            f"its external data file {location!r} is missing",
            where=where,
            remedy="Copy the data file beside the model file, under this name.",
        )
    shape = tuple(int(dim) for dim in tensor.shape.numpy())
    check_size(shape, tensor.dtype, where, empty=True)
    try:
        dtype = tensor.dtype.numpy()
    except (TypeError, ValueError, KeyError):
        raise ModelError(
            f"is external data of the type {tensor.dtype.name}", where=where, remedy="Export the model again."
        ) from None
    offset, size = tensor.offset or 0, math.ceil(math.prod(shape) * tensor.dtype.itemsize)
    if offset < 0 or path.stat().st_size < offset + size or (tensor.length is not None and tensor.length != size):
        raise ModelError(
            f"its external data file {location!r} does not hold {size} bytes at offset {offset}",
            where=where,
            remedy="The file is truncated or belongs to another model: export the model again.",
        )
    if tensor.dtype.bitwidth < 8:
        return _packed(tensor, shape, path, offset, size)
    little = dtype.newbyteorder("<")
    if size == 0:
        array = np.empty(shape, dtype=little)
    elif size < _MAP_LIMIT:
        array = np.fromfile(path, dtype=little, count=size // dtype.itemsize, offset=offset).reshape(shape)
    else:
        array = np.memmap(path, dtype=little, mode="r", offset=offset, shape=shape)
    match = _CONTENT_NAME.fullmatch(location)
    if match and offset == 0 and path.stat().st_size == size:
        return FileTensor(array, path, match[1], tensor.name)
    return ir.Tensor(array, name=tensor.name)


def _packed(tensor: ir.ExternalTensor, shape: tuple[int, ...], path: Path, offset: int, size: int) -> ir.TensorProtocol:
    """Elements of less than a byte, several in one."""
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(size)
    proto = onnx.TensorProto(name=tensor.name or "", data_type=int(tensor.dtype), dims=shape, raw_data=content)
    return ir.serde.deserialize_tensor(proto)


def write_external(tensor: ir.TensorProtocol, folder: Path) -> ir.ExternalTensor:
    """Writes a tensor's bytes below ``folder`` under their digest, unless they are there.

    Returns:
        The tensor that refers to the file.
    """
    if isinstance(tensor, FileTensor):
        digest = tensor.digest
        target = folder / FOLDER / digest
        if not target.exists():
            _place(target, tensor.path)
    else:
        content = tensor.tobytes()
        digest = hashlib.sha256(content).hexdigest()
        target = folder / FOLDER / digest
        if not target.exists():
            _place(target, content)
    return ir.ExternalTensor(
        f"{FOLDER}/{digest}",
        0,
        tensor.nbytes,
        tensor.dtype,
        shape=ir.Shape(tensor.shape.numpy()),
        name=tensor.name or "",
    )


def _place(target: Path, content: bytes | Path) -> None:
    """Appears whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".")
    with os.fdopen(handle, "wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            with content.open("rb") as source:
                shutil.copyfileobj(source, file)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(target)
