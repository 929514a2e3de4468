"""Layers with several input or output streams.

The core has one AXI4-Stream port for each, ``in0``, ``in1``, … and ``out0``, ``out1``, …; a side with a single stream
has ``s_axis`` or ``m_axis`` as ever. The kernel's Verilog module has ``s_axis_*`` and ``m_axis_*`` always: of a side
with several streams they are their concatenation, stream 0 in the least significant bits. The kernel's C++ function
takes the streams one by one, inputs first.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from finnmake.dataflow.layer import IntegerArray, Layer, Stream
from finnmake.errors import ModelError


@dataclass(frozen=True, eq=False)
class MultiStreamLayer(Layer):
    """Base of layers that state their streams as tuples."""

    @abstractmethod
    def input_streams(self) -> tuple[Stream, ...]:
        """The streams that this layer consumes."""

    @abstractmethod
    def output_streams(self) -> tuple[Stream, ...]:
        """The streams that this layer produces."""

    @abstractmethod
    def execute_streams(self, frames: Sequence[IntegerArray]) -> tuple[IntegerArray, ...]:
        """NumPy reference.

        Args:
            frames: per input stream (batch, its elements per frame), int64.

        Returns:
            Per output stream (batch, its elements per frame), int64.
        """

    def input_stream(self) -> Stream:
        """The only input stream.

        Raises:
            ModelError: there are several.
        """
        return self._only(self.input_streams(), "input")

    def output_stream(self) -> Stream:
        """The only output stream.

        Raises:
            ModelError: there are several.
        """
        return self._only(self.output_streams(), "output")

    def execute(self, frames: IntegerArray) -> IntegerArray:
        """The reference of a layer with one input and one output.

        Raises:
            ModelError: there are several.
        """
        self.input_stream(), self.output_stream()
        return self.execute_streams([frames])[0]

    def _only(self, streams: tuple[Stream, ...], side: str) -> Stream:
        if len(streams) != 1:
            raise ModelError(
                f"has {len(streams)} {side} streams where one is wanted",
                where=self.op_type,
                remedy="Only layers with one input and one output can stand in a chain.",
            )
        return streams[0]
