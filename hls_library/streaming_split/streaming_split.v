// The words of a vector to several streams: the first WORDS[0] words to stream 0, the next WORDS[1] words to stream 1, and so
// on, again for every vector.
//
// WORDS has BITS bits a stream, stream 0 in the least significant bits; so have the tdata, tvalid and tready of the outputs.
// A word passes in every cycle and leaves the cycle after it has entered. Each output has a register and one place beside it.
module streaming_split #(
    parameter STREAMS = 2,
    parameter WIDTH = 8,
    parameter BITS = 4,
    parameter [BITS*STREAMS-1:0] WORDS = {(BITS*STREAMS){1'b1}}
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
    wire [STREAMS-1:0] turn, free;
    assign s_axis_tready = |(turn & free);

    stream_turn #(.STREAMS(STREAMS), .BITS(BITS), .WORDS(WORDS)) order (
        .aclk(aclk), .aresetn(aresetn), .advance(s_axis_tvalid && s_axis_tready), .turn(turn)
    );

    genvar s;
    generate
        for (s = 0; s < STREAMS; s = s + 1) begin : output_stream
            stream_register #(.WIDTH(WIDTH)) register (
                .aclk(aclk), .aresetn(aresetn),
                .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid && turn[s]), .s_axis_tready(free[s]),
                .m_axis_tdata(m_axis_tdata[s*WIDTH +: WIDTH]), .m_axis_tvalid(m_axis_tvalid[s]),
                .m_axis_tready(m_axis_tready[s])
            );
        end
    endgenerate
endmodule
