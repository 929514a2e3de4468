// The sum of each channel over PIXELS pixels of FOLDS words. A word enters in every cycle; each sum leaves the cycle after its
// last word has entered. s_axis_tready knows m_axis_tready through a register only.
module global_acc_pool #(
    parameter PE = 2,
    parameter FOLDS = 2,
    parameter PIXELS = 4,
    parameter INPUT_WIDTH = 4,
    parameter INPUT_SIGNED = 0,
    parameter OUTPUT_WIDTH = 6
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
    localparam FOLD_BITS = (FOLDS > 1) ? $clog2(FOLDS) : 1;
    localparam PIXEL_BITS = (PIXELS > 1) ? $clog2(PIXELS) : 1;
    localparam integer LAST_FOLD = FOLDS - 1;
    localparam integer LAST_PIXEL = PIXELS - 1;

    reg [FOLD_BITS-1:0] fold;
    reg [PIXEL_BITS-1:0] pixel;
    wire first = pixel == {PIXEL_BITS{1'b0}};
    wire last = pixel == LAST_PIXEL[PIXEL_BITS-1:0];
    wire free;
    wire enter = s_axis_tvalid && free;
    assign s_axis_tready = free;
    always @(posedge aclk) begin
        if (!aresetn) begin
            fold <= {FOLD_BITS{1'b0}};
            pixel <= {PIXEL_BITS{1'b0}};
        end else if (enter) begin
            if (fold == LAST_FOLD[FOLD_BITS-1:0]) begin
                fold <= {FOLD_BITS{1'b0}};
                pixel <= last ? {PIXEL_BITS{1'b0}} : pixel + 1'b1;
            end else fold <= fold + 1'b1;
        end
    end

    (* ram_style = "distributed" *) reg [PE*OUTPUT_WIDTH-1:0] sums [0:FOLDS-1];
    wire [PE*OUTPUT_WIDTH-1:0] sum = sums[fold];
    wire [PE*OUTPUT_WIDTH-1:0] next;
    always @(posedge aclk) if (enter) sums[fold] <= next;

    genvar p;
    generate
        for (p = 0; p < PE; p = p + 1) begin : channel
            wire [OUTPUT_WIDTH-1:0] value;
            resize #(.FROM(INPUT_WIDTH), .TO(OUTPUT_WIDTH), .SIGNED(INPUT_SIGNED)) widen (
                .from(s_axis_tdata[p*INPUT_WIDTH +: INPUT_WIDTH]), .to(value)
            );
            assign next[p*OUTPUT_WIDTH +: OUTPUT_WIDTH] =
                value + (first ? {OUTPUT_WIDTH{1'b0}} : sum[p*OUTPUT_WIDTH +: OUTPUT_WIDTH]);
        end
    endgenerate

    stream_register #(.WIDTH(PE*OUTPUT_WIDTH)) register (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(next), .s_axis_tvalid(s_axis_tvalid && last), .s_axis_tready(free),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
