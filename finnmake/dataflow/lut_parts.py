"""What of a layer's core takes LUTs: counted in units that ``lut_estimate`` weighs, one function a kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch

from finnmake.dataflow.convolution_input_generator import ConvolutionInputGenerator
from finnmake.dataflow.crop import Crop
from finnmake.dataflow.dot_product import Products, decoded_width
from finnmake.dataflow.duplicate_streams import DuplicateStreams
from finnmake.dataflow.elementwise_binary import ElementwiseBinaryOperation, ElementwiseMul
from finnmake.dataflow.fabric import Fabric
from finnmake.dataflow.fm_padding import FMPadding
from finnmake.dataflow.global_acc_pool import GlobalAccPool
from finnmake.dataflow.label_select import LabelSelect
from finnmake.dataflow.layer import Layer, structural_datatype
from finnmake.dataflow.lookup import Lookup
from finnmake.dataflow.matrix_vector_activation import MatrixVectorActivation
from finnmake.dataflow.memories import LoadedMemory, replay_memory, weight_bits, written_memory
from finnmake.dataflow.pipelines import search_stages
from finnmake.dataflow.pool import Pool
from finnmake.dataflow.requant import Requant
from finnmake.dataflow.stream_reorder import StreamReorder
from finnmake.dataflow.streaming_concat import StreamingConcat, StreamingSplit
from finnmake.dataflow.streaming_data_width_converter import StreamingDataWidthConverter
from finnmake.dataflow.streaming_fifo import StreamingFIFO
from finnmake.dataflow.thresholding import Thresholding
from finnmake.dataflow.vector_activation import VectorActivation
from finnmake.graph.datatype import AnyDataType

Loaded = Sequence[LoadedMemory]

Parts = Mapping[str, float]
"""What there is of each part. ``core`` is one; what the others count is said by the functions."""


@singledispatch
def lut_parts(layer: Layer, fabric: Fabric, loaded: Loaded) -> Parts:
    """What of a core takes LUTs: here of one that nothing more is known of, the bits of its ``words``.

    Args:
        layer: of the core.
        fabric: that it is made for.
        loaded: its memories that are loaded.
    """
    return {"core": 1, "words": _word_bits(layer)}


@lut_parts.register
def _(layer: VectorActivation, fabric: Fabric, loaded: Loaded) -> Parts:
    """Of matrix layers.

    ``counters``: bits of what counts words and folds. ``inputs``: bits of an input word. ``planes``: single bits that
    are counted. ``products``: bits of input times bits of weight, with the sum. ``sums``: bits of sums behind hard
    multipliers. ``pairs``: bits that part two products of one multiplier. ``accumulators``, ``compared``: their bits,
    and those of thresholds that are compared at once. ``memory``: LUTs of what is written. ``weights``,
    ``thresholds``: LUTs of memories that are not, where they are gates. ``streamed``: bits of streams of weights.
    """
    source, bits = structural_datatype(layer.inputDataType), weight_bits(layer)
    pairs, products = layer.PE * layer.SIMD, layer.products()
    counted = products in (Products.BITS, Products.PLANES)
    product = source.bitwidth() + bits
    hard = layer.multipliers > 0
    decoupled = isinstance(layer, MatrixVectorActivation) and layer.mem_mode == "internal_decoupled"
    return {
        "core": 1,
        "counters": _counter_bits(layer.steps, layer.folds),
        "inputs": layer.input_stream().width,
        "planes": pairs * _planes(layer) + _input_planes(layer) if counted else 0,
        "products": 0 if counted or hard else pairs * decoded_width(source) * (2 if bits == 1 else bits),
        "sums": layer.PE * (layer.SIMD - 1) * product if hard else 0,
        "pairs": layer.multipliers * _parted_bits(source, bits) if products is Products.PAIRS else 0,
        "accumulators": layer.PE * structural_datatype(layer.accDataType).bitwidth() if layer.steps > 1 else 0,
        "compared": 0 if layer.noActivation else _compared_bits(layer, layer.numSteps, loaded),
        "memory": _memory(layer, fabric),
        "weights": _roms(loaded, fabric, "weights"),
        "thresholds": _roms(loaded, fabric, "thresholds"),
        "streamed": 2 * layer.PE * layer.SIMD * bits if decoupled else 0,
    }


@lut_parts.register
def _(layer: Thresholding, fabric: Fabric, loaded: Loaded) -> Parts:
    """``words``: bits of words. ``searched``: bits of thresholds that are searched at once, where there are stages.

    ``thresholds``: as of matrix layers; those that all channels share become part of the comparison.
    """
    return {
        "core": 1,
        "words": _word_bits(layer),
        "searched": _compared_bits(layer, layer.numSteps, loaded) if search_stages(layer.numSteps) else 0,
        "thresholds": 0 if layer.sharedThresholds or layer.NumChannels == 1 else _roms(loaded, fabric, "thresholds"),
    }


@lut_parts.register
def _(layer: ConvolutionInputGenerator, fabric: Fabric, loaded: Loaded) -> Parts:
    """``counters``: bits of loops' counts. ``steps``: bits of what a loop adds. ``addresses``: bits of an address.

    ``memory``: LUTs of the memory, or of the multiplexer behind its block memories. In parallel: the bits of counters
    and of a pixel.
    """
    memory = _memory(layer, fabric)
    if layer.parallel_window:
        parameters = layer.verilog_parameters()
        counters = _counter_bits(int(str(parameters["ROWS"])), int(str(parameters["COLUMNS"])))
        return {"core": 1, "words": layer.input_stream().width, "places": counters, "memory": memory}
    parameters, loops = layer.verilog_parameters(), layer.schedule().counting()
    return {
        "counters": _counter_bits(*(loop.size for loop in loops)),
        "steps": (len(loops) + 1) * int(str(parameters["DISTANCE_BITS"])),
        "addresses": _counter_bits(layer.memory_depth()),
        "memory": memory,
        "rows": _rows(layer, fabric),
    }


@lut_parts.register(FMPadding)
@lut_parts.register(Crop)
def _(layer: FMPadding | Crop, fabric: Fabric, loaded: Loaded) -> Parts:
    """``counters``: bits of the place in the image. ``words``: bits of a word."""
    parameters = layer.verilog_parameters()
    counters = _counter_bits(int(str(parameters["HEIGHT"])) + 1, int(str(parameters["ROW"])) + 1)
    return {"core": 1, "counters": counters, "words": layer.input_stream().width}


@lut_parts.register
def _(layer: Pool, fabric: Fabric, loaded: Loaded) -> Parts:
    """``counters``: bits of the count of taps. ``values``: bits of values that are compared or added."""
    parameters = layer.verilog_parameters()
    return {
        "core": 1,
        "counters": _counter_bits(layer.taps),
        "values": layer.PE * int(str(parameters["ACCUMULATOR_WIDTH"])),
    }


@lut_parts.register
def _(layer: GlobalAccPool, fabric: Fabric, loaded: Loaded) -> Parts:
    """``counters``: bits of counts of folds and pixels. ``words``: bits of sums. ``memory``: LUTs that keep them.

    ``sums``: bits that are added, where there is more than one pixel.
    """
    folds = layer.NumChannels // layer.PE
    return {
        "core": 1,
        "sums": layer.output_stream().width if layer.numInputVectors > 1 else 0,
        "counters": _counter_bits(folds, layer.numInputVectors),
        "words": layer.output_stream().width,
        "memory": _memory(layer, fabric),
    }


@lut_parts.register(DuplicateStreams)
@lut_parts.register(StreamingConcat)
@lut_parts.register(StreamingSplit)
def _(layer: DuplicateStreams | StreamingConcat | StreamingSplit, fabric: Fabric, loaded: Loaded) -> Parts:
    """``streams``: those of the side that has more. ``counters``: bits of the words that are left of one.

    ``words``: bits of the words of all streams.
    """
    streams = max(len(layer.input_streams()), len(layer.output_streams()))
    turns = int(str(layer.verilog_parameters().get("BITS", 0)))
    return {"core": 1, "streams": streams, "counters": turns * streams, "words": _word_bits(layer)}


@lut_parts.register
def _(layer: StreamReorder, fabric: Fabric, loaded: Loaded) -> Parts:
    """``counters``: bits of loops' counts. ``steps``: bits of what they add to the address. ``memory``: its LUTs."""
    parameters = layer.verilog_parameters()
    loops, address = int(str(parameters["LOOPS"])), int(str(parameters["ADDRESS_BITS"]))
    return {
        "core": 1,
        "counters": _counter_bits(*(loop.size for loop in layer.loops())),
        "steps": (loops + 1) * address,
        "memory": _memory(layer, fabric),
    }


@lut_parts.register
def _(layer: LabelSelect, fabric: Fabric, loaded: Loaded) -> Parts:
    """``compared``: bits of an element and its index, as often as such are compared; ``counters``: bits of an index."""
    # Of several labels every place compares, and takes the element, its neighbour's or its own.
    places = 2.5 * layer.K if layer.K > 1 else layer.PE
    element = layer.input_stream().datatype.bitwidth() + _counter_bits(layer.Labels)
    return {"core": 1, "compared": places * element, "counters": _counter_bits(layer.Labels)}


@lut_parts.register
def _(layer: ElementwiseBinaryOperation, fabric: Fabric, loaded: Loaded) -> Parts:
    """``sums``: bits that are added. ``products``: bits times bits. ``constants``: LUTs of memories that are loaded.

    ``memory``: LUTs of the queue of results.
    """
    width, products = layer.output_stream().width, 0
    if isinstance(layer, ElementwiseMul):
        width = 0
        products = 0 if layer.multipliers else layer.PE * _bits(layer.lhs_dtype) * _bits(layer.rhs_dtype)
    return {
        "core": 1,
        "sums": width,
        "products": products,
        "constants": _roms(loaded, fabric, "rhs"),
        "memory": _memory(layer, fabric),
    }


@lut_parts.register
def _(layer: Requant, fabric: Fabric, loaded: Loaded) -> Parts:
    """``sums``: bits that are added to a bias and half a step and compared with both ends. Others as of products."""
    factors = _bits(layer.inputDataType) * _bits(layer.multiplierDataType)
    return {
        "core": 1,
        "sums": layer.PE * layer.accumulator_width,
        "products": 0 if layer.multipliers else layer.PE * factors,
        "constants": _roms(loaded, fabric, "multipliers") + _roms(loaded, fabric, "biases"),
    }


@lut_parts.register
def _(layer: Lookup, fabric: Fabric, loaded: Loaded) -> Parts:
    """``words``: bits of an index and of its address. ``constants``: LUTs of the table, where it is gates."""
    depth = layer.memory_shapes()["embeddings"].depth
    return {
        "core": 1,
        "words": layer.input_stream().width + _counter_bits(depth),
        "constants": _roms(loaded, fabric, "embeddings"),
    }


@lut_parts.register
def _(layer: StreamingFIFO, fabric: Fabric, loaded: Loaded) -> Parts:
    """``counters``: bits of counts and pointers. ``words``: bits that move up. ``memory``: LUTs of the memory."""
    style = layer.implementation()
    count, pointer = layer.depth.bit_length(), _counter_bits(layer.depth)
    if style == "registers":
        return {"core": 1, "counters": count, "words": layer.input_stream().width * (layer.depth - 1)}
    counts = 1 if style == "distributed" else 2
    return {
        "core": 1,
        "counters": counts * count + 2 * pointer,
        "memory": _memory(layer, fabric),
        "rows": _rows(layer, fabric),
    }


@lut_parts.register
def _(layer: StreamingDataWidthConverter, fabric: Fabric, loaded: Loaded) -> Parts:
    """``places``: where a word may begin. ``moved``: bits that another one may follow.

    Where words are joined or cut in equal parts, those that are left when a word leaves. In any other ratio every unit
    may come from several places: their number, a third of which a bit of a multiplexer takes as long as one that moves.
    """
    unit_bits, units_in, units_out = layer.units()
    capacity = units_in + units_out + min(units_in, units_out) - 1
    places = capacity - units_in + 1
    if 1 in (units_in, units_out):
        moved = float(capacity - units_out)
    else:
        sources = [min(unit, places - 1) - max(0, unit - units_in + 1) + 1 for unit in range(capacity)]
        moved = (sum(sources) + sum(sources[units_out:])) / 3
    return {"core": 1, "places": places, "moved": unit_bits * moved}


def _counter_bits(*sizes: int) -> int:
    """Bits of counters that count so far."""
    return sum(max(1, (size - 1).bit_length()) for size in sizes)


def _word_bits(layer: Layer) -> int:
    return sum(stream.width for stream in (*layer.input_streams(), *layer.output_streams()))


def _bits(datatype: str) -> int:
    return structural_datatype(datatype).bitwidth()


def _memory(layer: Layer, fabric: Fabric) -> int:
    """LUTs of memories that are written."""
    found = (written_memory(layer), replay_memory(layer, fabric))
    return sum(fabric.written_luts(depth, width) for style, depth, width in found if style == "distributed")


def _rows(layer: Layer, fabric: Fabric) -> int:
    """LUTs of multiplexers behind rows of block memories."""
    style, depth, width = written_memory(layer)
    return fabric.multiplexer_luts(fabric.block_rows(depth, width), width) if style == "block" else 0


def _roms(loaded: Loaded, fabric: Fabric, name: str) -> int:
    """LUTs of memories of that name that are never written, where they are gates."""
    return sum(
        memory.copies * fabric.rom_luts(memory.depth, memory.part)
        for memory in loaded
        if memory.name.startswith(name) and not memory.block
    )


def _compared_bits(layer: Layer, num_steps: int, loaded: Loaded) -> int:
    """Bits of thresholds that are compared in one cycle."""
    comparators = search_stages(num_steps) or num_steps
    bits = next(memory.bits for memory in loaded if memory.name.startswith("thresholds"))
    return layer.output_stream().elements_per_word * comparators * bits


def _planes(layer: VectorActivation) -> int:
    """Single bits that are counted per product, as ``dot_product.v`` says.

    Of TERNARY inputs and weights one count of the products that are not 0 and one of those that are -1.
    """
    source, weight = structural_datatype(layer.inputDataType), structural_datatype(layer.weightDataType)
    if layer.products() is Products.BITS:
        return 1
    if weight.name == "BIPOLAR":
        return 1 if source.name == "TERNARY" else source.bitwidth()
    if source.name in ("BIPOLAR", "TERNARY") and weight.name == "TERNARY":
        return 2
    return decoded_width(source) * decoded_width(weight)


def _input_planes(layer: VectorActivation) -> int:
    """Single bits that are counted for the sum of all inputs, which products by -1 and +1 are made with."""
    source, weight = structural_datatype(layer.inputDataType), structural_datatype(layer.weightDataType)
    if weight.name != "BIPOLAR" or source.name == "BIPOLAR":
        return 0
    return layer.input_stream().elements_per_word * (1 if source.name == "TERNARY" else source.bitwidth())


def _parted_bits(source: AnyDataType, weight: int) -> int:
    """Bits that part two products of one multiplier.

    The sum of the weights, what one takes from the other, and the lowest bits that are made again where they overlap
    (``product_pair.v``).
    """
    bits = source.bitwidth() + weight
    overlap = max(0, bits - (17 - weight))
    return bits + weight + 1 + overlap + overlap**2
