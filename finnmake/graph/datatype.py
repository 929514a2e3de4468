"""Datatypes of tensors, by the canonical names that qonnx and FINN use.

A datatype is a small frozen object: bit width, range, membership. ``DataType["INT4"]`` looks one up by name.
Values are held in float32 or integer NumPy arrays ("containers"); the datatype says which values may occur.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from finnmake.errors import ModelError

_FLOATS: dict[str, type[np.floating[Any]]] = {"FLOAT32": np.float32, "FLOAT16": np.float16}


@dataclass(frozen=True, eq=False)
class AnyDataType:
    """One datatype. Equal to another one of the same name, and to the name itself, as qonnx' datatypes are.

    Attributes:
        name: canonical name, for example ``INT4``, ``BIPOLAR``, ``FIXED<8,3>``.
    """

    name: str
    _bits: int
    _lowest: int
    _highest: int
    _integer: bool = True
    _step: float = 1.0
    """What one unit of ``_lowest`` and ``_highest`` is worth."""

    def bitwidth(self) -> int:
        """Bits one value takes in hardware."""
        return self._bits

    def min(self) -> float:
        """Smallest value; an exact ``int`` for integer types."""
        return self._lowest if self._integer else self._lowest * self._step

    def max(self) -> float:
        """Largest value; an exact ``int`` for integer types."""
        return self._highest if self._integer else self._highest * self._step

    def signed(self) -> bool:
        """True where negative values occur."""
        return self._lowest < 0

    def is_integer(self) -> bool:
        """True for types whose values are integers (neither FIXED nor SCALEDINT)."""
        return self._integer

    def is_fixed_point(self) -> bool:
        """True for ``FIXED<w,i>``."""
        return self.name.startswith("FIXED<")

    def is_scaled_integer(self) -> bool:
        """True for ``SCALEDINT<n>``: integers of n bits times a scale that the type does not say."""
        return self.name.startswith("SCALEDINT<")

    def int_bits(self) -> int:
        """Bits before the binary point, sign included.

        Raises:
            ModelError: for a type that is not fixed point.
        """
        return self._bits - self.frac_bits()

    def frac_bits(self) -> int:
        """Bits behind the binary point: the step is 2 to the power of minus this.

        Raises:
            ModelError: for a type that is not fixed point.
        """
        if not self.is_fixed_point():
            raise ModelError(f"{self.name} has no binary point")
        return -round(math.log2(self._step))

    def scale_factor(self) -> float:
        """What one step of a fixed-point type is worth.

        Raises:
            ModelError: for a type that is not fixed point.
        """
        return 2.0 ** -self.frac_bits()

    def get_canonical_name(self) -> str:
        """The name, as qonnx calls it."""
        return self.name

    def get_num_possible_values(self) -> int:
        """How many values the type has.

        Raises:
            ModelError: for floats, whose values are not counted, and for SCALEDINT.
        """
        if self.name in _FLOATS or self.is_scaled_integer():
            raise ModelError(f"{self.name} has no number of values")
        return 2 if self.name == "BIPOLAR" else self._highest - self._lowest + 1

    @overload
    def allowed(self, value: float | np.generic) -> bool: ...
    @overload
    def allowed(self, value: NDArray[Any]) -> NDArray[np.bool_]: ...
    def allowed(self, value: float | np.generic | NDArray[Any]) -> bool | NDArray[np.bool_]:
        """True if ``value`` can be represented; of an array, for each element."""
        if isinstance(value, np.ndarray):
            return self._mask(value)
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            value = float(min(max(value, -(2**200)), 2**200))  # outside of NumPy's integers, and of any integer type
        return bool(self._mask(np.asarray(value)))

    def allowed_array(self, values: NDArray[np.generic]) -> bool:
        """True if every element of ``values`` (any shape) can be represented."""
        return bool(self._mask(np.asarray(values)).all())

    def _mask(self, numbers: NDArray[Any]) -> NDArray[np.bool_]:
        if numbers.dtype == np.float16:
            numbers = numbers.astype(np.float32)  # the limits do not fit a float16
        if self.name in _FLOATS or self.is_scaled_integer():
            limit = float(np.finfo(_FLOATS.get(self.name, np.float32)).max)
            unbounded = self.name == "FLOAT32" and numbers.dtype.kind == "f"
            inside = np.abs(numbers) <= limit
            return np.asarray(inside | np.isinf(numbers) if unbounded else inside, dtype=np.bool_)
        if self._step != 1.0:
            numbers = numbers / self._step  # a power of two: exact
        if numbers.dtype.kind == "f":
            # As float, 2^63 - 1 is 2^63: what is below the next integer is what fits.
            inside = (numbers >= float(self._lowest)) & (numbers < float(self._highest + 1))
            inside &= numbers == np.rint(numbers)
        else:
            inside = (numbers >= self._lowest) & (numbers <= self._highest)
        if self.name == "BIPOLAR":
            inside &= numbers != 0
        return np.asarray(inside, dtype=np.bool_)

    def get_hls_datatype_str(self) -> str:
        """The C++ type of Vitis HLS.

        Raises:
            ModelError: for SCALEDINT, whose scale is not known.
        """
        if self.name in _FLOATS:
            return {"FLOAT32": "float", "FLOAT16": "half"}[self.name]
        if self.is_scaled_integer():
            raise ModelError(f"{self.name} has no C++ type")
        if self.is_fixed_point():
            return f"ap_fixed<{self._bits}, {self.int_bits()}>"
        return f"ap_{'' if self.signed() else 'u'}int<{self._bits}>"

    def to_numpy_dt(self) -> np.dtype[Any]:
        """The NumPy type that holds all values: the smallest integer type, or float32 (float16 for FLOAT16)."""
        if not self._integer:
            return np.dtype(_FLOATS.get(self.name, np.float32))
        size = next(size for size in (1, 2, 4, 8) if self._bits <= 8 * size)
        return np.dtype(f"{'i' if self.signed() else 'u'}{size}")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AnyDataType):
            return self.name == other.name
        return self.name == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f'DataType["{self.name}"]'


_INTEGER_NAME = re.compile(r"(U?)INT([1-9][0-9]?)")
_FIXED_NAME = re.compile(r"FIXED<\s*([0-9]{1,2})\s*,\s*(-?[0-9]{1,3})\s*>")
_SCALED_NAME = re.compile(r"SCALEDINT<\s*([0-9]{1,2})\s*>")
_FLOAT_MAXIMUM = {name: int(np.finfo(kind).max) for name, kind in _FLOATS.items()}
_NAMED = {
    "BINARY": AnyDataType("BINARY", 1, 0, 1),
    "BIPOLAR": AnyDataType("BIPOLAR", 1, -1, 1),
    "TERNARY": AnyDataType("TERNARY", 2, -1, 1),
    "FLOAT32": AnyDataType("FLOAT32", 32, -_FLOAT_MAXIMUM["FLOAT32"], _FLOAT_MAXIMUM["FLOAT32"], False),
    "FLOAT16": AnyDataType("FLOAT16", 16, -_FLOAT_MAXIMUM["FLOAT16"], _FLOAT_MAXIMUM["FLOAT16"], False),
}


class DataTypes:
    """Look-up of datatypes by name, and the smallest for a range; ``DataType`` is the one object of this class."""

    def __getitem__(self, name: str) -> AnyDataType:
        """The datatype of a name, UINT1 being BINARY.

        Raises:
            ModelError: there is none of this name.
        """
        if not isinstance(name, str):
            raise ModelError(f"a datatype is looked up by its name, not by {name!r}")
        return _parse(name)

    @staticmethod
    def from_numpy(dtype: np.dtype[np.generic]) -> AnyDataType:
        """The datatype with the range of a NumPy dtype.

        Raises:
            ModelError: for a dtype that is neither float16, float32, float64, bool nor integer.
        """
        if dtype.kind == "b":
            return _NAMED["BINARY"]
        if dtype.kind in "iu":
            return _parse(("INT" if dtype.kind == "i" else "UINT") + str(dtype.itemsize * 8))
        if dtype.kind == "f":
            return _NAMED["FLOAT16" if dtype.itemsize == 2 else "FLOAT32"]
        raise ModelError(f"no datatype for NumPy {dtype}")

    @staticmethod
    def smallest_for_range(minimum: int, maximum: int) -> AnyDataType:
        """The smallest integer type with all of ``minimum … maximum``.

        Raises:
            ModelError: where more than 64 bits would be needed, or the range is empty.
        """
        if minimum > maximum:
            raise ModelError(f"empty range {minimum} … {maximum}")
        low, high = int(minimum), int(maximum)
        if low >= 0:
            bits = max(1, high.bit_length())
        else:
            bits = max(2, 1 + max((-low - 1).bit_length(), max(high, 0).bit_length()))
        if bits > 64:
            raise ModelError(f"{low} … {high} takes {bits} bits, integer types have at most 64")
        return _parse(f"{'UINT' if low >= 0 else 'INT'}{bits}")

    @staticmethod
    def get_smallest_possible(value: float) -> AnyDataType:
        """The type of the fewest bits that one value has, unsigned before signed; FLOAT32 for a fraction.

        Raises:
            ModelError: where more than 64 bits would be needed.
        """
        if not float(value).is_integer():
            return _NAMED["FLOAT32"]
        if value == -1:
            return _NAMED["BIPOLAR"]
        return DataTypes.smallest_for_range(min(0, int(value)), max(0, int(value)))

    @staticmethod
    def get_accumulator_dt_cands() -> list[str]:
        """Names of the integer types, the order in which qonnx tries them."""
        unsigned = ["BINARY", *(f"UINT{bits}" for bits in range(2, 65))]
        return [*unsigned, "BIPOLAR", "TERNARY", *(f"INT{bits}" for bits in range(2, 65))]


DataType = DataTypes()
"""The look-up: ``DataType["UINT2"]``."""


@functools.lru_cache(maxsize=1024)
def _parse(name: str) -> AnyDataType:
    if name in _NAMED:
        return _NAMED[name]
    if name == "UINT1":
        return _NAMED["BINARY"]
    if match := _INTEGER_NAME.fullmatch(name):
        bits = int(match[2])
        if bits <= 64 and match[1]:
            return AnyDataType(name, bits, 0, 2**bits - 1)
        if 1 < bits <= 64:
            return AnyDataType(name, bits, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if match := _FIXED_NAME.fullmatch(name):
        bits, integer_bits = int(match[1]), int(match[2])
        if 1 < bits <= 64 and abs(integer_bits) <= 64:
            canonical = f"FIXED<{bits},{integer_bits}>"
            step = 2.0 ** (integer_bits - bits)
            return AnyDataType(canonical, bits, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, False, step)
    if match := _SCALED_NAME.fullmatch(name):
        bits = int(match[1])
        if 1 < bits <= 64:
            limit = _FLOAT_MAXIMUM["FLOAT32"]
            return AnyDataType(f"SCALEDINT<{bits}>", bits, -limit, limit, False)
    raise ModelError(
        f"no datatype is called {name!r}",
        remedy="Known: BINARY, BIPOLAR, TERNARY, UINT1…UINT64, INT2…INT64, FIXED<w,i>, SCALEDINT<n>, FLOAT32.",
    )
