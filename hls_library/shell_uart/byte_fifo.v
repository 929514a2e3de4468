// byte_fifo: bytes in block RAM, first in, first out.
//
// Interface: a byte is lost, and `overflow` high for one cycle, where `in_valid` comes with 2**ADDRESS_BITS bytes waiting.
// Timing:    a byte comes out two cycles after it went in at the earliest; one byte every other cycle.
module byte_fifo #(
    parameter ADDRESS_BITS = 11
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire [7:0] in_data,
    input  wire in_valid,
    output reg  overflow,
    output reg  [7:0] out_data,
    output reg  out_valid,
    input  wire out_ready
);
    reg [7:0] memory [0:(1 << ADDRESS_BITS) - 1];
    reg [ADDRESS_BITS:0] write_position;
    reg [ADDRESS_BITS:0] read_position;

    wire full = write_position == {~read_position[ADDRESS_BITS], read_position[ADDRESS_BITS - 1:0]};
    wire empty = write_position == read_position;

    always @(posedge aclk) begin
        if (in_valid && !full) memory[write_position[ADDRESS_BITS - 1:0]] <= in_data;
        out_data <= memory[read_position[ADDRESS_BITS - 1:0]];
    end

    // `read_position` moves on when its byte is taken: full counts the byte at the output.
    always @(posedge aclk) begin
        overflow <= in_valid && full;
        if (in_valid && !full) write_position <= write_position + 1'b1;
        out_valid <= !empty && !(out_valid && out_ready);
        if (out_valid && out_ready) read_position <= read_position + 1'b1;
        if (!aresetn) begin
            overflow <= 1'b0;
            out_valid <= 1'b0;
            write_position <= {(ADDRESS_BITS + 1){1'b0}};
            read_position <= {(ADDRESS_BITS + 1){1'b0}};
        end
    end
endmodule
