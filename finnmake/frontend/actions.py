"""What worker processes run to import a model: files in, files out, relative to the current directory."""

from __future__ import annotations

from pathlib import Path

from finnmake.frontend import import_model as import_from
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.tensor_files import FOLDER

_OUTPUT = Path("out/graph.onnx")


def import_model(*, input_datatype: str | None = None, input_scale: str | float | None = None) -> None:
    """Imports ``in/graph.onnx`` to ``out/graph.onnx`` and ``out/tensors/``."""
    _save(import_from("in/graph.onnx", input_datatype=input_datatype, input_scale=input_scale))


def _save(model: ModelWrapper) -> None:
    # The folder is a declared output even where no tensor is large enough to need it.
    (_OUTPUT.parent / FOLDER).mkdir(parents=True, exist_ok=True)
    model.save(_OUTPUT)
