"""Small QONNX models, written node by node, and the shared real ones."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

QONNX_DOMAIN = "qonnx.custom_op.general"
SHARED = Path(__file__).parents[2].parent / "shared"


def shared_file(name: str) -> Path:
    """A file of the shared folder beside the checkout; skips the test where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"../shared/{name} is not here")
    return path


def mnist(count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The first images (count, 1, 28, 28) and labels of the MNIST test set."""
    images = gzip.decompress(shared_file("data/t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress(shared_file("data/t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = np.frombuffer(images, dtype=np.uint8).reshape(-1, 1, 28, 28)
    return pixels[:count], np.frombuffer(labels, dtype=np.uint8)[:count]


class GraphBuilder:
    """Builds a model node by node.

    Args:
        input_shape: of the one input, batch first.
        prefix: of all names.
        opset: of the standard ops.
        qonnx_opset: of QONNX' ops; Trunc has 5 inputs in version 1, 6 in version 2.
    """

    def __init__(
        self, input_shape: Sequence[int | str], prefix: str = "", opset: int = 13, qonnx_opset: int = 1
    ) -> None:
        self._prefix, self._opset, self._qonnx_opset = prefix, opset, qonnx_opset
        self._nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self._count = 0
        self.input = f"{prefix}input"
        self._input_shape = list(input_shape)

    def constant(self, value: Any) -> str:
        """A constant; floats become float32."""
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        name = self._name("c")
        self.initialisers.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op_type: str, inputs: Sequence[str], domain: str = "", **attributes: Any) -> str:
        """A node with one output; gives the output's name."""
        return self.nodes(op_type, inputs, 1, domain, **attributes)[0]

    def nodes(self, op_type: str, inputs: Sequence[str], count: int, domain: str = "", **attributes: Any) -> list[str]:
        """A node with several outputs; gives their names."""
        outputs = [self._name("t") for _ in range(count)]
        self._nodes.append(
            helper.make_node(op_type, inputs, outputs, name=f"{outputs[0]}_node", domain=domain, **attributes)
        )
        return outputs

    def quant(
        self,
        x: str,
        scale: Any = 1.0,
        bits: int = 2,
        *,
        signed: int = 1,
        narrow: int = 0,
        zero: float = 0.0,
        mode: str = "ROUND",
    ) -> str:
        """A Quant node."""
        inputs = [x, self.constant(np.float32(scale)), self.constant(zero), self.constant(float(bits))]
        return self.node("Quant", inputs, QONNX_DOMAIN, signed=signed, narrow=narrow, rounding_mode=mode)

    def batch_norm(self, x: str, gamma: Any, beta: Any, mean: Any, variance: Any) -> str:
        """A BatchNormalization node."""
        parameters = [self.constant(np.asarray(array, dtype=np.float32)) for array in (gamma, beta, mean, variance)]
        return self.node("BatchNormalization", [x, *parameters], epsilon=1e-5)

    def model(self, output: str, shape: Sequence[int | str]) -> onnx.ModelProto:
        """The model with one output."""
        return self.model_of({output: shape})

    def model_of(self, outputs: Mapping[str, Sequence[int | str]]) -> onnx.ModelProto:
        """The model with outputs of these names and shapes."""
        graph = helper.make_graph(
            self._nodes,
            f"{self._prefix}graph",
            [helper.make_tensor_value_info(self.input, TensorProto.FLOAT, self._input_shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in outputs.items()],
            self.initialisers,
        )
        opsets = [helper.make_opsetid("", self._opset), helper.make_opsetid(QONNX_DOMAIN, self._qonnx_opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{self._prefix}{kind}{self._count}"
