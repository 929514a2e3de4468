// uart_receiver: serial line to bytes, 8 data bits, no parity, 1 stop bit.
//
// Interface: `byte_valid` is high for one cycle with each byte; there is no back-pressure.
// Timing:    DIVISOR clock cycles a bit, at least 4; bits are sampled in their middle. A byte whose stop bit is low is
//            dropped, and the line must return to high before the next start bit counts.
module uart_receiver #(
    parameter [15:0] DIVISOR = 16'd50
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire serial,
    output reg  [7:0] byte_data,
    output reg  byte_valid
);
    localparam [15:0] BIT = DIVISOR - 16'd1;
    localparam [15:0] HALF_BIT = DIVISOR / 16'd2 - 16'd1;

    // The line is asynchronous: two registers against metastability.
    reg [1:0] synchroniser;
    wire line = synchroniser[1];

    reg busy;
    reg waiting_for_idle;
    reg [15:0] countdown;
    reg [3:0] position;

    always @(posedge aclk) begin
        synchroniser <= {synchroniser[0], serial};
        byte_valid <= 1'b0;
        if (!busy) begin
            countdown <= HALF_BIT;
            position <= 4'd0;
            if (line) waiting_for_idle <= 1'b0;
            else if (!waiting_for_idle) busy <= 1'b1;
        end else if (countdown != 16'd0) begin
            countdown <= countdown - 16'd1;
        end else begin
            countdown <= BIT;
            position <= position + 4'd1;
            if (position == 4'd0) begin
                // A start bit that is over in its middle was a glitch.
                if (line) busy <= 1'b0;
            end else if (position == 4'd9) begin
                busy <= 1'b0;
                byte_valid <= line;
                waiting_for_idle <= !line;
            end else begin
                byte_data <= {line, byte_data[7:1]};
            end
        end
        if (!aresetn) begin
            synchroniser <= 2'b11;
            busy <= 1'b0;
            waiting_for_idle <= 1'b1;
            byte_valid <= 1'b0;
        end
    end
endmodule
