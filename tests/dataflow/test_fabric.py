"""What FPGA families are made of, beside what Yosys 0.70 made of memories and products."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.dataflow.fabric import ECP5, FABRICS, Fabric, fabric_of
from finnmake.errors import BoardError

FAMILIES = st.sampled_from(sorted(FABRICS)).map(fabric_of)
XCUP = fabric_of("xcup")


@pytest.mark.parametrize(
    ("operands", "ecp5", "xc7", "xcup"),
    [
        ((16, 8), 1, 1, 1),
        ((18, 18), 1, 1, 1),
        ((19, 8), 1, 1, 1),  # the nineteenth bit is multiplied by gates
        ((20, 8), 2, 1, 1),
        ((25, 8), 2, 1, 1),
        ((26, 18), 2, 2, 1),
        ((27, 8), 2, 2, 1),
        ((28, 8), 2, 2, 2),
        ((31, 18), 2, 2, 2),
        ((31, 19), 2, 4, 4),
        ((31, 27), 4, 4, 4),
    ],
)
def test_multipliers_of_wide_products(operands: tuple[int, int], ecp5: int, xc7: int, xcup: int) -> None:
    for flow, expected in (("ecp5", ecp5), ("xc7", xc7), ("xcup", xcup)):
        assert fabric_of(flow).product_multipliers(*operands) == expected, flow
        assert fabric_of(flow).product_multipliers(*reversed(operands)) == expected, flow


@pytest.mark.parametrize(
    ("depth", "width", "ecp5", "xilinx"),
    [
        (512, 36, 1, 1),
        (16384, 1, 1, 1),
        (1024, 32, 2, 2),
        (50176, 8, 25, 25),
        (138624, 4, 34, 34),
        # The fewest would be 265, behind a multiplexer of 265 words: it would cost more.
        (270400, 16, 268, 268),
        # Bytes of nine bits lie side by side in the words of a block memory, also those of other rows.
        (18560, 80, 86, 90),
        (4332, 256, 66, 66),
        (1083, 256, 22, 22),
    ],
)
def test_block_memories_that_are_written(depth: int, width: int, ecp5: int, xilinx: int) -> None:
    assert ECP5.block_memories(depth, width) == ecp5
    assert XCUP.block_memories(depth, width) == xilinx


def test_bits_of_several_rows_share_a_block_memory_that_is_never_written() -> None:
    assert [family.block_roms(18432, 6) for family in (ECP5, XCUP)] == [6, 6]
    assert [family.block_roms(1024, 108) for family in (ECP5, XCUP)] == [6, 6]


@pytest.mark.parametrize(
    ("depth", "width", "block"),
    [
        (64, 36, True), (64, 45, False), (64, 40, False), (128, 18, True), (128, 8, False), (144, 8, False),
        (196, 8, True), (450, 4, True), (9, 256, False), (32, 45, False), (576, 4, True),
    ],
)  # fmt: skip
def test_where_a_small_memory_is_a_block(depth: int, width: int, block: bool) -> None:
    assert ECP5.prefers_block(depth, width) == block
    assert not XCUP.prefers_block(depth, width)


def test_an_unknown_flow_is_refused() -> None:
    with pytest.raises(BoardError, match="'spartan'"):
        fabric_of("spartan")


SIZES = st.integers(1, 3000)
BITS = st.integers(1, 300)


@given(FAMILIES, SIZES, BITS, st.integers(0, 100), st.integers(0, 20))
def test_a_larger_memory_takes_no_fewer_luts(family: Fabric, depth: int, width: int, more: int, wider: int) -> None:
    for luts in (family.written_luts, family.rom_luts, family.multiplexer_luts):
        assert luts(depth, width) <= luts(depth + more, width) <= luts(depth + more, width + wider)


@given(FAMILIES, SIZES, BITS, st.integers(0, 20))
def test_wider_words_take_no_fewer_block_memories(family: Fabric, depth: int, width: int, wider: int) -> None:
    assert family.block_roms(depth, width) * 18432 >= depth * width
    if depth <= 512:  # in one row of them no shape costs a multiplexer
        assert family.block_memories(depth, width) <= family.block_memories(depth, width + wider)
        assert family.block_roms(depth, width) <= family.block_roms(depth, width + wider)


@given(FAMILIES, st.integers(2, 40), st.integers(2, 40), st.integers(0, 9))
def test_wider_operands_take_no_fewer_multipliers(family: Fabric, one: int, other: int, more: int) -> None:
    assert family.product_multipliers(one, other) <= family.product_multipliers(one + more, other)
