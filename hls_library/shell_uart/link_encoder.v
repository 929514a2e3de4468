// link_encoder: replies and payload to bytes of the serial link, escaped as link_decoder describes.
//
// A reply is ESCAPE, its kind (0x02 or 0x03) and the bytes of `reply_data`, lowest first, escaped like payload. `reply_valid`
// must stay high until `reply_ready`; a reply goes before payload that waits.
module link_encoder #(
    parameter REPLY_BYTES = 5
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire [7:0] payload,
    input  wire payload_valid,
    output wire payload_ready,
    input  wire [7:0] reply_kind,
    input  wire [8 * REPLY_BYTES - 1:0] reply_data,
    input  wire reply_valid,
    output wire reply_ready,
    output reg  [7:0] byte_data,
    output reg  byte_valid,
    input  wire byte_ready
);
    localparam [7:0] ESCAPE = 8'h1b;
    localparam [3:0] BYTES = REPLY_BYTES;

    // What follows the byte in `byte_data`: the second byte of an escape, then the rest of a reply.
    reg second;
    reg [7:0] second_data;
    reg [3:0] remaining;
    reg [8 * REPLY_BYTES - 1:0] rest;

    wire take = !byte_valid || byte_ready;
    wire start = take && !second && remaining == 4'd0;

    assign reply_ready = start;
    assign payload_ready = start && !reply_valid;

    wire from_reply = remaining != 4'd0;
    wire [7:0] data = from_reply ? rest[7:0] : payload;

    always @(posedge aclk) begin
        if (take) begin
            byte_valid <= second || from_reply || reply_valid || payload_valid;
            second <= 1'b0;
            if (second) begin
                byte_data <= second_data;
            end else if (!from_reply && reply_valid) begin
                byte_data <= ESCAPE;
                second <= 1'b1;
                second_data <= reply_kind;
                remaining <= BYTES;
                rest <= reply_data;
            end else begin
                byte_data <= data;
                second <= data == ESCAPE && (from_reply || payload_valid);
                second_data <= 8'h01;
                if (from_reply) begin
                    remaining <= remaining - 4'd1;
                    rest <= rest >> 8;
                end
            end
        end
        if (!aresetn) begin
            byte_valid <= 1'b0;
            second <= 1'b0;
            remaining <= 4'd0;
        end
    end
endmodule
