"""How large a tensor may be, said before anything allocates it: a few bytes of a file can ask for terabytes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx_ir as ir

from finnmake.errors import ModelError

LARGEST_TENSOR = 1 << 31
"""Bytes. Protobuf holds no more in one message, and no accelerator wants a tensor like it."""


def check_size(
    shape: Sequence[int], dtype: ir.DataType | None, where: str, largest: int = LARGEST_TENSOR, *, empty: bool = False
) -> None:
    """Refuses a shape without elements, and one of more than ``largest`` bytes.

    Args:
        shape: of the tensor.
        dtype: of its elements; four bytes each where it is not known.
        where: for the message.
        largest: bytes.
        empty: allow a shape without elements.

    Raises:
        ModelError: says which of the two.
    """
    elements = math.prod(shape)
    if any(dim < 0 for dim in shape) or (elements == 0 and not empty):
        raise ModelError(
            f"a tensor of shape {list(shape)} has no elements",
            where=where,
            remedy="Export the model with an input shape in which every dimension has a size.",
        )
    size = elements * (dtype.itemsize if dtype is not None and dtype != ir.DataType.STRING else 4)
    if size > largest:
        raise ModelError(
            f"a tensor of shape {list(shape)} takes {size / (1 << 30):.3g} GiB (limit {largest / (1 << 30):.3g} GiB)",
            where=where,
            remedy="The file is damaged, or the network is none for an FPGA: check the shapes that it was made with.",
        )
