"""Lookup: a row of a table (an embedding) for every index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from finnmake.dataflow.checks import check_choice, check_folding, check_integer_type, parameter
from finnmake.dataflow.layer import IntegerArray, Layer, MemoryImage, MemoryShape, Stream, structural_datatype
from finnmake.dataflow.pipelines import rom_style
from finnmake.errors import ModelError


@dataclass(frozen=True, eq=False)
class Lookup(Layer):
    """Gives the embedding of every index. An index behind the last row stands for the last row.

    Attributes:
        NumEmbeddings: rows of the table.
        EmbeddingDim: elements of a row.
        PE: elements in an output word.
        InputType: of the indices, unsigned.
        EmbeddingType: of the table's elements.
        NumIndices: indices of a frame.
        ram_style: of the table: ``auto``, ``distributed`` or ``block``.

    ``parameters["embeddings"]``: int64 (NumEmbeddings, EmbeddingDim).
    """

    NumEmbeddings: int
    EmbeddingDim: int
    PE: int
    InputType: str
    EmbeddingType: str
    NumIndices: int = 1
    ram_style: str = "auto"

    op_type: ClassVar[str] = "Lookup"
    kernel: ClassVar[str] = "lookup"
    verilog_files: ClassVar[tuple[str, ...]] = ("common/stream_register.v", "lookup/lookup.v")
    cpp_files: ClassVar[tuple[str, ...]] = ("include/synthesis.hpp", "lookup/lookup.hpp")

    def check(self) -> None:
        check_folding(self, "PE", "EmbeddingDim")
        if min(self.NumEmbeddings, self.NumIndices) < 1:
            raise ModelError(
                f"NumEmbeddings = {self.NumEmbeddings}, NumIndices = {self.NumIndices}",
                where=self.op_type,
                remedy="Both are 1 or more.",
            )
        check_choice(self, "ram_style", ("auto", "distributed", "block"))
        if check_integer_type(self, "InputType", 31).signed():
            raise ModelError(f"InputType is {self.InputType}", where=self.op_type, remedy="Indices are unsigned.")
        datatype = check_integer_type(self, "EmbeddingType", 64)
        if "embeddings" in self.parameters:
            table = self.parameters["embeddings"]
            if table.shape != (self.NumEmbeddings, self.EmbeddingDim) or not datatype.allowed_array(table):
                raise ModelError(
                    f"embeddings of shape {table.shape}, {int(table.min())} … {int(table.max())}",
                    where=self.op_type,
                    remedy=f"They are ({self.NumEmbeddings}, {self.EmbeddingDim}) of EmbeddingType {datatype.name}.",
                )

    @property
    def _folds(self) -> int:
        return self.EmbeddingDim // self.PE

    def input_stream(self) -> Stream:
        return Stream(structural_datatype(self.InputType), 1, self.NumIndices)

    def output_stream(self) -> Stream:
        return Stream(structural_datatype(self.EmbeddingType), self.PE, self.NumIndices * self._folds)

    def interval_cycles(self) -> int:
        return self.NumIndices * self._folds

    def first_output_latency(self) -> int:
        """The register of the index and that of the memory."""
        return 2

    def execute(self, frames: IntegerArray) -> IntegerArray:
        indices = np.minimum(np.asarray(frames, dtype=np.int64), self.NumEmbeddings - 1)
        rows: IntegerArray = parameter(self, "embeddings").astype(np.int64)[indices]
        return rows.reshape(len(frames), -1)

    def verilog_parameters(self) -> dict[str, int | str]:
        width = self.output_stream().width
        return {
            "INDEX_WIDTH": self.input_stream().width,
            "ROWS": self.NumEmbeddings,
            "FOLDS": self._folds,
            "WIDTH": width,
            "RAM_STYLE": rom_style(self.ram_style, self.NumEmbeddings * self._folds, width),
        }

    def cpp_template_arguments(self) -> list[str]:
        numbers = (self.NumEmbeddings, self._folds, self.output_stream().width, self.NumIndices)
        return [str(number) for number in (self.input_stream().width, *numbers)]

    def memory_images(self) -> dict[str, MemoryImage]:
        """Row after row, a row in folds."""
        table = parameter(self, "embeddings")
        return {"embeddings": MemoryImage(table.reshape(-1, self.PE), structural_datatype(self.EmbeddingType))}

    def memory_shapes(self) -> dict[str, MemoryShape]:
        depth = self.NumEmbeddings * self._folds
        return {"embeddings": MemoryShape(depth, self.PE, structural_datatype(self.EmbeddingType))}
