// words_to_bytes: AXI4-Stream words of WIDTH bits to bytes, lowest first; bits above WIDTH in the last byte are zero.
//
// Timing: the first byte of a word comes one cycle after the word; one idle cycle between words.
module words_to_bytes #(
    parameter WIDTH = 8
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire [WIDTH - 1:0] s_axis_tdata,
    input  wire s_axis_tvalid,
    output wire s_axis_tready,
    output wire [7:0] byte_data,
    output wire byte_valid,
    input  wire byte_ready
);
    localparam BYTES = (WIDTH + 7) / 8;
    localparam [31:0] COUNT = BYTES;

    reg [15:0] remaining;
    reg [8 * BYTES - 1:0] word;
    wire [8 * BYTES - 1:0] padded;

    generate
        if (8 * BYTES > WIDTH) begin : padding
            assign padded = {{(8 * BYTES - WIDTH){1'b0}}, s_axis_tdata};
        end else begin : whole
            assign padded = s_axis_tdata;
        end
    endgenerate

    assign s_axis_tready = remaining == 16'd0;
    assign byte_valid = remaining != 16'd0;
    assign byte_data = word[7:0];

    always @(posedge aclk) begin
        if (s_axis_tready) begin
            word <= padded;
            if (s_axis_tvalid) remaining <= COUNT[15:0];
        end else if (byte_ready) begin
            word <= word >> 8;
            remaining <= remaining - 16'd1;
        end
        if (!aresetn) remaining <= 16'd0;
    end
endmodule
