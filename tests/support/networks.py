"""Small quantised networks, as Brevitas would export them, made from a seed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX_DOMAIN = "qonnx.custom_op.general"


@dataclass(frozen=True)
class Mlp:
    """A multi-layer perceptron of dense layers with batch normalisation and few-bit activations.

    Attributes:
        sizes: elements of the input and of each layer's output; the input is an image of 1 x 1 x size[0].
        seed: of weights and batch normalisations.
        prefix: of all node and tensor names.
        bits: of weights and activations.
        layer_seeds: one seed a layer, so that a layer keeps its values when others come and go; ``seed`` if empty.
    """

    sizes: Sequence[int] = (16, 8, 8, 4)
    seed: int = 0
    prefix: str = ""
    layer_seeds: Sequence[int] = ()
    bits: int = 2

    def model(self) -> onnx.ModelProto:
        """The QONNX model."""
        return _Writer(self).model()


class _Writer:
    def __init__(self, network: Mlp) -> None:
        self.network = network
        self.random = np.random.default_rng(network.seed)
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def name(self, text: str) -> str:
        return f"{self.network.prefix}{text}"

    def constant(self, text: str, value: object) -> str:
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.initialisers.append(numpy_helper.from_array(array, self.name(text)))
        return self.name(text)

    def node(self, op_type: str, inputs: Sequence[str], text: str, domain: str = "", **attributes: Any) -> str:
        output = self.name(text)
        self.nodes.append(
            helper.make_node(op_type, inputs, [output], name=f"{output}_node", domain=domain, **attributes)
        )
        return output

    def quant(self, source: str, text: str, scale: float = 1.0) -> str:
        inputs = [
            source,
            self.constant(f"{text}_scale", float(scale)),
            self.constant(f"{text}_zero", 0.0),
            self.constant(f"{text}_bits", float(self.network.bits)),
        ]
        return self.node("Quant", inputs, text, QONNX_DOMAIN, signed=1, narrow=1, rounding_mode="ROUND")

    def model(self) -> onnx.ModelProto:
        sizes = self.network.sizes
        x = self.node("Reshape", [self.name("image"), self.constant("shape", np.array([1, -1]))], "flat")
        x = self.node("Mul", [x, self.constant("two", 2.0)], "doubled")
        x = self.node("Sub", [x, self.constant("one", 1.0)], "centred")
        x = self.quant(x, "quantised")
        for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            x = self.layer(x, number, inputs, outputs, last=number == len(sizes) - 2)
        graph = helper.make_graph(
            self.nodes,
            self.name("network"),
            [helper.make_tensor_value_info(self.name("image"), TensorProto.FLOAT, [1, 1, 1, sizes[0]])],
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, sizes[-1]])],
            self.initialisers,
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX_DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def layer(self, x: str, number: int, inputs: int, outputs: int, *, last: bool) -> str:
        if self.network.layer_seeds:
            self.random = np.random.default_rng(self.network.layer_seeds[number])
        weights = self.constant(f"w{number}", self.random.normal(0, 1.0, (outputs, inputs)))
        weights = self.quant(weights, f"w{number}_quantised")
        weights = self.node("Transpose", [weights], f"w{number}_transposed", perm=[1, 0])
        x = self.node("MatMul", [x, weights], f"acc{number}")
        if last:
            return self.node("Mul", [x, self.constant("scale", 0.25)], "logits")
        spread = np.sqrt(inputs)
        parameters = [
            self.constant(f"gamma{number}", self.random.uniform(0.5, 1.5, outputs)),
            self.constant(f"beta{number}", self.random.normal(0, 0.3, outputs)),
            self.constant(f"mean{number}", self.random.normal(0, 0.3 * spread, outputs)),
            self.constant(f"variance{number}", self.random.uniform(0.2, 1.0, outputs) * inputs * 0.4),
        ]
        x = self.node("BatchNormalization", [x, *parameters], f"normalised{number}", epsilon=1e-5)
        return self.quant(x, f"activation{number}")
