"""Trains the example's networks with Brevitas on Fashion-MNIST or CIFAR-10 and exports them as QONNX.

The network is FINN's CNV, after VGG: three pairs of 3 x 3 convolutions without padding, a maximum pool behind each of
the first two, two hidden dense layers. FINN's has 64, 128 and 256 channels; ``--width 64`` trains that, the models
beside this script have ``--width 16``. Weights and activations are of one bit (-1, +1) or two (-1, 0, +1), all with the
constant scale 1: W1A1, W1A2 and W2A2.

    pip install "finnmake[train]"
    python -m examples.cnv.train    # in the folder of the checkout

The build does not need this script, PyTorch or Brevitas: the exported models lie beside it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from brevitas.core.bit_width import BitWidthImplType
from brevitas.core.quant import QuantType
from brevitas.core.restrict_val import FloatToIntImplType, RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.inject import ExtendedInjector
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import nn

from examples.image_training import CLASSES, accuracy, export, parser, prepare, train, write_samples

VARIANTS = {"w1a1": (1, 1), "w1a2": (1, 2), "w2a2": (2, 2)}
"""Bits of weights and of activations."""

# The scores are sums of products of -1, 0, +1. This brings them to where the cross-entropy has useful gradients. A
# positive constant changes no order, so the hardware drops it.
SCORE_SCALE = 0.0625


class UnitScale(ExtendedInjector):
    """What all quantisers share: signed, constant scale, no zero point."""

    bit_width_impl_type = BitWidthImplType.CONST
    scaling_impl_type = ScalingImplType.CONST
    restrict_scaling_type = RestrictValueType.FP
    scaling_per_output_channel = False
    zero_point_impl = ZeroZeroPoint
    float_to_int_impl_type = FloatToIntImplType.ROUND
    narrow_range = True
    signed = True
    scaling_const = 1.0


class TwoBitWeights(UnitScale, WeightQuantSolver):
    """Weights of -1, 0, +1."""

    quant_type = QuantType.INT
    bit_width = 2


class OneBitWeights(UnitScale, WeightQuantSolver):
    """Weights of -1, +1."""

    quant_type = QuantType.BINARY
    bit_width = 1


class TwoBitActivations(UnitScale, ActQuantSolver):
    """Activations of -1, 0, +1."""

    quant_type = QuantType.INT
    bit_width = 2
    min_val = -1.0
    max_val = 1.0


class OneBitActivations(UnitScale, ActQuantSolver):
    """Activations of -1, +1."""

    quant_type = QuantType.BINARY
    bit_width = 1
    min_val = -1.0
    max_val = 1.0


class Pixels(UnitScale, ActQuantSolver):
    """Pixels as 8-bit fixed point, -1 to 127/128."""

    quant_type = QuantType.INT
    bit_width = 8
    narrow_range = False
    min_val = -1.0
    max_val = 1.0 - 2.0**-7
    restrict_scaling_type = RestrictValueType.POWER_OF_TWO


WEIGHTS = {1: OneBitWeights, 2: TwoBitWeights}
ACTIVATIONS = {1: OneBitActivations, 2: TwoBitActivations}


class Cnv(nn.Module):
    """The network: ``float32 (images, channels, 32, 32)`` in 0..1 to ``float32 (images, 10)`` scores.

    Args:
        channels: of the images.
        width: channels of the first two convolutions.
        weight_bits: 1 or 2.
        activation_bits: 1 or 2.
    """

    def __init__(self, channels: int, width: int, weight_bits: int, activation_bits: int) -> None:
        super().__init__()
        weights, activations = WEIGHTS[weight_bits], ACTIVATIONS[activation_bits]

        def activation() -> nn.Module:
            return QuantIdentity(act_quant=activations, return_quant_tensor=False)

        layers: list[nn.Module] = [QuantIdentity(act_quant=Pixels, return_quant_tensor=False)]
        for stage in range(3):
            outputs = width << stage
            for _ in range(2):
                layers += [
                    QuantConv2d(channels, outputs, 3, bias=False, weight_quant=weights),
                    nn.BatchNorm2d(outputs),
                    activation(),
                ]
                channels = outputs
            if stage < 2:
                layers.append(nn.MaxPool2d(2))
        layers.append(nn.Flatten())
        for _ in range(2):
            layers += [
                QuantLinear(channels, 8 * width, bias=False, weight_quant=weights),
                nn.BatchNorm1d(8 * width),
                activation(),
            ]
            channels = 8 * width
        layers.append(QuantLinear(channels, CLASSES, bias=False, weight_quant=weights))
        self.layers = nn.Sequential(*layers)
        for layer in self.layers:
            if isinstance(layer, QuantConv2d | QuantLinear):
                # With the usual initialisation nearly every weight of two bits would be quantised to zero.
                nn.init.uniform_(layer.weight, -1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps images to scores."""
        scores: torch.Tensor = self.layers(2.0 * images - 1.0)
        return SCORE_SCALE * scores


def main() -> None:
    """Trains each variant, measures on the 10,000 test images, exports."""
    arguments = parser("Trains CNV and exports it as QONNX.", epochs=1, learning_rate=0.01)
    arguments.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    arguments.add_argument("--width", type=int, default=16, help="channels of the first convolutions (default: 16)")
    options = arguments.parse_args()
    folder = options.output or Path(__file__).parent
    for variant in options.variants:
        images, test = prepare(options)
        model = Cnv(images.images.shape[1], options.width, *VARIANTS[variant])
        train(model, images, options, white=1.0, largest_weight=1.0)
        path = folder / f"cnv-{variant}.onnx"
        measured = accuracy(model, test, white=1.0)
        export(model, images.images.shape[1], path)
        print(f"{path.name}: accuracy on {len(test.labels)} test images {100 * measured:.2f} %", flush=True)
    write_samples(folder, test)


if __name__ == "__main__":
    main()
