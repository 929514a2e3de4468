// bytes_to_words: bytes, lowest first, to AXI4-Stream words of WIDTH bits; the last byte's bits above WIDTH are ignored.
//
// Timing: a word comes one cycle after its last byte; bytes of the next word are taken while a word waits.
module bytes_to_words #(
    parameter WIDTH = 8
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire [7:0] byte_data,
    input  wire byte_valid,
    output wire byte_ready,
    output reg  [WIDTH - 1:0] m_axis_tdata,
    output reg  m_axis_tvalid,
    input  wire m_axis_tready
);
    localparam BYTES = (WIDTH + 7) / 8;
    localparam [31:0] LAST = BYTES - 1;

    reg [15:0] position;
    wire last = position == LAST[15:0];
    wire [8 * BYTES - 1:0] word;

    generate
        if (BYTES == 1) begin : one_byte
            assign word = byte_data;
        end else begin : many_bytes
            reg [8 * BYTES - 9:0] collected;
            assign word = {byte_data, collected};
            always @(posedge aclk) if (byte_valid && byte_ready) collected <= word[8 * BYTES - 1:8];
        end
        if (8 * BYTES > WIDTH) begin : padding
            wire unused = &{1'b0, word[8 * BYTES - 1:WIDTH]};
        end
    endgenerate

    assign byte_ready = !last || !m_axis_tvalid || m_axis_tready;

    always @(posedge aclk) begin
        if (m_axis_tready) m_axis_tvalid <= 1'b0;
        if (byte_valid && byte_ready) begin
            position <= last ? 16'd0 : position + 16'd1;
            if (last) begin
                m_axis_tdata <= word[WIDTH - 1:0];
                m_axis_tvalid <= 1'b1;
            end
        end
        if (!aresetn) begin
            position <= 16'd0;
            m_axis_tvalid <= 1'b0;
        end
    end
endmodule
