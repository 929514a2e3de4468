"""A quantiser of too many levels for thresholds, as a multiplication and an addition in fixed point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from finnmake.errors import ModelError
from finnmake.graph.custom_op import describe
from finnmake.graph.datatype import AnyDataType, DataType
from finnmake.graph.quantiser import Quantiser
from finnmake.transformation.streamline.fixed_point_search import FixedPoint, NoFixedPointError, fixed_point
from finnmake.transformation.streamline.threshold_extraction import Thresholds

_MOST_POINTS = 4


@dataclass(frozen=True)
class Requantisation:
    """The integers of a quantiser: a rounded product, clipped to a datatype, and a constant that is added.

    Attributes:
        form: the rounded product.
        datatype: that it is clipped to.
        offset: added behind; 0 where the datatype ends where the quantiser does.
    """

    form: FixedPoint
    datatype: AnyDataType
    offset: int

    def changes(self, low: int, high: int) -> bool:
        """False where every integer from ``low`` to ``high`` stays as it is."""
        form = self.form
        same = form.shift == 0 and (form.multipliers == 1).all() and not form.biases.any() and not self.offset
        return not (same and self.datatype.allowed(low) and self.datatype.allowed(high))


def requantisation_of(
    node: ir.Node, quantiser: Quantiser, thresholds: Thresholds, low: int, high: int
) -> Requantisation:
    """The form that gives the quantiser's integers for every integer of its range.

    Args:
        node: the quantiser's.
        quantiser: of steps of 1.
        thresholds: of the quantiser with what is before it.
        low: smallest integer that it takes.
        high: the largest.

    Raises:
        ModelError: there is none; names integers that no line goes through.
    """
    failed: NoFixedPointError | None = None
    for datatype, offset in _clippings(quantiser, thresholds, low, high):
        try:
            form = fixed_point(thresholds, low, high, quantiser.minimum - offset, datatype)
        except NoFixedPointError as problem:
            failed = failed or problem
            continue
        return Requantisation(form, datatype, offset)
    points = failed.points[:_MOST_POINTS] if failed is not None else ()
    given = ": " + ", ".join(f"{q} gives {y}" for q, y in points) if points else ""
    raise ModelError(
        f"it has {quantiser.thresholds + 1} levels, too many for thresholds, and no multiplier, bias and shift of a "
        f"Requant give its integers in channel {failed.channel if failed is not None else 0}{given}",
        where=describe(node),
        remedy="Quantise it to 8 bits or fewer, or use scales that are powers of two, without a narrow range.",
    )


def _clippings(quantiser: Quantiser, thresholds: Thresholds, low: int, high: int) -> Iterator[tuple[AnyDataType, int]]:
    """Datatypes whose ends may be those of the quantiser, each with the integer that its 0 stands for."""
    yield quantiser.datatype, 0
    falls = thresholds.falling[:, None]
    starts = (thresholds.values <= np.where(falls, -high, low)).sum(axis=1)
    ends = (thresholds.values <= np.where(falls, -low, high)).sum(axis=1)
    least, most = quantiser.minimum + int(starts.min()), quantiser.minimum + int(ends.max())
    unsigned = DataType.smallest_for_range(0, max(most - least, 1))
    if (unsigned, least) != (quantiser.datatype, 0):
        yield unsigned, least
