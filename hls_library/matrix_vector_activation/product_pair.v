// Two products of one input, by one multiplier: (w1 * 2^SHIFT + w0) * x is w1 * x * 2^SHIFT + w0 * x.
//
// The multiplier has MULTIPLIER_WIDTH bits for the sum of weights; 18 are there on ECP5 (MULT18X18D, 18 x 18) as on Xilinx
// (DSP48, 25 x 18). A sum w1 * 2^SHIFT + w0 has SHIFT + WEIGHT_WIDTH + 1 bits. Where a product has no more than SHIFT bits, it
// lies in the low bits of the result, and a negative one has taken 1 from the other product, which is given back.
//
// Wider products overlap: their upper OVERLAP bits are added to the other product. That product's lowest OVERLAP bits are made
// a second time in gates, and what is added to them is what the upper bits are. So 8 by 8 bits fit too: SHIFT is 9, OVERLAP
// 7. With 25 bits for the sum nothing would overlap.
//
// x, w0 and w1 are two's complement; PRODUCT_WIDTH is what a product needs. LATENCY = 2.
module product_pair #(
    parameter INPUT_WIDTH = 9,
    parameter WEIGHT_WIDTH = 8,
    parameter PRODUCT_WIDTH = 16,
    parameter MULTIPLIER_WIDTH = 18,
    // Read by synthesis alone, as an attribute, which Verilator does not count as use.
    // verilator lint_off UNUSEDPARAM
    parameter USE_DSP = "yes"
    // verilator lint_on UNUSEDPARAM
) (
    input  wire                            aclk,
    input  wire signed [INPUT_WIDTH-1:0]   x,
    input  wire signed [WEIGHT_WIDTH-1:0]  w0,
    input  wire signed [WEIGHT_WIDTH-1:0]  w1,
    output wire        [PRODUCT_WIDTH-1:0] product0,
    output wire        [PRODUCT_WIDTH-1:0] product1
);
    localparam MOST_SHIFT = MULTIPLIER_WIDTH - WEIGHT_WIDTH - 1;
    localparam SHIFT = (PRODUCT_WIDTH < MOST_SHIFT) ? PRODUCT_WIDTH : MOST_SHIFT;
    localparam OVERLAP = PRODUCT_WIDTH - SHIFT;
    localparam SUM_WIDTH = SHIFT + WEIGHT_WIDTH + 1;
    localparam FULL_WIDTH = SUM_WIDTH + INPUT_WIDTH;

    wire signed [SUM_WIDTH-1:0] weights = {w1[WEIGHT_WIDTH-1], w1, {SHIFT{1'b0}}} + {{(SHIFT+1){w0[WEIGHT_WIDTH-1]}}, w0};
    (* use_dsp = USE_DSP *)
    reg signed [FULL_WIDTH-1:0] full;
    always @(posedge aclk) full <= weights * x;

    wire [SHIFT-1:0] low = full[SHIFT-1:0];
    wire [FULL_WIDTH-SHIFT-1:0] high = full[FULL_WIDTH-1:SHIFT];
    reg [PRODUCT_WIDTH-1:0] held0, held1;
    assign product0 = held0;
    assign product1 = held1;
    generate
        if (OVERLAP == 0) begin : apart
            wire unused_sign_copies = &{1'b0, high[FULL_WIDTH-SHIFT-1:PRODUCT_WIDTH]};
            always @(posedge aclk) begin
                held0 <= low;
                held1 <= high[PRODUCT_WIDTH-1:0] + {{(PRODUCT_WIDTH-1){1'b0}}, low[SHIFT-1]};
            end
        end else begin : overlapping
            // No operator of multiplication: synthesis would take another multiplier.
            reg [OVERLAP-1:0] lowest, lowest_held;
            integer i;
            always @* begin
                lowest = {OVERLAP{1'b0}};
                for (i = 0; i < OVERLAP; i = i + 1)
                    lowest = lowest + ((w1[OVERLAP-1:0] & {OVERLAP{x[i]}}) << i);
            end
            always @(posedge aclk) lowest_held <= lowest;
            wire [OVERLAP-1:0] upper = high[OVERLAP-1:0] - lowest_held;
            wire unused_sign_copies = &{1'b0, high[FULL_WIDTH-SHIFT-1:PRODUCT_WIDTH]};
            always @(posedge aclk) begin
                held0 <= {upper, low};
                held1 <= high[PRODUCT_WIDTH-1:0] - {{(PRODUCT_WIDTH-OVERLAP){upper[OVERLAP-1]}}, upper};
            end
        end
    endgenerate
endmodule
