"""Shapes and widths of a layer's streams under FINN's names.

Normal: as the node's tensor has it, vectors by elements. Folded: each vector cut into the words of the stream.
``(1, 784)`` with SIMD 16 is folded ``(1, 49, 16)``: reshaping one gives the other. The batch is written as 1.
"""

from __future__ import annotations

from finnmake.dataflow.layer import Layer, Stream


def get_normal_input_shape(layer: Layer) -> tuple[int, ...]:
    """(1, elements), or (1, vectors, elements of a vector)."""
    return _normal(layer, layer.input_stream())


def get_normal_output_shape(layer: Layer) -> tuple[int, ...]:
    """(1, elements), or (1, vectors, elements of a vector)."""
    return _normal(layer, layer.output_stream())


def get_folded_input_shape(layer: Layer) -> tuple[int, ...]:
    """The normal shape with the last dimension as (words, elements of a word)."""
    return _folded(layer, layer.input_stream())


def get_folded_output_shape(layer: Layer) -> tuple[int, ...]:
    """The normal shape with the last dimension as (words, elements of a word)."""
    return _folded(layer, layer.output_stream())


def get_instream_width(layer: Layer) -> int:
    """Bits of an input word."""
    return layer.input_stream().width


def get_outstream_width(layer: Layer) -> int:
    """Bits of an output word."""
    return layer.output_stream().width


def get_instream_width_padded(layer: Layer) -> int:
    """Bits of an input word in whole bytes, as a host sees it."""
    return -(-get_instream_width(layer) // 8) * 8


def get_outstream_width_padded(layer: Layer) -> int:
    """Bits of an output word in whole bytes, as a host sees it."""
    return -(-get_outstream_width(layer) // 8) * 8


def get_number_input_values(layer: Layer) -> int:
    """Input words of a frame."""
    return layer.input_stream().words_per_frame


def get_number_output_values(layer: Layer) -> int:
    """Output words of a frame."""
    return layer.output_stream().words_per_frame


def get_exp_cycles(layer: Layer) -> int:
    """Clock cycles between frames."""
    return layer.interval_cycles()


def _vectors(layer: Layer) -> tuple[int, ...]:
    vectors = int(layer.structure().get("numInputVectors", 1))
    return (1,) if vectors == 1 else (1, vectors)


def _normal(layer: Layer, stream: Stream) -> tuple[int, ...]:
    vectors = _vectors(layer)
    return (*vectors, stream.elements_per_frame // vectors[-1])


def _folded(layer: Layer, stream: Stream) -> tuple[int, ...]:
    vectors = _vectors(layer)
    return (*vectors, stream.words_per_frame // vectors[-1], stream.elements_per_word)
