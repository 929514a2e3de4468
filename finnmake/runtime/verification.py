"""What worker processes run to compare a graph with the model that it was made of, on samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from finnmake.errors import ModelError, VerificationError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.batch import Array, read_array, sample_shape
from finnmake.runtime.execute import Executor


def outputs_of(model: ModelWrapper, samples: Array) -> list[Array]:
    """Outputs of a model with one input for a batch of samples, in the order of the graph's outputs.

    Raises:
        ModelError: the model has more than one input, one of an open shape, or the samples do not have its shape.
    """
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    if len(inputs) != 1:
        raise ModelError(f"has {len(inputs)} inputs", remedy="Samples are for models with one input.")
    shape = sample_shape(inputs[0])
    if samples.ndim == 0 or samples.size != len(samples) * int(np.prod(shape)):
        raise ModelError(f"samples of shape {samples.shape}", remedy=f"The model takes (samples, ...) of {shape}.")
    batch = samples.reshape(len(samples), *shape).astype(np.float32)
    found = Executor(model).run({str(inputs[0].name): batch})
    return [found[str(value.name)] for value in model.graph.outputs]


def verify() -> None:
    """Runs ``model/graph.onnx`` and ``in/graph.onnx`` on ``samples.npy``; writes ``out/verified.json``.

    Raises:
        VerificationError: an output differs, by whatever little.
    """
    samples = read_array(Path("samples.npy"))
    expected, actual = (outputs_of(ModelWrapper(Path(f"{name}/graph.onnx")), samples) for name in ("model", "in"))
    if len(expected) != len(actual):
        raise VerificationError(f"the graph has {len(actual)} outputs, the model has {len(expected)}")
    for index, (wanted, given) in enumerate(zip(expected, actual, strict=True)):
        if wanted.size != given.size:
            raise VerificationError(f"output {index} has shape {given.shape}, expected {wanted.shape}")
        different = np.flatnonzero((wanted.reshape(len(samples), -1) != given.reshape(len(samples), -1)).any(axis=1))
        if len(different):
            first = int(different[0])
            raise VerificationError(
                f"output {index} differs on {len(different)} of {len(samples)} samples; the first is sample {first}: "
                f"{given[first].ravel()[:8]} instead of {wanted[first].ravel()[:8]}",
                remedy="A transformation changes the function, or rounds; `finnmake diff` shows what each did.",
            )
    Path("out/verified.json").write_text(json.dumps({"samples": len(samples), "mismatches": 0}) + "\n")
