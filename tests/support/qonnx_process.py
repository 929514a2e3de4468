"""The process in which the qonnx package runs: answers requests until its standard input ends.

Run by the Python of ``.venv-qonnx``; imports nothing of this project. Requests and answers are NumPy archives, each
after its length in eight bytes. ``tests/support/qonnx_peer.py`` is the other end.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import onnx
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

Arrays = dict[str, Any]


def execute(request: Mapping[str, Any]) -> Arrays:
    """Outputs of a model by name, of all samples: those of a model with batch size 1 go through one by one."""
    model = ModelWrapper(load(request))
    if any(model.get_tensor_shape(name) is None for node in model.graph.node for name in node.output):
        model = model.transform(InferShapes())
    inputs = {name.removeprefix("in:"): array for name, array in request.items() if name.startswith("in:")}
    written = [tuple(model.get_tensor_shape(name)) for name in inputs]
    if all(shape == array.shape for shape, array in zip(written, inputs.values(), strict=True)):
        return {f"out:{name}": array for name, array in execute_onnx(model, inputs).items()}
    samples = len(next(iter(inputs.values())))
    runs = [execute_onnx(model, {name: a[i : i + 1] for name, a in inputs.items()}) for i in range(samples)]
    return {f"out:{name}": np.concatenate([run[name] for run in runs]) for name in runs[0]}


def transform(request: Mapping[str, Any]) -> Arrays:
    """A model after transformations, each ``[module, class, keyword arguments]``."""
    model = ModelWrapper(load(request))
    for module, kind, arguments in json.loads(str(request["transformations"])):
        model = model.transform(getattr(importlib.import_module(module), kind)(**arguments))
    return {"model": np.frombuffer(model.model.SerializeToString(), dtype=np.uint8)}


def datatypes(request: Mapping[str, Any]) -> Arrays:
    """What DataType says of names, and which of ``values`` it allows; None for what it refuses to say."""
    values = request["values"]
    told = {name: describe_datatype(name, values) for name in request["names"].tolist()}
    return {"told": np.array(json.dumps(told))}


def describe_datatype(name: str, values: Any) -> dict[str, Any]:
    """Everything DataType says of one name."""

    def ask(method: str, *arguments: Any) -> Any:
        try:
            return getattr(datatype, method)(*arguments)
        except Exception:  # noqa: BLE001 - qonnx raises plain Exception
            return None

    datatype = DataType[name]
    questions = ("get_canonical_name", "bitwidth", "min", "max", "signed", "is_integer", "is_fixed_point")
    told = {question: ask(question) for question in (*questions, "get_num_possible_values")}
    told["allowed"] = [None if (said := ask("allowed", value)) is None else bool(said) for value in values.tolist()]
    return told


def load(request: Mapping[str, Any]) -> onnx.ModelProto:
    """The request's model."""
    return onnx.load_model_from_string(request["model"].tobytes())


KINDS = {"execute": execute, "transform": transform, "datatypes": datatypes}


def answer(request: bytes) -> Arrays:
    """The answer to one request; what went wrong as text under ``error``."""
    try:
        with np.load(io.BytesIO(request), allow_pickle=False) as arrays:
            content = dict(arrays)
        return KINDS[str(content.pop("kind"))](content)
    except Exception:  # noqa: BLE001 - the test that asked gets it
        return {"error": np.array(traceback.format_exc())}


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers one request after the other."""
    while len(header := requests.read(8)) == 8:
        buffer = io.BytesIO()
        np.savez(buffer, **answer(requests.read(int.from_bytes(header, "big"))))
        answers.write(len(buffer.getvalue()).to_bytes(8, "big") + buffer.getvalue())
        answers.flush()


if __name__ == "__main__":
    # Whatever qonnx prints must not come between the answers.
    with os.fdopen(os.dup(1), "wb") as stream:
        os.dup2(2, 1)
        serve(sys.stdin.buffer, stream)
