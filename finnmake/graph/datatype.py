"""Datatypes of tensors, by the canonical names that qonnx and FINN use.

A datatype is a small frozen object: bit width, range, membership. ``DataType["INT4"]`` looks one up by name.
Values are held in float32 or integer NumPy arrays ("containers"); the datatype says which values may occur.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finnmake.errors import ModelError


@dataclass(frozen=True)
class AnyDataType:
    """One datatype.

    Attributes:
        name: canonical name, for example ``INT4``, ``BIPOLAR``, ``FIXED<8,3>``.
    """

    name: str
    _bits: int
    _min: float
    _max: float
    _integer: bool = True
    _step: float = 1.0

    def bitwidth(self) -> int:
        """Bits one value takes in hardware."""
        return self._bits

    def min(self) -> float:
        """Smallest value; an integer-valued float or int for integer types."""
        return self._min

    def max(self) -> float:
        """Largest value."""
        return self._max

    def signed(self) -> bool:
        """True where negative values occur."""
        return self._min < 0

    def is_integer(self) -> bool:
        """True for types whose values are integers (SCALEDINT counts as not integer)."""
        return self._integer

    def is_fixed_point(self) -> bool:
        """True for ``FIXED<w,i>``."""
        return self.name.startswith("FIXED<")

    def get_canonical_name(self) -> str:
        """The name, as qonnx calls it."""
        return self.name

    def get_num_possible_values(self) -> int:
        """How many values the type has.

        Raises:
            ModelError: for FLOAT32, whose values are not counted.
        """
        if self.name in ("FLOAT32", "FLOAT16") or self.name.startswith("SCALEDINT"):
            raise ModelError(f"{self.name} has no number of values")
        if self.name == "BIPOLAR":
            return 2
        if self._integer:
            return int(self._max) - int(self._min) + 1
        return round((self._max - self._min) / self._step) + 1

    def allowed(self, value: float) -> bool:
        """True if ``value`` can be represented."""
        return bool(self.allowed_array(np.asarray([value], dtype=np.float64)))

    def allowed_array(self, values: NDArray[np.generic]) -> bool:
        """True if every element of ``values`` (any shape) can be represented."""
        numbers = np.asarray(values)
        if numbers.size == 0:
            return True
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            return self.name == "FLOAT32" and not np.isnan(numbers).any()
        if self.name in ("FLOAT32", "FLOAT16"):
            return bool(numbers.min() >= self._min and numbers.max() <= self._max)
        if numbers.min() < self._min or numbers.max() > self._max:
            return False
        if self.name == "BIPOLAR":
            return bool((np.abs(numbers) == 1).all())
        scaled = numbers / self._step if self._step != 1.0 else numbers
        return bool(numbers.dtype.kind in "iu" or (scaled == np.rint(scaled)).all())

    def to_numpy_dt(self) -> type[np.generic]:
        """The NumPy integer type that holds all values; float32 for the others."""
        if not self._integer:
            return np.float32
        for bits, signed_kind, unsigned_kind in (
            (8, np.int8, np.uint8),
            (16, np.int16, np.uint16),
            (32, np.int32, np.uint32),
        ):
            if self._bits <= bits:
                return signed_kind if self.signed() else unsigned_kind
        return np.int64 if self.signed() else np.uint64

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f'DataType["{self.name}"]'


_INTEGER_NAME = re.compile(r"(U?)INT([1-9][0-9]?)")
_FIXED_NAME = re.compile(r"FIXED<([0-9]+),(-?[0-9]+)>")
_SCALED_NAME = re.compile(r"SCALEDINT<([0-9]+)>")
_NAMED = {
    "BINARY": AnyDataType("BINARY", 1, 0, 1),
    "BIPOLAR": AnyDataType("BIPOLAR", 1, -1, 1),
    "TERNARY": AnyDataType("TERNARY", 2, -1, 1),
    "FLOAT32": AnyDataType("FLOAT32", 32, -3.4028234663852886e38, 3.4028234663852886e38, False, 0.0),
    "FLOAT16": AnyDataType("FLOAT16", 16, -65504.0, 65504.0, False, 0.0),
}


class DataTypes:
    """Look-up of datatypes by name, and the smallest for a range; ``DataType`` is the one object of this class."""

    def __getitem__(self, name: str) -> AnyDataType:
        """The datatype of a canonical name.

        Raises:
            ModelError: there is none of this name.
        """
        return _parse(name)

    @staticmethod
    def from_numpy(dtype: np.dtype[np.generic]) -> AnyDataType:
        """The datatype with the range of a NumPy dtype.

        Raises:
            ModelError: for a dtype that is neither float32, bool nor integer.
        """
        if dtype.kind == "b":
            return _NAMED["BINARY"]
        if dtype.kind in "iu":
            return _parse(("INT" if dtype.kind == "i" else "UINT") + str(dtype.itemsize * 8))
        if dtype.kind == "f":
            return _NAMED["FLOAT32"]
        raise ModelError(f"no datatype for NumPy {dtype}")

    @staticmethod
    def smallest_for_range(minimum: int, maximum: int) -> AnyDataType:
        """The smallest integer type with all of ``minimum … maximum``.

        Raises:
            ModelError: where more than 64 bits would be needed, or the range is empty.
        """
        if minimum > maximum:
            raise ModelError(f"empty range {minimum} … {maximum}")
        if minimum >= 0:
            bits = max(1, int(maximum).bit_length())
            return _NAMED["BINARY"] if bits == 1 else _parse(f"UINT{bits}")
        bits = max(int(-minimum - 1).bit_length(), int(max(maximum, 0)).bit_length()) + 1
        return _parse(f"INT{max(2, bits)}")

    @staticmethod
    def get_smallest_possible(value: float) -> AnyDataType:
        """The smallest type for one integer value, as FINN users know the name."""
        return DataTypes.smallest_for_range(min(0, int(value)), max(0, int(value)))


DataType = DataTypes()
"""The look-up: ``DataType["UINT2"]``."""


def _parse(name: str) -> AnyDataType:
    if name in _NAMED:
        return _NAMED[name]
    if match := _INTEGER_NAME.fullmatch(name):
        bits = int(match[2])
        if bits <= 64:
            if match[1]:
                return AnyDataType(name, bits, 0, 2**bits - 1)
            if bits > 1:
                return AnyDataType(name, bits, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if match := _FIXED_NAME.fullmatch(name):
        bits, integer_bits = int(match[1]), int(match[2])
        if 1 < bits <= 64:
            step = 2.0 ** (integer_bits - bits)
            return AnyDataType(name, bits, -(2 ** (bits - 1)) * step, (2 ** (bits - 1) - 1) * step, False, step)
    if match := _SCALED_NAME.fullmatch(name):
        bits = int(match[1])
        if 1 < bits <= 64:
            return AnyDataType(name, bits, float(_NAMED["FLOAT32"].min()), float(_NAMED["FLOAT32"].max()), False)
    raise ModelError(
        f"no datatype is called {name!r}",
        remedy="Known: BINARY, BIPOLAR, TERNARY, UINT1…UINT64, INT2…INT64, FIXED<w,i>, SCALEDINT<n>, FLOAT32.",
    )
