"""Trains the example's networks with Brevitas on synthetic jets and exports them as QONNX.

The network is the jet tagger of hls4ml and of FINN's fpga4hep tutorial: 16-64-32-32-5, once for each bit width of
weights and activations. Its input is integers (INT8) as a detector's front end gives them, as ``float32`` of shape
(1, 16); the first op multiplies them by 1/32. Its output is one integer score for each class (INT8): the last op is a
quantiser with the scale 1, so that no float is left behind the last layer.

    pip install "finnmake[train]"
    python -m examples.fpga4hep.train    # in the folder of the checkout

The build does not need this script, PyTorch or Brevitas: the exported models lie beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from brevitas.core.bit_width import BitWidthImplType
from brevitas.core.quant import QuantType
from brevitas.core.restrict_val import FloatToIntImplType, RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.export import export_qonnx
from brevitas.nn import QuantIdentity, QuantLinear, QuantReLU
from brevitas.quant import Int8WeightPerTensorFixedPoint, Uint8ActPerTensorFixedPoint
from brevitas.quant.solver import ActQuantSolver
from torch import nn
from torch.nn import functional

from examples.fpga4hep.jets import CLASSES, FEATURES, STEP, Jets, make_jets
from finnmake.graph.datatype import DataType
from finnmake.graph.model_wrapper import ModelWrapper

HIDDEN = (64, 32, 32)
BIT_WIDTHS = (2, 4, 6, 8)
SAMPLES = 300

# A score of 16 more than another class' means to the training what one unit of a logit usually means.
LOGIT_SCALE = 1 / 16


class IntegerScores(ActQuantSolver):
    """Rounds to the integers -128..127: scale 1, no zero point."""

    quant_type = QuantType.INT
    bit_width_impl_type = BitWidthImplType.CONST
    bit_width = 8
    scaling_impl_type = ScalingImplType.CONST
    restrict_scaling_type = RestrictValueType.FP
    scaling_per_output_channel = False
    zero_point_impl = ZeroZeroPoint
    float_to_int_impl_type = FloatToIntImplType.ROUND
    narrow_range = False
    signed = True
    min_val = -128.0
    max_val = 127.0


class JetTagger(nn.Module):
    """The network: ``float32 (jets, 16)`` of integers to ``float32 (jets, 5)`` of integers.

    Scales of weights and activations are powers of two: all sums are exact in float32, and the model computes the same
    in whatever order it adds.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = len(FEATURES)
        for outputs in (*HIDDEN, len(CLASSES)):
            layers += [
                QuantLinear(
                    width, outputs, bias=False, weight_quant=Int8WeightPerTensorFixedPoint, weight_bit_width=bits
                ),
                nn.BatchNorm1d(outputs),
                QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, bit_width=bits, return_quant_tensor=False),
            ]
            width = outputs
        layers[-1] = QuantIdentity(act_quant=IntegerScores, return_quant_tensor=False)
        self.layers = nn.Sequential(*layers)
        # The scores begin with a spread that the quantiser does not clip.
        nn.init.constant_(layers[-2].weight, 32.0)

    def forward(self, jets: torch.Tensor) -> torch.Tensor:
        """Maps integers of the detector to integer scores."""
        scores: torch.Tensor = self.layers(STEP * jets)
        return scores


def as_input(jets: Jets) -> torch.Tensor:
    """The features as the network's input, float32 (jets, 16)."""
    return torch.from_numpy(jets.features.astype(np.float32))


def accuracy(model: JetTagger, jets: Jets) -> float:
    """The share of jets whose largest score (the first among equals) is at their label, 0..1."""
    model.eval()
    with torch.no_grad():
        chosen = model(as_input(jets)).numpy().argmax(axis=1)
    return float((chosen == jets.labels).mean())


def train(model: JetTagger, jets: Jets, arguments: argparse.Namespace) -> None:
    """Trains in place: Adam with a one-cycle learning rate."""
    inputs, labels = as_input(jets), torch.from_numpy(jets.labels.astype(np.int64))
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.learning_rate)
    steps = len(inputs) // arguments.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=arguments.learning_rate, total_steps=arguments.epochs * steps
    )
    random = torch.Generator().manual_seed(arguments.seed)
    for _ in range(arguments.epochs):
        model.train()
        for chosen in torch.randperm(len(inputs), generator=random).split(arguments.batch)[:steps]:
            loss = functional.cross_entropy(LOGIT_SCALE * model(inputs[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def export(model: JetTagger, path: Path) -> None:
    """Writes the model, its input annotated with the datatype of the detector's integers."""
    export_qonnx(
        model.eval(),
        torch.zeros(1, len(FEATURES)),
        export_path=str(path),
        dynamo=False,
        opset_version=13,
        input_names=["jet"],
        output_names=["scores"],
    )
    wrapper = ModelWrapper(path)
    wrapper.set_tensor_datatype(wrapper.graph.inputs[0], DataType["INT8"])
    onnx.save(wrapper.to_proto(), path)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Trains the jet taggers and exports them as QONNX.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder to write to")
    parser.add_argument("--bit-widths", type=int, nargs="+", default=BIT_WIDTHS)
    parser.add_argument("--jets", type=int, default=20_000, help="to train with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--threads", type=int, default=1, help="another number may give other weights (default: 1)")
    return parser.parse_args()


def main() -> None:
    """Trains, measures on 5,000 other jets, exports; writes the first of these jets as samples."""
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    jets, test_jets = make_jets(arguments.jets, seed=1), make_jets(5000, seed=2)
    for bits in arguments.bit_widths:
        torch.manual_seed(arguments.seed)
        model = JetTagger(bits)
        train(model, jets, arguments)
        path = arguments.output / f"fpga4hep-bw{bits}.onnx"
        export(model, path)
        print(f"{path.name}: accuracy on {len(test_jets.labels)} jets {100 * accuracy(model, test_jets):.2f} %")
    np.save(arguments.output / "test_jets.npy", test_jets.features[:SAMPLES])
    np.save(arguments.output / "test_labels.npy", test_jets.labels[:SAMPLES])


if __name__ == "__main__":
    main()
