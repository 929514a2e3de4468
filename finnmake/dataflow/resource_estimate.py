"""How much of an FPGA a layer takes, estimated from its structure.

Memories and multipliers are counted as the kernels have them and synthesis maps them for ECP5. LUTs are a sum of what
the parts of a kernel have, each times a factor that was fitted to the synthesis of cores (Yosys 0.70, ``synth_ecp5
-nowidelut``, LUT4s as nextpnr counts them; ``FACTORS``): of 24 cores, the LUTs of matrix layers were estimated to a
quarter, those of the others to less than a half; block memories and multipliers are those of the synthesis. A build's
report has the synthesis' own numbers; this is for choosing a folding before that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.dot_product import Products
from finnmake.dataflow.elementwise_binary import ElementwiseBinaryOperation, ElementwiseMul
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import Layer, MemoryShape, VerilogLiteral, structural_datatype
from finnmake.dataflow.lookup import Lookup
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.pipelines import search_stages
from finnmake.dataflow.requant import Requant
from finnmake.dataflow.stream_reorder import StreamReorder
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.dataflow.thresholding import Thresholding
from finnmake.dataflow.vector_activation import VectorActivation
from finnmake.graph.datatype import AnyDataType

_BLOCK_SHAPES = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))
"""Widths and depths of one block memory: DP16KD of ECP5, 18 kbit, as BRAM_18K of Xilinx."""


@dataclass(frozen=True)
class Resources:
    """What one core takes.

    Attributes:
        LUT: look-up tables of 4 inputs, carry and distributed memory included.
        BRAM_18K: block memories of 18 kbit.
        DSP: multipliers of 18 by 18 bits.
        URAM: UltraRAMs of 4096 by 72 bits.
    """

    LUT: int
    BRAM_18K: int
    DSP: int
    URAM: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(mine + of_other for mine, of_other in zip(astuple(self), astuple(other), strict=True)))

    def as_dict(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


def estimate_resources(layer: Layer) -> Resources:
    """What a layer's core takes.

    Args:
        layer: its parameters are not looked at, their memories are counted.
    """
    parts = lut_parts(layer)
    blocks = 0
    parameters = layer.verilog_parameters()
    for name, memory in layer.memory_shapes().items():
        if _is_block_memory(name, parameters):
            blocks += block_memories(memory.depth, memory.width, *_copies(layer, name, memory))
    style, depth, width = _written_memory(layer)
    if style == "block":
        blocks += block_memories(depth, width)
    ultra = -(-depth // 4096) * -(-width // 72) if style == "ultra" else 0
    luts = round(sum(FACTORS[name] * count for name, count in parts.items()))
    return Resources(luts, blocks, layer.multipliers, ultra)


def _written_memory(layer: Layer) -> tuple[str, int, int]:
    """What holds the words that a layer keeps, how many they are, and their bits."""
    if isinstance(layer, StreamingFIFO):
        return layer.implementation(), layer.depth, layer.input_stream().width
    if isinstance(layer, ConvolutionInputGenerator):
        return layer.memory_style(), layer.memory_depth(), layer.memory_width()
    if isinstance(layer, StreamReorder):
        return str(layer.verilog_parameters()["RAM_STYLE"]), 2 * layer.block_words, layer.input_stream().width
    return "none", 0, 0


def _is_block_memory(name: str, parameters: Mapping[str, int | str | VerilogLiteral]) -> bool:
    """True where the kernel has this memory as block memory."""
    if name.startswith("thresholds_"):
        return int(name.removeprefix("thresholds_")) >= int(str(parameters["FIRST_BLOCK_STAGE"]))
    return parameters.get(f"{name.upper()}_RAM_STYLE", parameters.get("RAM_STYLE")) == "block"


def _copies(layer: Layer, name: str, memory: MemoryShape) -> tuple[int, int]:
    """How many memories a core has of one that is loaded, and their width: each value that is searched has its own."""
    if name.startswith("thresholds_"):
        return layer.output_stream().elements_per_word, memory.datatype.bitwidth()
    return 1, memory.width


def block_memories(depth: int, width: int, copies: int = 1, part: int = 0) -> int:
    """Block memories of 18 kbit that a memory takes in the best of their shapes.

    Args:
        depth: words.
        width: bits of a word.
        copies: how many memories are loaded with the same words, each of which keeps a part.
        part: bits of a part, of which copy ``i`` keeps the ``i``-th; 0 for whole words. A block memory starts at a
            multiple of its width in the word, so that some parts lie in one more than they would fill.
    """
    part = part or width
    firsts = [copy * part % width for copy in range(copies)]
    return min(
        -(-depth // d) * sum((first + part - 1) // w - first // w + 1 for first in firsts) for w, d in _BLOCK_SHAPES
    )


def distributed_luts(depth: int, width: int) -> int:
    """LUTs of a memory that is written: TRELLIS_DPR16X4 has 16 x 4 bits and takes 6 LUTs, its write port included."""
    return 6 * -(-depth // 16) * -(-width // 4)


def word_bits(layer: Layer) -> int:
    """Bits of a word of every stream."""
    return sum(stream.width for stream in (*layer.input_streams(), *layer.output_streams()))


FACTORS = {
    "core": 40.0,
    "planes": 2.4,
    "products": 3.0,
    "sums": 1.2,
    "accumulators": 2.7,
    "thresholds": 1.0,
    "weights": 1.8,
    "levels": 0.4,
    "memory": 1.0,
    "words": 0.5,
}
"""LUTs per unit of `lut_parts`."""


def lut_parts(layer: Layer) -> dict[str, int]:
    """What of a core takes LUTs, in the units that ``FACTORS`` weighs.

    ``planes``: products of single bits, with their count. ``products``: bits of multiplier times multiplicand, with the
    sum. ``sums``: bits of sums behind hard multipliers, or that are compared. ``accumulators``, ``thresholds``: bits of
    them that work at once. ``weights``: LUTs of the memories of weights, and of thresholds that are searched, where
    they are gates, one for 16 words of a bit. ``levels``: the same of thresholds that are compared at once.
    ``memory``: LUTs of distributed memory. ``words``: bits of words in the stream. ``core``: one.
    """
    style, depth, width = _written_memory(layer)
    parts = dict.fromkeys(FACTORS, 0) | {"core": 1, "words": word_bits(layer)}
    parts["memory"] = distributed_luts(depth, width) if style == "distributed" else 0
    parameters = layer.verilog_parameters()
    for name, memory in layer.memory_shapes().items():
        if not _is_block_memory(name, parameters) and memory.depth > 1:  # one word is a constant
            copies, width = _copies(layer, name, memory)
            parts["weights" if name == "weights" or name.startswith("thresholds_") else "levels"] += (
                copies * width * -(-memory.depth // 16)
            )
    if isinstance(layer, VectorActivation):
        parts |= _product_parts(layer)
    elif isinstance(layer, Thresholding):
        parts["thresholds"] = _compared_bits(layer, layer.numSteps)
    elif isinstance(layer, LabelSelect):
        # Of several labels every place compares, and takes the element, its neighbour's or its own.
        places = 4 * layer.K if layer.K > 1 else layer.PE
        parts["sums"] = places * (layer.input_stream().datatype.bitwidth() + layer.output_stream().width)
    elif isinstance(layer, StreamingDataWidthConverter):
        parts["words"] *= 2
    elif isinstance(layer, ElementwiseBinaryOperation | Requant):
        # Results wait in a queue. Of a sum there is the bias, half a step, and a comparison with each end.
        output = layer.output_stream().width
        sums = 4 * layer.PE * layer.accumulator_width if isinstance(layer, Requant) else output
        parts |= {"sums": sums, "memory": distributed_luts(4, output), "words": 0}
        if not layer.multipliers:
            parts["products"] = layer.PE * _product_bits(layer)
    elif isinstance(layer, Lookup):
        parts["words"] = 0
    return parts


def _product_bits(layer: ElementwiseBinaryOperation | Requant) -> int:
    """Bits of multiplier times multiplicand; 0 of a layer that does not multiply."""
    if isinstance(layer, Requant):
        return _bits(layer.inputDataType) * _bits(layer.multiplierDataType)
    return _bits(layer.lhs_dtype) * _bits(layer.rhs_dtype) if isinstance(layer, ElementwiseMul) else 0


def _bits(datatype: str) -> int:
    return structural_datatype(datatype).bitwidth()


def _product_parts(layer: VectorActivation) -> dict[str, int]:
    pairs = layer.PE * layer.SIMD
    source, weight = structural_datatype(layer.inputDataType), structural_datatype(layer.weightDataType)
    counted = layer.products() in (Products.BITS, Products.PLANES)
    bits = source.bitwidth() + weight.bitwidth()
    # Of two products by one multiplier: the sum of the weights, what one takes from the other, and the lowest bits that
    # are made again where they overlap (``product_pair.v``).
    overlap = max(0, bits - (17 - weight.bitwidth()))
    parting = bits + weight.bitwidth() + 1 + overlap + overlap**2 if layer.products() is Products.PAIRS else 0
    parts = {
        "planes": pairs * _planes(source, weight) if counted else 0,
        "products": 0 if counted or layer.multipliers else pairs * source.bitwidth() * weight.bitwidth(),
        "sums": pairs * bits + layer.multipliers * parting if layer.multipliers else 0,
        "accumulators": layer.PE * structural_datatype(layer.accDataType).bitwidth(),
    }
    if not layer.noActivation:
        parts["thresholds"] = _compared_bits(layer, layer.numSteps)
    if isinstance(layer, MatrixVectorActivation) and layer.folds > 1 and layer.steps > 1:  # the vector is kept
        parts["memory"] = distributed_luts(layer.steps, layer.input_stream().width)
    if isinstance(layer, MatrixVectorActivation) and layer.mem_mode == "internal_decoupled":
        parts["words"] = word_bits(layer) + 2 * layer.weight_stream().width
    return parts


def _compared_bits(layer: Layer, num_steps: int) -> int:
    """Bits of thresholds that are compared in one cycle."""
    comparators = search_stages(num_steps) or num_steps
    width = next(memory.datatype.bitwidth() for name, memory in layer.memory_shapes().items() if name != "weights")
    return layer.output_stream().elements_per_word * comparators * width


def _planes(source: AnyDataType, weight: AnyDataType) -> int:
    """Products of single bits that are counted per product."""
    return 1 if source.bitwidth() == weight.bitwidth() == 1 else _plane_count(source) * _plane_count(weight)


def _plane_count(datatype: AnyDataType) -> int:
    return 1 if datatype.name in ("BIPOLAR", "TERNARY") else datatype.bitwidth()
