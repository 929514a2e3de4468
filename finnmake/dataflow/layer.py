"""What every hardware layer states about itself: streams, cycles, parameters, arithmetic.

A layer is the structure of one hardware node plus its parameters (weights, thresholds). It knows nothing of files,
tasks or simulators. Its canonical text names its IP core; the kernel of the same name in ``hls_library`` implements
it twice, in C++ and in Verilog, and ``execute`` is the NumPy reference that both must equal.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from finnmake.graph.datatype import AnyDataType, DataType

IntegerArray = NDArray[np.int64]


@dataclass(frozen=True)
class Stream:
    """One AXI4-Stream port: how a frame (one sample's tensor) crosses it.

    Attributes:
        datatype: of one element; its encoding is two's complement, BIPOLAR -1/+1 as 0/1.
        elements_per_word: elements side by side in one word, element 0 in the least significant bits.
        words_per_frame: words that make up one frame.
    """

    datatype: AnyDataType
    elements_per_word: int
    words_per_frame: int

    @property
    def width(self) -> int:
        """Bits of ``tdata``."""
        return self.elements_per_word * self.datatype.bitwidth()

    @property
    def elements_per_frame(self) -> int:
        """Elements of one frame."""
        return self.elements_per_word * self.words_per_frame


@dataclass(frozen=True)
class MemoryShape:
    """Size of one memory of a core.

    Attributes:
        depth: words.
        elements_per_word: elements side by side in one word.
        datatype: of one element.
    """

    depth: int
    elements_per_word: int
    datatype: AnyDataType

    @property
    def width(self) -> int:
        """Bits of one word."""
        return self.elements_per_word * self.datatype.bitwidth()


@dataclass(frozen=True)
class MemoryImage:
    """Contents of one memory of a core, as ``$readmemh`` loads it.

    Attributes:
        words: shape (depth, elements per word), int64: what each word holds, element 0 in the least significant bits.
        datatype: of one element.
        separate_addresses: each element of a word is read at an address of its own, as by binary search.
    """

    words: IntegerArray = field(repr=False)
    datatype: AnyDataType
    separate_addresses: bool = False

    @property
    def shape(self) -> MemoryShape:
        """Its size."""
        depth, elements = self.words.shape
        return MemoryShape(int(depth), int(elements), self.datatype)

    @property
    def depth(self) -> int:
        """Words in the memory."""
        return self.shape.depth

    @property
    def width(self) -> int:
        """Bits of one word."""
        return self.shape.width


@dataclass(frozen=True, eq=False)
class Layer(ABC):
    """Base of all hardware layers; a subclass is a frozen dataclass of structural fields.

    Structural fields are ints, strings and booleans only: together with ``op_type`` they are the layer's structure, and
    their canonical text is what the core's digest is taken of. Arrays (``parameters``) are not structure.
    """

    op_type: ClassVar[str]
    """The ONNX op type of the node, for example ``MatrixVectorActivation``."""
    kernel: ClassVar[str]
    """The folder of ``hls_library`` that implements it; the Verilog module and the C++ function have the same name."""
    verilog_files: ClassVar[tuple[str, ...]]
    """The kernel's Verilog, relative to ``hls_library``, shared modules included."""
    cpp_files: ClassVar[tuple[str, ...]]
    """The kernel's C++ headers, relative to ``hls_library``, shared ones included."""

    parameters: Mapping[str, IntegerArray] = field(default_factory=dict, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        self.check()

    # -- structure -------------------------------------------------------------------------------------------------
    def structure(self) -> dict[str, int | str | bool]:
        """The structural fields by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "parameters"}

    def structure_text(self) -> str:
        """Canonical text of the structure: JSON with sorted keys; equal layers have equal text."""
        body = {"op_type": self.op_type, "structure": self.structure()}
        return json.dumps(body, sort_keys=True, indent=1) + "\n"

    def core_name(self) -> str:
        """Module name of the IP core: op type and the first 16 hex digits of the structure's SHA-256."""
        return f"{self.op_type}_{hashlib.sha256(self.structure_text().encode()).hexdigest()[:16]}"

    @abstractmethod
    def check(self) -> None:
        """Checks fields and parameters against each other.

        Raises:
            FoldingError: a folding that is not legal; says the field, the value and the legal values.
            ModelError: parameters that do not fit their datatype or shape.
        """

    # -- streams ---------------------------------------------------------------------------------------------------
    @abstractmethod
    def input_stream(self) -> Stream:
        """The stream this layer consumes."""

    @abstractmethod
    def output_stream(self) -> Stream:
        """The stream this layer produces."""

    def input_streams(self) -> tuple[Stream, ...]:
        """All streams that this layer consumes; see ``MultiStreamLayer`` for layers with several."""
        return (self.input_stream(),)

    def output_streams(self) -> tuple[Stream, ...]:
        """All streams that this layer produces."""
        return (self.output_stream(),)

    def input_ports(self) -> dict[str, Stream]:
        """The input streams by the core's ports: ``s_axis``, or ``in0``, ``in1`` and so on where there are several."""
        return _ports(self.input_streams(), "s_axis", "in")

    def output_ports(self) -> dict[str, Stream]:
        """The output streams by the core's ports: ``m_axis``, or ``out0``, ``out1`` and so on."""
        return _ports(self.output_streams(), "m_axis", "out")

    # -- time, in clock cycles ---------------------------------------------------------------------------------------
    @abstractmethod
    def interval_cycles(self) -> int:
        """Cycles between frames when input is always valid and output always ready."""

    @abstractmethod
    def first_output_latency(self) -> int:
        """Cycles from the transfer of a frame's first input word to that of its first output word.

        Counted on an idle core with input always valid and output always ready; both transfers in one cycle is 0. With
        several streams the first word of all inputs and the first word of all outputs count.
        """

    # -- arithmetic ------------------------------------------------------------------------------------------------
    @property
    def multipliers(self) -> int:
        """Hard multipliers, of operands that one can take whole; 0 where synthesis is to use none."""
        return 0

    # -- function --------------------------------------------------------------------------------------------------
    @abstractmethod
    def execute(self, frames: IntegerArray) -> IntegerArray:
        """NumPy reference: (batch, input elements per frame) to (batch, output elements per frame), int64."""

    def output_image(self) -> tuple[int, int, int] | None:
        """Rows, columns and elements of a pixel of the output, where the layer makes an image of another size."""
        return None

    def execute_streams(self, frames: Sequence[IntegerArray]) -> tuple[IntegerArray, ...]:
        """`execute` with one array per input stream, giving one per output stream."""
        (only,) = frames
        return (self.execute(only),)

    # -- what codegen needs ------------------------------------------------------------------------------------------
    @abstractmethod
    def verilog_parameters(self) -> Mapping[str, int | str | VerilogLiteral]:
        """Values of the Verilog kernel module's structural parameters, memory file names excepted."""

    @abstractmethod
    def cpp_template_arguments(self) -> list[str]:
        """Template arguments of the C++ kernel function, in order, as C++ text."""

    def memory_images(self) -> dict[str, MemoryImage]:
        """The core's memories by name (``weights``, ``thresholds``).

        For ``name`` the Verilog kernel has a string parameter ``NAME_FILE`` and the C++ kernel takes a
        ``finnmake::Memory<width>`` of ``depth`` words after its streams, as `cpp_memory_arguments` orders them.
        """
        return {}

    def memory_shapes(self) -> dict[str, MemoryShape]:
        """Sizes of `memory_images`, known without parameters."""
        return {}

    def cpp_memory_arguments(self) -> list[str]:
        """The arguments of the C++ kernel function between its streams and ``frames``, in order, as C++ text."""
        return list(self.memory_images())


def _ports(streams: Sequence[Stream], only: str, prefix: str) -> dict[str, Stream]:
    if len(streams) == 1:
        return {only: streams[0]}
    return {f"{prefix}{index}": stream for index, stream in enumerate(streams)}


def structural_datatype(name: str) -> AnyDataType:
    """The datatype that a structural field names."""
    return DataType[name]


@dataclass(frozen=True)
class VerilogLiteral:
    """The value of a Verilog parameter that is neither a plain number nor a string: rendered as it stands."""

    text: str

    def __str__(self) -> str:
        return self.text


def verilog_numbers(numbers: Sequence[int], bits: int) -> VerilogLiteral:
    """Several numbers of ``bits`` bits as one Verilog literal, the first in the least significant bits."""
    packed = sum(number << (index * bits) for index, number in enumerate(numbers))
    return VerilogLiteral(f"{bits * len(numbers)}'h{packed:x}")


def cpp_datatype(datatype: AnyDataType) -> str:
    """The type tag of ``hls_library/include/datatypes.hpp``."""
    if datatype.name == "BIPOLAR":
        return "finnmake::Bipolar"
    return f"finnmake::{'Signed' if datatype.signed() else 'Unsigned'}<{datatype.bitwidth()}>"
