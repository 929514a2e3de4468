"""The memories of a core, as synthesis sees them: what they hold, how, and in how many pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.elementwise_binary import ElementwiseBinaryOperation
from finnmake.dataflow.fabric import Fabric
from finnmake.dataflow.global_acc_pool import GlobalAccPool
from finnmake.dataflow.layer import Layer, VerilogLiteral, structural_datatype
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.requant import Requant
from finnmake.dataflow.stream_reorder import StreamReorder
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.dataflow.vector_activation import VectorActivation

Written = tuple[str, int, int]
"""Of a memory that is written: ``distributed``, ``block``, ``ultra``, or none of them; words; bits of a word."""

NONE: Written = ("none", 0, 0)


@dataclass(frozen=True)
class LoadedMemory:
    """A memory that is loaded and never written.

    Attributes:
        name: of its image.
        block: True where it is block memory, else gates.
        depth: words.
        width: bits of a word.
        copies: how many there are of it: each value that is searched has its own.
        part: bits of a word that each copy reads.
        bits: of an element.
    """

    name: str
    block: bool
    depth: int
    width: int
    copies: int
    part: int
    bits: int

    def blocks(self, fabric: Fabric) -> int:
        """Block memories of 18 kbit that it takes."""
        return fabric.block_roms(self.depth, self.width, self.copies, self.part) if self.block else 0


def loaded_memories(layer: Layer) -> list[LoadedMemory]:
    """A core's memories that are loaded."""
    shapes = layer.memory_shapes()
    parameters = layer.verilog_parameters() if shapes else {}
    found = []
    for name, shape in shapes.items():
        searched = name.startswith("thresholds_")
        width = shape.width
        if name == "weights" and isinstance(layer, VectorActivation):
            # Weights that need fewer bits than their type has leave the others empty, which synthesis sees.
            width = layer.PE * layer.SIMD * weight_bits(layer)
        bits, copies = shape.datatype.bitwidth(), layer.output_stream().elements_per_word if searched else 1
        block, part = _is_block(name, parameters), bits if searched else width
        found.append(LoadedMemory(name, block, shape.depth, width, copies, part, bits))
    return found


def _is_block(name: str, parameters: Mapping[str, int | str | VerilogLiteral]) -> bool:
    """True where the kernel has this memory as block memory."""
    if name.startswith("thresholds_"):
        return int(name.removeprefix("thresholds_")) >= int(str(parameters["FIRST_BLOCK_STAGE"]))
    return parameters.get(f"{name.upper()}_RAM_STYLE", parameters.get("RAM_STYLE")) == "block"


def weight_bits(layer: VectorActivation) -> int:
    """Bits of a weight: those of its type, or those that are not 0 in all of them where the weights are known."""
    datatype = structural_datatype(layer.weightDataType)
    weights = layer.parameters.get("weights")
    if weights is None or datatype.signed():
        return datatype.bitwidth()
    return min(datatype.bitwidth(), max(1, int(weights.max()).bit_length()))


def written_memory(layer: Layer) -> Written:
    """What holds the words that a layer keeps."""
    if isinstance(layer, StreamingFIFO):
        return layer.implementation(), layer.depth, layer.input_stream().width
    if isinstance(layer, ConvolutionInputGenerator):
        return layer.memory_style(), layer.memory_depth(), layer.memory_width()
    if isinstance(layer, StreamReorder):
        return str(layer.verilog_parameters()["RAM_STYLE"]), 2 * layer.block_words, layer.input_stream().width
    if isinstance(layer, GlobalAccPool) and layer.NumChannels > layer.PE:
        return "distributed", layer.NumChannels // layer.PE, layer.output_stream().width
    if isinstance(layer, ElementwiseBinaryOperation | Requant):  # the queue of results
        return "distributed", 4, layer.output_stream().width
    return NONE


def replay_memory(layer: Layer, fabric: Fabric) -> Written:
    """What keeps an input vector for later folds (``input_replay.v``): synthesis chooses."""
    if not isinstance(layer, MatrixVectorActivation) or layer.folds == 1 or layer.steps == 1:
        return NONE
    depth, width = layer.steps, layer.input_stream().width
    return ("block" if fabric.prefers_block(depth, width) else "distributed"), depth, width
