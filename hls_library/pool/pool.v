// The largest of a window's TAPS words, channel by channel, or with SUM their sum without its SHIFT lowest bits. A word enters
// in every cycle; the result leaves the cycle after the window's last word has entered. s_axis_tready knows m_axis_tready
// through a register only.
module pool #(
    parameter PE = 2,
    parameter TAPS = 4,
    parameter SUM = 0,
    parameter INPUT_WIDTH = 4,
    parameter INPUT_SIGNED = 0,
    parameter ACCUMULATOR_WIDTH = 4,
    parameter SHIFT = 0,
    parameter OUTPUT_WIDTH = 4
) (
    input  wire                       aclk,
    input  wire                       aresetn,
    input  wire [PE*INPUT_WIDTH-1:0]  s_axis_tdata,
    input  wire                       s_axis_tvalid,
    output wire                       s_axis_tready,
    output wire [PE*OUTPUT_WIDTH-1:0] m_axis_tdata,
    output wire                       m_axis_tvalid,
    input  wire                       m_axis_tready
);
    localparam TAP_BITS = (TAPS > 1) ? $clog2(TAPS) : 1;
    localparam integer LAST_TAP = TAPS - 1;

    reg [TAP_BITS-1:0] tap;
    wire first = tap == {TAP_BITS{1'b0}};
    wire last = tap == LAST_TAP[TAP_BITS-1:0];
    wire free;
    wire enter = s_axis_tvalid && free;
    assign s_axis_tready = free;
    always @(posedge aclk) begin
        if (!aresetn) tap <= {TAP_BITS{1'b0}};
        else if (enter) tap <= last ? {TAP_BITS{1'b0}} : tap + 1'b1;
    end

    wire [PE*OUTPUT_WIDTH-1:0] results;
    genvar p;
    generate
        for (p = 0; p < PE; p = p + 1) begin : channel
            reg  [ACCUMULATOR_WIDTH-1:0] held;
            wire [ACCUMULATOR_WIDTH-1:0] value, next;
            resize #(.FROM(INPUT_WIDTH), .TO(ACCUMULATOR_WIDTH), .SIGNED(INPUT_SIGNED)) widen (
                .from(s_axis_tdata[p*INPUT_WIDTH +: INPUT_WIDTH]), .to(value)
            );
            if (SUM != 0) begin : sum
                assign next = first ? value : held + value;
            end else begin : largest
                wire [ACCUMULATOR_WIDTH:0] key, held_key;
                resize #(.FROM(ACCUMULATOR_WIDTH), .TO(ACCUMULATOR_WIDTH + 1), .SIGNED(INPUT_SIGNED)) extend (
                    .from(value), .to(key)
                );
                resize #(.FROM(ACCUMULATOR_WIDTH), .TO(ACCUMULATOR_WIDTH + 1), .SIGNED(INPUT_SIGNED)) extend_held (
                    .from(held), .to(held_key)
                );
                assign next = (first || $signed(key) > $signed(held_key)) ? value : held;
            end
            always @(posedge aclk) if (enter) held <= next;
            resize #(.FROM(ACCUMULATOR_WIDTH - SHIFT), .TO(OUTPUT_WIDTH), .SIGNED(INPUT_SIGNED)) fit (
                .from(next[ACCUMULATOR_WIDTH-1:SHIFT]), .to(results[p*OUTPUT_WIDTH +: OUTPUT_WIDTH])
            );
        end
    endgenerate

    stream_register #(.WIDTH(PE*OUTPUT_WIDTH)) register (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(results), .s_axis_tvalid(s_axis_tvalid && last), .s_axis_tready(free),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
