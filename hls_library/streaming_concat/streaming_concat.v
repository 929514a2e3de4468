// Vectors of several streams one behind the other: WORDS words of stream 0, WORDS words of stream 1, and so on, again for
// every vector.
//
// WORDS has BITS bits a stream, stream 0 in the least significant bits; so have the tdata, tvalid and tready of the inputs. A
// word passes in every cycle, from one stream to the next without a bubble; it leaves the cycle after it has entered. The
// output register and one place beside it make s_axis_tready a register.
module streaming_concat #(
    parameter STREAMS = 2,
    parameter WIDTH = 8,
    parameter BITS = 4,
    parameter [BITS*STREAMS-1:0] WORDS = {(BITS*STREAMS){1'b1}}
) (
    input  wire                     aclk,
    input  wire                     aresetn,
    input  wire [STREAMS*WIDTH-1:0] s_axis_tdata,
    input  wire [STREAMS-1:0]       s_axis_tvalid,
    output wire [STREAMS-1:0]       s_axis_tready,
    output wire [WIDTH-1:0]         m_axis_tdata,
    output wire                     m_axis_tvalid,
    input  wire                     m_axis_tready
);
    wire [STREAMS-1:0] turn;
    wire free;
    wire enter = |(turn & s_axis_tvalid) && free;

    stream_turn #(.STREAMS(STREAMS), .BITS(BITS), .WORDS(WORDS)) order (
        .aclk(aclk), .aresetn(aresetn), .advance(enter), .turn(turn)
    );

    reg [WIDTH-1:0] word;
    integer s;
    always @* begin
        word = {WIDTH{1'b0}};
        for (s = 0; s < STREAMS; s = s + 1)
            word = word | ({WIDTH{turn[s]}} & s_axis_tdata[s*WIDTH +: WIDTH]);
    end
    assign s_axis_tready = free ? turn : {STREAMS{1'b0}};

    stream_register #(.WIDTH(WIDTH)) register (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(word), .s_axis_tvalid(enter), .s_axis_tready(free),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
