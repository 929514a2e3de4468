"""From a PyTorch model with Brevitas layers to an imported model, without a file in between."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finnmake.errors import ModelError, ToolError
from finnmake.frontend.import_model import import_model
from finnmake.graph.custom_op import CustomOps
from finnmake.graph.general_ops import GENERAL_OPS
from finnmake.graph.model_wrapper import ModelWrapper


def from_pytorch(
    module: Any,
    example_input: Sequence[int] | NDArray[Any] | Any,
    *,
    export_path: str | os.PathLike[str] | None = None,
    dynamo: bool = False,
    opset_version: int | None = None,
    input_datatype: str | None = None,
    input_scale: str | float | None = None,
    custom_ops: CustomOps = GENERAL_OPS,
) -> ModelWrapper:
    """Exports a model with ``brevitas.export.export_qonnx`` and imports the result.

    Needs the packages of the extra ``pytorch``.

    Args:
        module: a ``torch.nn.Module``; exported in evaluation mode, and given back in the mode it was in.
        example_input: shape of the input with batch size 1, for example ``(1, 1, 28, 28)``, or an array or tensor.
        export_path: writes the exported ``.onnx`` there, too (and its ``.onnx.data``, which the newer exporter makes).
        dynamo: take PyTorch's newer exporter. It does not export every Brevitas layer; the older one does.
        opset_version: of the export; 13 with the older exporter, the exporter's own choice with the newer.
        input_datatype: as of ``import_model``.
        input_scale: as of ``import_model``.
        custom_ops: as of ``import_model``.

    Returns:
        What ``import_model`` makes of the exported model.

    Raises:
        ToolError: a package of the extra is not installed.
        ModelError: the model cannot be exported, or not be imported.
    """
    torch, export_qonnx = _packages()
    if not isinstance(module, torch.nn.Module):
        raise ModelError(
            f"is a {type(module).__name__}, no torch.nn.Module", where="from_pytorch", remedy="Give the model itself."
        )
    example = _example(torch, example_input)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx" if export_path is None else Path(export_path)
        options: dict[str, Any] = {"dynamo": dynamo}
        if opset_version is not None or not dynamo:
            options["opset_version"] = opset_version or 13
        training = {part: part.training for part in module.modules()}
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # of exporters about each other
                export_qonnx(module.eval(), args=example, export_path=str(path), **options)
        except Exception as problem:
            reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
            raise ModelError(
                f"Brevitas cannot export it: {reason}",
                where=type(module).__name__,
                remedy=f"Check the model on an input of shape {list(example.shape)}, or try dynamo={not dynamo}.",
            ) from problem
        finally:
            for part, mode in training.items():
                part.training = mode
        imported = import_model(path, input_datatype=input_datatype, input_scale=input_scale, custom_ops=custom_ops)
        # Large tensors are mapped from files of the folder that goes away now.
        return ModelWrapper(imported.to_proto()) if export_path is None else imported


def _packages() -> tuple[Any, Any]:
    try:
        import onnxoptimizer  # noqa: F401 - Brevitas looks for it only when it exports
        import torch
        from brevitas.export import export_qonnx
    except ImportError as problem:
        raise ToolError(
            f"the package {problem.name} is not installed",
            where="from_pytorch",
            remedy="Install what it takes: pip install 'finnmake[pytorch]'.",
        ) from None
    return torch, export_qonnx


def _example(torch: Any, given: Sequence[int] | NDArray[Any] | Any) -> Any:
    if isinstance(given, torch.Tensor):
        return given
    if isinstance(given, np.ndarray):
        return torch.from_numpy(given.astype(np.float32))
    try:
        shape = [int(size) for size in given]
    except (TypeError, ValueError):
        shape = []
    if not shape or min(shape) < 1:
        raise ModelError(
            f"{given!r} is no shape, array or tensor", where="from_pytorch", remedy="For example (1, 1, 28, 28)."
        )
    return torch.rand(shape)
