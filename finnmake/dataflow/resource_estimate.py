"""How much of an FPGA a layer takes, estimated from its structure.

Memories and multipliers are counted as the kernels have them and synthesis maps them, LUTs as ``lut_estimate`` says. A
build's report has the synthesis' own numbers; this is for choosing a folding before that.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass

from finnmake.dataflow.elementwise_binary import ElementwiseMul
from finnmake.dataflow.fabric import Fabric, fabric_of
from finnmake.dataflow.layer import Layer, structural_datatype
from finnmake.dataflow.lut_estimate import estimate_luts
from finnmake.dataflow.memories import loaded_memories, replay_memory, written_memory
from finnmake.dataflow.requant import Requant

DEFAULT_FLOW = "ecp5"
"""What is estimated for where no board is named."""


@dataclass(frozen=True)
class Resources:
    """What one core takes.

    Attributes:
        LUT: look-up tables of 4 inputs (ECP5) or 6 (Xilinx), carry and distributed memory included.
        BRAM_18K: block memories of 18 kbit.
        DSP: hard multipliers.
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


def estimate_resources(layer: Layer, flow: str = DEFAULT_FLOW) -> Resources:
    """What a layer's core takes.

    Args:
        layer: it need not have parameters, their memories are counted; of weights that it has it counts the bits that
            they need.
        flow: what synthesises it: ``ecp5``, ``xc7`` or ``xcup``.

    Raises:
        BoardError: an unknown flow.
    """
    fabric = fabric_of(flow)
    loaded, ultra = loaded_memories(layer), 0
    blocks = sum(memory.blocks(fabric) for memory in loaded)
    for style, depth, width in (written_memory(layer), replay_memory(layer, fabric)):
        if style == "block":
            blocks += fabric.block_memories(depth, width)
        elif style == "ultra":
            ultra += -(-depth // 4096) * -(-width // 72)
    return Resources(estimate_luts(layer, fabric, loaded), blocks, _multipliers(layer, fabric), ultra)


def _multipliers(layer: Layer, fabric: Fabric) -> int:
    """Hard multipliers; products of wide numbers take several."""
    if layer.multipliers and isinstance(layer, ElementwiseMul | Requant):
        return layer.multipliers * fabric.product_multipliers(*map(signed_width, layer.operands()))
    return layer.multipliers


def signed_width(datatype: str) -> int:
    """Bits of a number that the kernels multiply as a signed one."""
    operand = structural_datatype(datatype)
    return 2 if operand.name == "BIPOLAR" else operand.bitwidth() + int(not operand.signed())
