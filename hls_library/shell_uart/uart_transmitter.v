// uart_transmitter: bytes to a serial line, 8 data bits, no parity, 1 stop bit.
//
// Interface: a byte is taken in a cycle with `byte_valid` and `byte_ready`.
// Timing:    DIVISOR clock cycles a bit, 10 bits a byte, no gap between bytes.
module uart_transmitter #(
    parameter [15:0] DIVISOR = 16'd50
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire [7:0] byte_data,
    input  wire byte_valid,
    output wire byte_ready,
    output reg  serial
);
    localparam [15:0] BIT = DIVISOR - 16'd1;

    reg [15:0] countdown;
    reg [3:0] remaining;
    reg [8:0] bits;

    assign byte_ready = remaining == 4'd0 && countdown == 16'd0;

    always @(posedge aclk) begin
        if (countdown != 16'd0) begin
            countdown <= countdown - 16'd1;
        end else if (remaining != 4'd0) begin
            serial <= bits[0];
            bits <= {1'b1, bits[8:1]};
            remaining <= remaining - 4'd1;
            countdown <= BIT;
        end else if (byte_valid) begin
            serial <= 1'b0;
            bits <= {1'b1, byte_data};
            remaining <= 4'd9;
            countdown <= BIT;
        end
        if (!aresetn) begin
            serial <= 1'b1;
            remaining <= 4'd0;
            countdown <= 16'd0;
        end
    end
endmodule
