"""The integers that enter the accelerator, and what they stand for: the record that an imported model carries."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finnmake.errors import ModelError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.quantisation import rounding

METADATA_KEY = "finnmake.input_quantisation"


@dataclass(frozen=True)
class InputQuantisation:
    """How floats and the accelerator's input integers belong together: float = (integer - zero point) · scale.

    Attributes:
        datatype: of the integers.
        scale: what one step is worth; "a/b" or a decimal number.
        minimum: smallest integer that occurs.
        maximum: largest integer that occurs.
        rounding_mode: of the quantiser.
        zero_point: the integer that stands for 0.
        shift_after_rounding: the zero point is added to the rounded number, as QuantizeLinear does, not to the number
            that is then rounded, as Quant does. The two differ at ties where the zero point is odd.
    """

    datatype: str
    scale: str
    minimum: int
    maximum: int
    rounding_mode: str = "ROUND"
    zero_point: int = 0
    shift_after_rounding: bool = False

    def factors(self) -> tuple[np.float32, np.float32]:
        """(multiplier, divisor), one of which is 1: float = float32(integer - zero point) · multiplier / divisor.

        Raises:
            ModelError: where the scale is no positive number.
        """
        try:
            exact = Fraction(self.scale)
            if exact <= 0:
                raise ValueError
        except (ValueError, ZeroDivisionError):
            raise ModelError(
                f"input_scale {self.scale!r} is not a positive number", remedy='For example "1/255" or 0.125.'
            ) from None
        # A camera's byte is divided by 255, not multiplied by a rounded 1/255: the difference decides ties.
        whole = round(1 / exact)
        if exact < 1 and abs(float(exact) * whole - 1) < 1e-9:
            return np.float32(1), np.float32(whole)
        return np.float32(float(exact)), np.float32(1)

    def to_floats(self, integers: NDArray[Any]) -> NDArray[np.float32]:
        """The floats that integers stand for, as the network was trained on them; any shape."""
        multiplier, divisor = self.factors()
        values = np.asarray(integers, dtype=np.float32) - np.float32(self.zero_point)
        return values / divisor if divisor != 1 else values * multiplier

    def to_integers(self, floats: NDArray[Any]) -> NDArray[np.int64]:
        """The integers that the model's own quantiser makes of floats, clipped; any shape."""
        multiplier, divisor = self.factors()
        values = np.asarray(floats, dtype=np.float32)
        scaled = values * divisor if divisor != 1 else values / multiplier
        shift, round_to_whole = np.float32(self.zero_point), rounding(self.rounding_mode)
        if self.datatype == "BIPOLAR":
            return np.where(scaled >= 0, np.int64(1), np.int64(-1))
        if self.shift_after_rounding:
            integers = np.clip(round_to_whole(scaled) + shift, self.minimum, self.maximum)
        else:
            integers = round_to_whole(np.clip(scaled + shift, self.minimum, self.maximum))
        return integers.astype(np.int64)


def read_input_quantisation(model: ModelWrapper) -> InputQuantisation:
    """What ``import_model`` recorded in a model.

    Raises:
        ModelError: where the model was not imported by finnmake.
    """
    text = model.get_metadata_prop(METADATA_KEY)
    if text is None:
        raise ModelError("the model does not say how its input is quantised", remedy="Import it with import_model.")
    return InputQuantisation(**json.loads(text))


def write_input_quantisation(model: ModelWrapper, quantisation: InputQuantisation) -> None:
    """Records it in a model."""
    model.set_metadata_prop(METADATA_KEY, json.dumps(asdict(quantisation), sort_keys=True))
