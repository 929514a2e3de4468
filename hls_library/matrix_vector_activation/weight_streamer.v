// A memory as an AXI4-Stream: its words in order, again and again. A word is there in every cycle, and no path leads from
// m_axis_tready to the memory.
module weight_streamer #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter RAM_STYLE = "auto",
    parameter FILE = "weights.mem"
) (
    input  wire             aclk,
    input  wire             aresetn,
    output wire [WIDTH-1:0] m_axis_tdata,
    output wire             m_axis_tvalid,
    input  wire             m_axis_tready
);
    wire [WIDTH-1:0] word;
    wire ready;
    channel_memory #(.WIDTH(WIDTH), .FOLDS(DEPTH), .RAM_STYLE(RAM_STYLE), .FILE(FILE)) memory (
        .aclk(aclk), .aresetn(aresetn), .advance(ready), .word(word)
    );
    stream_register #(.WIDTH(WIDTH)) out (
        .aclk(aclk), .aresetn(aresetn), .s_axis_tdata(word), .s_axis_tvalid(1'b1), .s_axis_tready(ready),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
