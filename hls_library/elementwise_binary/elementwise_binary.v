// Sum, difference or product of every element and its partner, exact. OPERATION: 0 is lhs + rhs, 1 is lhs - rhs, 2 is lhs * rhs.
//
// The partner is the element at the same place of a second stream, or with RHS_CONSTANT that of a memory with one word for
// each of FOLDS words. The inputs are one behind the other in s_axis, the first in the least significant bits; a word of one
// stream waits for that of the other. A result waits for a place in the output queue; behind it nothing halts: the first word
// leaves 3 cycles after it has entered.
module elementwise_binary #(
    parameter OPERATION = 0,
    parameter PE = 1,
    parameter RHS_CONSTANT = 0,
    parameter LHS_WIDTH = 8,
    parameter LHS_KIND = 1,
    parameter RHS_WIDTH = 8,
    parameter RHS_KIND = 1,
    parameter OUTPUT_WIDTH = 9,
    // Read by synthesis alone, as an attribute, or where there is a memory: Verilator does not count that as use.
    // verilator lint_off UNUSEDPARAM
    parameter FOLDS = 1,
    parameter RAM_STYLE = "auto",
    parameter USE_DSP = "no",
    parameter RHS_FILE = "rhs.mem",
    // verilator lint_on UNUSEDPARAM
    parameter STREAMS = (RHS_CONSTANT != 0) ? 1 : 2,
    parameter INPUT_WIDTH = PE * (LHS_WIDTH + ((RHS_CONSTANT != 0) ? 0 : RHS_WIDTH))
) (
    input  wire                       aclk,
    input  wire                       aresetn,
    input  wire [INPUT_WIDTH-1:0]     s_axis_tdata,
    input  wire [STREAMS-1:0]         s_axis_tvalid,
    output wire [STREAMS-1:0]         s_axis_tready,
    output wire [PE*OUTPUT_WIDTH-1:0] m_axis_tdata,
    output wire                       m_axis_tvalid,
    input  wire                       m_axis_tready
);
    // Wide enough for every result and for the operands.
    localparam OPERANDS = ((LHS_WIDTH > RHS_WIDTH) ? LHS_WIDTH : RHS_WIDTH) + 2;
    localparam WIDE = (OUTPUT_WIDTH > OPERANDS) ? OUTPUT_WIDTH : OPERANDS;

    wire place_free;
    wire start = place_free && (&s_axis_tvalid);
    assign s_axis_tready = {STREAMS{start}};

    reg valid, result_valid;
    reg [PE*LHS_WIDTH-1:0] lhs;
    wire [PE*RHS_WIDTH-1:0] rhs;
    always @(posedge aclk) begin
        valid <= aresetn && start;
        result_valid <= aresetn && valid;
        lhs <= s_axis_tdata[PE*LHS_WIDTH-1:0];
    end
    generate
        if (RHS_CONSTANT != 0) begin : constant
            channel_memory #(.WIDTH(PE*RHS_WIDTH), .FOLDS(FOLDS), .RAM_STYLE(RAM_STYLE), .FILE(RHS_FILE)) memory (
                .aclk(aclk), .aresetn(aresetn), .advance(valid), .word(rhs)
            );
        end else begin : streamed
            reg [PE*RHS_WIDTH-1:0] held;
            always @(posedge aclk) held <= s_axis_tdata[PE*LHS_WIDTH +: PE*RHS_WIDTH];
            assign rhs = held;
        end
    endgenerate

    (* use_dsp = USE_DSP *)
    reg [PE*OUTPUT_WIDTH-1:0] results;
    genvar p;
    generate
        for (p = 0; p < PE; p = p + 1) begin : element
            wire signed [WIDE-1:0] a, b;
            decode_element #(.KIND(LHS_KIND), .WIDTH(LHS_WIDTH), .TO(WIDE)) left (
                .element(lhs[p*LHS_WIDTH +: LHS_WIDTH]), .value(a)
            );
            decode_element #(.KIND(RHS_KIND), .WIDTH(RHS_WIDTH), .TO(WIDE)) right (
                .element(rhs[p*RHS_WIDTH +: RHS_WIDTH]), .value(b)
            );
            wire signed [WIDE-1:0] result = (OPERATION == 0) ? a + b : (OPERATION == 1) ? a - b : a * b;
            wire [OUTPUT_WIDTH-1:0] low_bits;
            resize #(.FROM(WIDE), .TO(OUTPUT_WIDTH), .SIGNED(1)) fit (.from(result), .to(low_bits));
            always @(posedge aclk) results[p*OUTPUT_WIDTH +: OUTPUT_WIDTH] <= low_bits;
        end
    endgenerate

    output_queue #(.WIDTH(PE*OUTPUT_WIDTH), .PLACES(4)) queue (
        .aclk(aclk), .aresetn(aresetn), .start(start), .place_free(place_free),
        .valid(result_valid), .data(results),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
