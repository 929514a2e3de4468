// link_decoder: bytes of the serial link to payload and commands.
//
// Protocol: every byte is payload, except for ESCAPE (0x1b) and the byte after it: ESCAPE 0x01 is the payload byte 0x1b,
//           ESCAPE 0x02 resets the link, ESCAPE 0x03 asks for the status. ESCAPE ESCAPE counts as one ESCAPE: a reset gets
//           through even where a host died between two bytes. Any other byte after ESCAPE is an error.
// Interface: all outputs are high, or valid, for one cycle, one cycle after the byte.
module link_decoder (
    input  wire aclk,
    input  wire aresetn,
    input  wire [7:0] byte_data,
    input  wire byte_valid,
    output reg  [7:0] payload,
    output reg  payload_valid,
    output reg  reset_command,
    output reg  status_command,
    output reg  error
);
    localparam [7:0] ESCAPE = 8'h1b;

    reg escaped;

    always @(posedge aclk) begin
        payload <= escaped ? ESCAPE : byte_data;
        payload_valid <= 1'b0;
        reset_command <= 1'b0;
        status_command <= 1'b0;
        error <= 1'b0;
        if (byte_valid) begin
            escaped <= byte_data == ESCAPE;
            if (!escaped) begin
                payload_valid <= byte_data != ESCAPE;
            end else begin
                payload_valid <= byte_data == 8'h01;
                reset_command <= byte_data == 8'h02;
                status_command <= byte_data == 8'h03;
                error <= byte_data != ESCAPE && (byte_data == 8'h00 || byte_data > 8'h03);
            end
        end
        if (!aresetn) begin
            escaped <= 1'b0;
            payload_valid <= 1'b0;
            reset_command <= 1'b0;
            status_command <= 1'b0;
            error <= 1'b0;
        end
    end
endmodule
