"""Layer files: the canonical text of one layer, and its parameters as arrays named by their digests.

A layer file holds op type, structure and the digests of the parameters: no node name, no tensor name, no position.
Two equal layers have equal files, hence one core and one build.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from finnmake.dataflow.layer import IntegerArray, Layer
from finnmake.dataflow.registry import layer_class
from finnmake.errors import ModelError


def parameter_bytes(values: IntegerArray) -> bytes:
    """A parameter array as the bytes of an ``.npy`` file of the smallest integer type that holds it."""
    narrow = values.astype(np.min_scalar_type(_signed_extreme(values)))
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(narrow), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _signed_extreme(values: IntegerArray) -> int:
    """A number whose smallest signed type holds all values."""
    if values.size == 0:
        return -1
    low, high = int(values.min()), int(values.max())
    return min(low, -high - 1, -1)


@dataclass(frozen=True)
class LayerFiles:
    """A layer as files.

    Attributes:
        core: module name of its core.
        text: the layer file: canonical JSON of op type, structure and parameter digests.
        parameters: the ``.npy`` bytes of its parameters by name.
    """

    core: str
    text: str
    parameters: Mapping[str, bytes]

    @property
    def configured(self) -> str:
        """Module name of the core together with its parameters, the unit of synthesis."""
        return f"{self.core}_{hashlib.sha256(self.text.encode()).hexdigest()[:8]}"


def layer_files(layer: Layer) -> LayerFiles:
    """The files of a layer."""
    parameters = {name: parameter_bytes(values) for name, values in layer.parameters.items()}
    body = {
        "op_type": layer.op_type,
        "structure": layer.structure(),
        "parameters": {name: hashlib.sha256(content).hexdigest() for name, content in parameters.items()},
    }
    return LayerFiles(layer.core_name(), json.dumps(body, sort_keys=True, indent=1) + "\n", parameters)


def read_layer(text: str, read_parameter: Callable[[str], bytes]) -> Layer:
    """The layer that a layer file describes.

    Args:
        text: the layer file.
        read_parameter: gives the ``.npy`` bytes of a parameter by its name.

    Raises:
        ModelError: where the text is no layer file, or a parameter's bytes do not have their digest.
    """
    try:
        body = json.loads(text)
        kind = layer_class(body["op_type"])
        structure: Mapping[str, int | str | bool] = body["structure"]
        digests: Mapping[str, str] = body["parameters"]
    except (ValueError, KeyError, TypeError) as problem:
        raise ModelError(f"not a layer file: {problem}") from problem
    parameters = {name: _parameter(name, digest, read_parameter) for name, digest in digests.items()}
    layer: Layer = kind(**structure, parameters=parameters)
    return layer


def _parameter(name: str, digest: str, read_parameter: Callable[[str], bytes]) -> IntegerArray:
    content = read_parameter(name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ModelError("the bytes do not have their digest", where=f"parameter {name} {digest[:12]}")
    values = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return values.astype(np.int64)
