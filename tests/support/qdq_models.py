"""QDQ models as onnxruntime's static quantisation writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import quantization

from tests.support.qonnx_models import GraphBuilder


class _Samples(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, samples: NDArray[np.float32]) -> None:
        self._rows: Iterator[dict[str, Any]] = iter({name: sample[None]} for sample in samples)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._rows, None)


def float_mlp(seed: int = 0) -> onnx.ModelProto:
    """16-12-5, Gemm and ReLU."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder([1, 16])
    x = builder.input
    for inputs, outputs in ((16, 12), (12, 5)):
        weights, bias = rng.normal(0, 0.4, (outputs, inputs)), rng.normal(0, 0.2, outputs)
        x = builder.node("Gemm", [x, builder.constant(weights), builder.constant(bias)], transB=1)
        x = builder.node("Relu", [x]) if outputs == 12 else x
    return builder.model(x, [1, 5])


def float_cnn(seed: int = 0) -> onnx.ModelProto:
    """Two convolutions, one with stride, max pooling, a dense layer."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder([1, 2, 8, 8])
    x = builder.input
    for inputs, outputs, stride in ((2, 4, 1), (4, 6, 2)):
        kernel, bias = rng.normal(0, 0.4, (outputs, inputs, 3, 3)), rng.normal(0, 0.2, outputs)
        weights = [builder.constant(kernel), builder.constant(bias)]
        x = builder.node("Conv", [x, *weights], kernel_shape=[3, 3], pads=[1] * 4, strides=[stride] * 2)
        x = builder.node("Relu", [x])
    x = builder.node("Flatten", [builder.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])])
    x = builder.node("MatMul", [x, builder.constant(rng.normal(0, 0.3, (24, 5)))])
    return builder.model(x, [1, 5])


def quantised(model: onnx.ModelProto, folder: Path, *, signed: bool, per_channel: bool, seed: int = 1) -> Path:
    """The model with QDQ nodes, calibrated on random samples that are not symmetric about zero; gives its path."""
    source, target = folder / "float.onnx", folder / "qdq.onnx"
    onnx.save(model, source)
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    samples = np.random.default_rng(seed).normal(0.3, 1, (16, *shape[1:])).astype(np.float32)
    quantization.quantize_static(
        str(source),
        str(target),
        _Samples(model.graph.input[0].name, samples),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=quantization.QuantType.QInt8 if signed else quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return target
