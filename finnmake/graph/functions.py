"""Model-local functions are written out where they are called: everything else sees one flat graph."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
import onnx_ir as ir
from onnx_ir.passes import PreconditionError
from onnx_ir.passes.common import InlinePass

from finnmake.errors import ModelError

_MOST_NODES = 1 << 20
"""Functions that call functions can stand for any number of nodes: forty of them for a million million."""


def inline_functions(model: ir.Model, where: str) -> None:
    """Replaces calls of model-local functions by the functions' nodes, in place. The function of the model stays.

    Args:
        model: in memory.
        where: for messages.

    Raises:
        ModelError: for functions that call each other in a circle, that stand for more than a million nodes, or whose
            ops mean something else in the model's opset.
    """
    if not model.functions:
        return
    try:
        if _expanded(model) > _MOST_NODES:
            raise ModelError(
                f"its functions stand for more than {_MOST_NODES} nodes", where=where, remedy="Export the model again."
            )
        for function in model.functions.values():
            _same_opsets(function, model, where)
        InlinePass()(model)
    except (PreconditionError, RecursionError, ValueError, TypeError, KeyError) as problem:
        raise ModelError(
            f"its model-local functions cannot be written out: {problem}",
            where=where,
            remedy="Export without functions (dynamo=False), or inline them with onnx.inliner.inline_local_functions.",
        ) from None


def _expanded(model: ir.Model) -> int:
    """How many nodes the graph has with all functions written out, as far as that is below the limit."""
    sizes: dict[tuple[str, str, str], int] = {}

    def total(nodes: Iterable[ir.Node]) -> int:
        return min(sum(size(node.op_identifier()) for node in nodes), _MOST_NODES + 1)

    def size(identifier: tuple[str, str, str]) -> int:
        function = model.functions.get(identifier)
        if function is None:
            return 1
        if identifier not in sizes:
            sizes[identifier] = _MOST_NODES + 1  # a circle is as good as endless
            sizes[identifier] = total(function)
        return sizes[identifier]

    return total(model.graph)


def _same_opsets(function: ir.Function, model: ir.Model, where: str) -> None:
    """Lets a function of another opset have the model's, where its ops are the same in both."""
    for domain, version in list(function.opset_imports.items()):
        wanted = model.opset_imports.get(domain, version)
        if version == wanted:
            continue
        for node in function:
            if node.domain == domain and _since(node.op_type, domain, version) != _since(node.op_type, domain, wanted):
                raise ModelError(
                    f"{node.op_type} is written for version {version} of the domain {domain!r}, the model has {wanted}",
                    where=f"{where}: function {function.name}",
                    remedy="Export the model and its functions with one opset.",
                )
        function.opset_imports[domain] = wanted


def _since(op_type: str, domain: str, version: int) -> int | None:
    try:
        return int(onnx.defs.get_schema(op_type, version, domain).since_version)
    except (onnx.defs.SchemaError, TypeError):
        return None
