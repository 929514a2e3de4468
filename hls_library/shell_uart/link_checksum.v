// link_checksum: CRC-16 (polynomial 0x1021, start 0xffff, bits of a byte from the highest) over the bytes since the reset.
//
// Timing: one byte a cycle; `checksum` includes a byte from the cycle after it.
module link_checksum (
    input  wire aclk,
    input  wire aresetn,
    input  wire [7:0] byte_data,
    input  wire byte_valid,
    output reg  [15:0] checksum
);
    function [15:0] next_checksum;
        input [15:0] previous;
        input [7:0] value;
        integer position;
        begin
            next_checksum = previous ^ {value, 8'h00};
            for (position = 0; position < 8; position = position + 1)
                next_checksum = {next_checksum[14:0], 1'b0} ^ (next_checksum[15] ? 16'h1021 : 16'h0000);
        end
    endfunction

    always @(posedge aclk) begin
        if (byte_valid) checksum <= next_checksum(checksum, byte_data);
        if (!aresetn) checksum <= 16'hffff;
    end
endmodule
