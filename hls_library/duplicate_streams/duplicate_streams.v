// The same words to several streams.
//
// The tdata, tvalid and tready of the outputs are concatenated, stream 0 in the least significant bits. A word enters in the
// cycle in which every output has a place for it and leaves the cycle after on each of them, whatever the others do. Each output
// has a register and one place beside it: a word passes in every cycle, and no path leads from m_axis_tready to s_axis_tready.
module duplicate_streams #(
    parameter STREAMS = 2,
    parameter WIDTH = 8
) (
    input  wire                     aclk,
    input  wire                     aresetn,
    input  wire [WIDTH-1:0]         s_axis_tdata,
    input  wire                     s_axis_tvalid,
    output wire                     s_axis_tready,
    output wire [STREAMS*WIDTH-1:0] m_axis_tdata,
    output wire [STREAMS-1:0]       m_axis_tvalid,
    input  wire [STREAMS-1:0]       m_axis_tready
);
    wire [STREAMS-1:0] free;
    assign s_axis_tready = &free;

    genvar s;
    generate
        for (s = 0; s < STREAMS; s = s + 1) begin : output_stream
            stream_register #(.WIDTH(WIDTH)) register (
                .aclk(aclk), .aresetn(aresetn),
                .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid && s_axis_tready), .s_axis_tready(free[s]),
                .m_axis_tdata(m_axis_tdata[s*WIDTH +: WIDTH]), .m_axis_tvalid(m_axis_tvalid[s]),
                .m_axis_tready(m_axis_tready[s])
            );
        end
    endgenerate
endmodule
