"""PyTorch models with Brevitas layers, through both exporters; skipped where the extra is not installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finnmake.errors import ModelError, ToolError
from finnmake.frontend import from_pytorch, import_model
from finnmake.frontend.input_quantisation import read_input_quantisation
from finnmake.runtime.execute import execute_onnx


@pytest.mark.parametrize("name", ["torch", "brevitas.export", "onnxoptimizer"])
def test_without_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ToolError, match="is not installed") as caught:
        from_pytorch(object(), (1, 16))
    assert "finnmake[pytorch]" in caught.value.remedy


@pytest.fixture(scope="module")
def networks() -> dict[str, tuple[Any, tuple[int, ...]]]:
    """A dense and a convolutional network, trained on nothing, their statistics set by a few random batches."""
    torch = pytest.importorskip("torch")
    qnn = pytest.importorskip("brevitas.nn")
    quant = pytest.importorskip("brevitas.quant")
    torch.manual_seed(0)
    per_channel = {"weight_quant": quant.Int8WeightPerChannelFloat}
    dense = torch.nn.Sequential(
        qnn.QuantIdentity(bit_width=4),
        qnn.QuantLinear(16, 12, bias=True, weight_bit_width=3),
        torch.nn.BatchNorm1d(12),
        qnn.QuantReLU(bit_width=4),
        qnn.QuantLinear(12, 5, bias=True, weight_bit_width=4, **per_channel),
    )
    shifted = torch.nn.Sequential(
        qnn.QuantIdentity(bit_width=8, act_quant=quant.ShiftedUint8ActPerTensorFloat),
        qnn.QuantLinear(16, 5, bias=True, weight_bit_width=4),
    )
    convolutional = torch.nn.Sequential(
        qnn.QuantIdentity(bit_width=8),
        qnn.QuantConv2d(1, 4, 3, padding=1, bias=False, weight_bit_width=4),
        torch.nn.BatchNorm2d(4),
        qnn.QuantReLU(bit_width=4),
        torch.nn.MaxPool2d(2),
        qnn.QuantConv2d(4, 6, 3, bias=True, weight_bit_width=3, groups=2),
        qnn.QuantReLU(bit_width=4),
        torch.nn.Flatten(),
        qnn.QuantLinear(96, 5, bias=True, weight_bit_width=4),
    )
    made = {"dense": (dense, (1, 16)), "shifted": (shifted, (1, 16)), "convolutional": (convolutional, (1, 1, 12, 12))}
    for network, shape in made.values():
        network.train()
        for _ in range(6):
            network(torch.randn(32, *shape[1:]))
    return made


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("name", ["dense", "shifted", "convolutional"])
def test_what_pytorch_computes(networks: dict[str, Any], name: str, dynamo: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    network, shape = networks[name]
    network.train()
    path = tmp_path / "network.onnx"
    model = from_pytorch(network, shape, dynamo=dynamo, export_path=path)
    assert network.training
    quantisation = read_input_quantisation(model)
    assert (quantisation.zero_point != 0) == (name == "shifted")
    x = torch.randn(64, *shape[1:])
    with torch.no_grad():
        wanted = network.eval()(x)
    wanted = np.asarray(getattr(wanted, "value", wanted))
    got = execute_onnx(model, {"global_in": quantisation.to_integers(x.numpy())})["global_out"]
    close = np.isclose(got, wanted, rtol=1e-4, atol=1e-5)
    # The order of a float sum may decide a tie of an activation here and there.
    assert close.all(axis=1).mean() > 0.9
    again = import_model(path)
    assert np.array_equal(got, execute_onnx(again, {"global_in": quantisation.to_integers(x.numpy())})["global_out"])
    assert from_pytorch(network, x[:1], dynamo=dynamo).to_proto() == model.to_proto()


def test_what_is_no_model_or_no_shape(networks: dict[str, Any]) -> None:
    network, shape = networks["dense"]
    with pytest.raises(ModelError, match=r"no torch\.nn\.Module"):
        from_pytorch("network", shape)
    with pytest.raises(ModelError, match="no shape, array or tensor"):
        from_pytorch(network, "wide")
    with pytest.raises(ModelError, match="cannot export it"):
        from_pytorch(network, (1, 17))
