"""All custom ops that there are: those of QONNX, and those that installed packages bring.

Your own op takes a class and three lines, see ``finnmake.graph.entry_points``. Or give it where it is needed:
``custom_ops=REGISTERED_OPS.extended({(domain, op_type): MyOp()})``.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import CustomOp, CustomOps
from finnmake.graph.entry_points import GROUP, CustomOpEntry, custom_op_entries
from finnmake.graph.general_ops import GENERAL_OPS, QUANTISER_DOMAINS

Ops = Mapping[tuple[str, str], CustomOp]


class RegisteredOps(CustomOps):
    """QONNX' ops, and behind them those of installed packages, which are looked for where an op is not QONNX'."""

    def find(self, node: ir.Node) -> CustomOp | None:
        """The op of a node, None for standard and unknown ops.

        Raises:
            ModelError: where an installed package's ops cannot be loaded.
        """
        found = super().find(node)
        if found is None and node.domain not in ("", "ai.onnx"):
            found = installed_ops().get((node.domain, node.op_type))
        return found

    def extended(self, ops: Ops) -> CustomOps:
        """This table and ``ops``."""
        return RegisteredOps({**self.table, **ops})

    def names(self) -> list[tuple[str, str]]:
        """All (domain, op type), sorted."""
        return sorted({*self.table, *installed_ops()})


REGISTERED_OPS: CustomOps = RegisteredOps(GENERAL_OPS.table)
"""The table that is used where none is given."""


@functools.cache
def installed_ops() -> Ops:
    """The ops that installed packages bring; read once, as packages are.

    Raises:
        ModelError: for an entry that cannot be imported or is no op, and for an op that two packages bring or that is
            one of QONNX; names the package.
    """
    ops: dict[tuple[str, str], CustomOp] = {}
    owners: dict[tuple[str, str], str] = {}
    for entry in custom_op_entries():
        for key, op in _load(entry).items():
            if key in owners or key[0] in ("", "ai.onnx", *QUANTISER_DOMAINS):
                owner = owners.get(key, "ONNX or QONNX")
                raise ModelError(
                    f"brings the op {key[0]}::{key[1]}, whose place is taken by {owner}",
                    where=_where(entry),
                    remedy="Give the op a domain of its own, or remove one of the packages.",
                )
            ops[key], owners[key] = op, entry.package
    return ops


def _load(entry: CustomOpEntry) -> Ops:
    found: Any
    module, _, attribute = entry.value.partition(":")
    try:
        found = importlib.import_module(module.strip())
        for name in attribute.strip().split("."):
            found = getattr(found, name)
        loaded: Any = found() if isinstance(found, type) and issubclass(found, CustomOp) else found
    except Exception as problem:  # noqa: BLE001 - another's code runs here; whatever it raises, the user hears whose it is
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        raise ModelError(
            f"its custom ops cannot be loaded: {reason}",
            where=_where(entry),
            remedy="Repair the package, or uninstall it.",
        ) from None
    if isinstance(loaded, CustomOp):
        domain, _, op_type = entry.name.rpartition(".")
        loaded = {(domain, op_type): loaded}
    if isinstance(loaded, Mapping) and all(_is_op(*item) for item in loaded.items()):
        return loaded
    raise ModelError(
        "is no mapping of (domain, op type) to CustomOp objects, and no CustomOp",
        where=_where(entry),
        remedy='Write OPS = {("my.domain", "MyOp"): MyOp()}.',
    )


def _is_op(key: object, op: object) -> bool:
    return (
        isinstance(key, tuple)
        and len(key) == 2
        and all(isinstance(part, str) and part for part in key)
        and isinstance(op, CustomOp)
    )


def _where(entry: CustomOpEntry) -> str:
    return f"package {entry.package} {entry.version}, entry point {GROUP}: {entry.name} = {entry.value}"
