"""The shell's top module: clock, reset, serial line and the stitched design."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from finnmake.deploy.board import Board, Implementation
from finnmake.deploy.clocking import PllDividers, pll_dividers
from finnmake.errors import BoardError

PROTOCOL_VERSION = 1
LARGEST_BUFFER = 1 << 16
SMALLEST_BUFFER = 1 << 11
"""Bytes: one block RAM of the ECP5."""
BAUD_TOLERANCE = 0.02
SMALLEST_DIVISOR, LARGEST_DIVISOR = 4, (1 << 16) - 1
"""Of the clock by the baud rate: what ``uart_receiver.v`` can sample, and what its counter holds."""


@dataclass(frozen=True)
class ShellStream:
    """A stream between host and accelerator.

    Attributes:
        datatype: FINN's name of it.
        bits: of one element.
        minimum: smallest value.
        maximum: largest value.
        elements_per_word: elements in one word, element 0 in the least significant bits.
        words_per_frame: words of one frame.
        shape: of a frame as the user sees it.
        order: what the host does to a frame on its way, ``{"shape": …, "perm": …}`` each: an array of ``shape``,
            transposed by ``perm``.
    """

    datatype: str
    bits: int
    minimum: int
    maximum: int
    elements_per_word: int
    words_per_frame: int
    shape: tuple[int, ...]
    order: tuple[Mapping[str, Sequence[int]], ...] = ()

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.bits * self.elements_per_word

    @property
    def word_bytes(self) -> int:
        """Bytes of a word on the serial line."""
        return (self.width + 7) // 8

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame on the serial line, without escapes."""
        return self.word_bytes * self.words_per_frame


@dataclass(frozen=True)
class Shell:
    """Everything that is decided about a shell before it is rendered.

    Attributes:
        stitched: module name of the accelerator.
        clock: of the accelerator.
        divisor: clock cycles per bit on the serial line.
        buffer_address_bits: 2 to its power bytes of frames may be on the way.
        identifier: what the device answers with after a reset; equal for equal stitched designs and streams.
    """

    board: Board
    stitched: str
    input: ShellStream
    output: ShellStream
    clock: PllDividers
    divisor: int
    buffer_address_bits: int
    identifier: int

    @property
    def implementation(self) -> Implementation:
        """That of the board."""
        return self.board.require_implementation()


def plan_shell(board: Board, stitched: str, source: ShellStream, sink: ShellStream, clock_mhz: float) -> Shell:
    """Decides clock, baud divisor and buffer.

    Args:
        board: the board.
        stitched: module name of the stitched design.
        source: frames from the host.
        sink: frames to the host.
        clock_mhz: of the accelerator.

    Raises:
        BoardError: no bitstream can be made for the board, the clock or the baud rate cannot be made, or a frame is
            too large for the buffer.
    """
    implementation = board.require_implementation()
    clock = pll_dividers(implementation.oscillator_mhz, clock_mhz)
    exact = clock.output_mhz * 1e6 / implementation.baud
    divisor = round(exact)
    if not SMALLEST_DIVISOR <= divisor <= LARGEST_DIVISOR or abs(divisor - exact) > BAUD_TOLERANCE * exact:
        raise BoardError(
            f"{implementation.baud} baud cannot be made of {clock.output_mhz:g} MHz",
            where=f"board {board.name}",
            remedy=f"Choose a clock that is a multiple of {implementation.baud / 1e6:g} MHz, or nearly.",
        )
    if source.frame_bytes > LARGEST_BUFFER:
        raise BoardError(
            f"a frame of {source.frame_bytes} bytes is larger than the shell's buffer of {LARGEST_BUFFER} bytes",
            where=f"board {board.name}",
        )
    size = min(max(SMALLEST_BUFFER, 2 * source.frame_bytes), LARGEST_BUFFER)
    text = repr((stitched, asdict(source), asdict(sink)))
    return Shell(
        board=board,
        stitched=stitched,
        input=source,
        output=sink,
        clock=clock,
        divisor=divisor,
        buffer_address_bits=(size - 1).bit_length(),
        identifier=int(hashlib.sha256(text.encode()).hexdigest()[:8], 16),
    )


def shell_description(shell: Shell) -> dict[str, Any]:
    """What the host's driver and the deploy folder have to know, as JSON."""

    def stream(side: ShellStream) -> Mapping[str, Any]:
        return {**asdict(side), "shape": list(side.shape), "order": list(side.order), "word_bytes": side.word_bytes}

    return {
        "protocol": PROTOCOL_VERSION,
        "identifier": shell.identifier,
        "board": shell.board.name,
        "part": shell.board.part,
        "shell": shell.implementation.shell,
        "accelerator": shell.stitched,
        "clock_mhz": shell.clock.output_mhz,
        "pll": asdict(shell.clock),
        "baud": shell.implementation.baud,
        "buffer_bytes": 1 << shell.buffer_address_bits,
        "input": stream(shell.input),
        "output": stream(shell.output),
    }


def render_shell(shell: Shell) -> str:
    """The top module as Verilog."""
    ports = shell.implementation.ports
    declarations = [f"    input  wire {ports.clock}"]
    if ports.reset_button:
        declarations.append(f"    input  wire {ports.reset_button}")
    declarations += [f"    input  wire {ports.serial_in}", f"    output wire {ports.serial_out}"]
    if ports.leds:
        declarations.append(f"    output wire [7:0] {ports.leds}")
    declarations += [f"    output wire {name}" for name in ports.held_high]
    assignments = [f"    assign {name} = 1'b1;" for name in ports.held_high]
    if ports.leds:
        assignments.append(
            f"    // Out of reset, receiving, sending, and a fault since the last reset of the link.\n"
            f"    assign {ports.leds} = {{4'd0, fault, sending, receiving, aresetn}};"
        )
    else:
        assignments.append("    wire unused = &{1'b0, fault, sending, receiving};")
    return _TOP.format(
        top=shell.implementation.top,
        stitched=shell.stitched,
        ports=",\n".join(declarations),
        assignments="\n".join(assignments),
        title=shell.board.title,
        clock_port=ports.clock,
        serial_in=ports.serial_in,
        serial_out=ports.serial_out,
        not_reset=f"lock && !{ports.reset_button}" if ports.reset_button else "lock",
        input_mhz=f"{shell.clock.input_mhz:g}",
        output_mhz=f"{shell.clock.output_mhz:g}",
        vco_mhz=f"{shell.clock.vco_mhz:g}",
        input_divider=shell.clock.input_divider,
        feedback_divider=shell.clock.feedback_divider,
        output_divider=shell.clock.output_divider,
        phase=shell.clock.output_divider - 1,
        divisor=shell.divisor,
        baud=shell.implementation.baud,
        input_width=shell.input.width,
        output_width=shell.output.width,
        input_high=shell.input.width - 1,
        output_high=shell.output.width - 1,
        buffer_address_bits=shell.buffer_address_bits,
        identifier=f"32'h{shell.identifier:08x}",
    )


_TOP = """\
// {top}: {stitched} on the {title}.
//
// Clock: {output_mhz} MHz, made of {input_mhz} MHz (VCO {vco_mhz} MHz).
// Host:  serial line of {baud} baud, see shell_uart.
module {top} (
{ports}
);
    wire aclk;
    wire lock;

    (* FREQUENCY_PIN_CLKI = "{input_mhz}" *)
    (* FREQUENCY_PIN_CLKOP = "{output_mhz}" *)
    (* ICP_CURRENT = "12" *) (* LPF_RESISTOR = "8" *) (* MFG_ENABLE_FILTEROPAMP = "1" *) (* MFG_GMCREF_SEL = "2" *)
    EHXPLLL #(
        .PLLRST_ENA("DISABLED"),
        .INTFB_WAKE("DISABLED"),
        .STDBY_ENABLE("DISABLED"),
        .DPHASE_SOURCE("DISABLED"),
        .OUTDIVIDER_MUXA("DIVA"),
        .CLKI_DIV({input_divider}),
        .CLKFB_DIV({feedback_divider}),
        .CLKOP_ENABLE("ENABLED"),
        .CLKOP_DIV({output_divider}),
        .CLKOP_CPHASE({phase}),
        .CLKOP_FPHASE(0),
        .FEEDBK_PATH("CLKOP")
    ) pll (
        .CLKI({clock_port}),
        .CLKFB(aclk),
        .CLKOP(aclk),
        .LOCK(lock),
        .RST(1'b0),
        .STDBY(1'b0),
        .PHASESEL0(1'b0),
        .PHASESEL1(1'b0),
        .PHASEDIR(1'b1),
        .PHASESTEP(1'b1),
        .PHASELOADREG(1'b1),
        .PLLWAKESYNC(1'b0),
        .ENCLKOP(1'b0)
    );

    // Reset for 15 cycles after the clock has locked; the button is asynchronous, hence the registers in front.
    reg [1:0] not_reset;
    reg [3:0] countdown;
    reg aresetn;
    initial not_reset = 2'b00;
    initial countdown = 4'd15;
    initial aresetn = 1'b0;
    always @(posedge aclk) begin
        not_reset <= {{not_reset[0], {not_reset}}};
        if (!not_reset[1]) countdown <= 4'd15;
        else if (countdown != 4'd0) countdown <= countdown - 4'd1;
        aresetn <= countdown == 4'd0;
    end

    wire accelerator_aresetn;
    wire [{input_high}:0] input_tdata;
    wire input_tvalid;
    wire input_tready;
    wire [{output_high}:0] output_tdata;
    wire output_tvalid;
    wire output_tready;
    wire receiving;
    wire sending;
    wire fault;

    shell_uart #(
        .DIVISOR(16'd{divisor}),
        .INPUT_WIDTH({input_width}),
        .OUTPUT_WIDTH({output_width}),
        .BUFFER_ADDRESS_BITS({buffer_address_bits}),
        .IDENTIFIER({identifier})
    ) shell (
        .aclk(aclk),
        .aresetn(aresetn),
        .serial_in({serial_in}),
        .serial_out({serial_out}),
        .accelerator_aresetn(accelerator_aresetn),
        .m_axis_tdata(input_tdata),
        .m_axis_tvalid(input_tvalid),
        .m_axis_tready(input_tready),
        .s_axis_tdata(output_tdata),
        .s_axis_tvalid(output_tvalid),
        .s_axis_tready(output_tready),
        .receiving(receiving),
        .sending(sending),
        .fault(fault)
    );

    {stitched} accelerator (
        .aclk(aclk),
        .aresetn(accelerator_aresetn),
        .s_axis_tdata(input_tdata),
        .s_axis_tvalid(input_tvalid),
        .s_axis_tready(input_tready),
        .m_axis_tdata(output_tdata),
        .m_axis_tvalid(output_tvalid),
        .m_axis_tready(output_tready)
    );

{assignments}
endmodule
"""
