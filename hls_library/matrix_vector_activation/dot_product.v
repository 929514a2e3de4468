// Dot product of SIMD inputs and SIMD weights, pipelined. Runs freely, without enable.
//
// The weights come a cycle before the inputs, from which LATENCY counts. Their register is here and not in front of all the
// dot products of a layer, so that those are alike to the last wire: a simulation then has code for one of them.
//
// How it multiplies follows from the operands' types alone:
// * one bit each, read alike (both 0/1, both -1/+1, or XNOR_MODE): population count of the AND or XNOR;
//   LATENCY = popcount, and 1 more for -1/+1 outside of XNOR_MODE, where the count is turned into the sum.
// * inputs of one or two bits and weights of -1/+1, unless HARD_MULTIPLIERS: see input_sum, which comes with LATENCY = popcount.
//   One count per bit of the input where the weight is +1, of TERNARY inputs one of the products that are +1;
//   LATENCY = popcount + 1.
// * else both -1, 0, +1, unless HARD_MULTIPLIERS: count of the nonzero products minus twice that of the negative ones; LATENCY = popcount + 1.
// * up to four products of bits, unless HARD_MULTIPLIERS: one count per pair of bits, weighted and added; LATENCY = popcount + 1.
// * more: SIMD multipliers, a register, adder tree; LATENCY = 1 + adder_tree.
// A population count absorbs the AND or XNOR of two bits into its first full adders: on LUT4 that takes about half of the
// area of few-bit multipliers and an adder tree.
//
// KIND: 0 unsigned, 1 two's complement, 2 TERNARY (two's complement, never -2), 3 BIPOLAR (0/1 for -1/+1).
module dot_product #(
    parameter SIMD = 4,
    parameter INPUT_WIDTH = 2,
    parameter INPUT_KIND = 1,
    parameter WEIGHT_WIDTH = 2,
    parameter WEIGHT_KIND = 1,
    parameter XNOR_MODE = 0,
    parameter HARD_MULTIPLIERS = 0,
    // Read by synthesis alone, as an attribute, which Verilator does not count as use.
    // verilator lint_off UNUSEDPARAM
    parameter USE_DSP = "no",
    // verilator lint_on UNUSEDPARAM
    parameter SUM_WIDTH = 8,
    parameter INPUT_SUM_WIDTH = $clog2(SIMD + 1) + ((INPUT_KIND == 2) ? 1 : INPUT_WIDTH)
) (
    input  wire                         aclk,
    input  wire [SIMD*INPUT_WIDTH-1:0]  inputs,
    input  wire [SIMD*WEIGHT_WIDTH-1:0] weights,
    input  wire [INPUT_SUM_WIDTH-1:0]   input_sum,
    output wire [SUM_WIDTH-1:0]         sum
);
    localparam UNSIGNED = 0;
    localparam TERNARY = 2;
    localparam BIPOLAR = 3;
    // A BIPOLAR operand is decoded to two bits, unless both are and their XNOR is counted.
    localparam X_WIDTH = (INPUT_KIND == BIPOLAR) ? 2 : INPUT_WIDTH;
    localparam W_WIDTH = (WEIGHT_KIND == BIPOLAR) ? 2 : WEIGHT_WIDTH;
    localparam ONE_BIT = INPUT_WIDTH == 1 && WEIGHT_WIDTH == 1 && INPUT_KIND == WEIGHT_KIND;
    localparam SIGNS_ONLY = INPUT_KIND >= TERNARY && WEIGHT_KIND >= TERNARY;
    localparam INPUTS_OR_OPPOSITE = WEIGHT_KIND == BIPOLAR && INPUT_KIND != BIPOLAR && INPUT_WIDTH <= 2 && HARD_MULTIPLIERS == 0;
    localparam X_SIGNED = INPUT_KIND != UNSIGNED;
    localparam W_SIGNED = WEIGHT_KIND != UNSIGNED;
    localparam COUNT_WIDTH = $clog2(SIMD + 1);

    reg [SIMD*WEIGHT_WIDTH-1:0] weights_held;
    always @(posedge aclk) weights_held <= weights;

    genvar s, i, j;
    generate
        if (!INPUTS_OR_OPPOSITE) begin : no_sum_of_inputs
            wire unused_input_sum = &{1'b0, input_sum};
        end
        if (ONE_BIT) begin : bits
            wire [COUNT_WIDTH-1:0] count;
            wire [SIMD-1:0] products =
                (XNOR_MODE != 0 || INPUT_KIND == BIPOLAR) ? ~(inputs ^ weights_held) : inputs & weights_held;
            popcount #(.BITS(SIMD)) counter (.aclk(aclk), .bits(products), .count(count));
            if (INPUT_KIND == BIPOLAR) begin : bipolar
                localparam WIDTH = COUNT_WIDTH + 2;
                localparam integer ALL = SIMD;
                reg [WIDTH-1:0] difference;
                always @(posedge aclk) difference <= {1'b0, count, 1'b0} - ALL[WIDTH-1:0];
                resize #(.FROM(WIDTH), .TO(SUM_WIDTH), .SIGNED(1)) fit (.from(difference), .to(sum));
            end else begin : plain
                resize #(.FROM(COUNT_WIDTH), .TO(SUM_WIDTH), .SIGNED(0)) fit (.from(count), .to(sum));
            end
        end else if (INPUTS_OR_OPPOSITE) begin : inputs_or_opposite
            localparam PLANES = (INPUT_KIND == TERNARY) ? 1 : INPUT_WIDTH;
            localparam SIGN_PLANE = X_SIGNED && INPUT_KIND != TERNARY;
            localparam WIDTH = INPUT_SUM_WIDTH + 1;
            wire [PLANES*WIDTH-1:0] weighted;
            for (i = 0; i < PLANES; i = i + 1) begin : plane
                wire [SIMD-1:0] positive;
                for (s = 0; s < SIMD; s = s + 1) begin : product
                    if (INPUT_KIND == TERNARY) begin : sign
                        assign positive[s] = inputs[2*s] & (inputs[2*s+1] ^ weights_held[s]);
                    end else begin : number
                        assign positive[s] = inputs[s*INPUT_WIDTH + i] & weights_held[s];
                    end
                end
                wire [COUNT_WIDTH-1:0] count;
                popcount #(.BITS(SIMD)) counter (.aclk(aclk), .bits(positive), .count(count));
                assign weighted[i*WIDTH +: WIDTH] = {{(WIDTH - COUNT_WIDTH){1'b0}}, count} << (i + 1);
            end
            wire [WIDTH-1:0] all = {SIGN_PLANE && input_sum[INPUT_SUM_WIDTH-1], input_sum};
            reg [WIDTH-1:0] total;
            // The last plane of signed inputs is that of their sign bits, which count negative.
            if (PLANES == 1 && SIGN_PLANE) begin : one_sign
                always @(posedge aclk) total <= {WIDTH{1'b0}} - weighted - all;
            end else if (PLANES == 1) begin : one
                always @(posedge aclk) total <= weighted - all;
            end else if (SIGN_PLANE) begin : two_signed
                always @(posedge aclk) total <= (weighted[0 +: WIDTH] - weighted[WIDTH +: WIDTH]) - all;
            end else begin : two
                always @(posedge aclk) total <= (weighted[0 +: WIDTH] + weighted[WIDTH +: WIDTH]) - all;
            end
            resize #(.FROM(WIDTH), .TO(SUM_WIDTH), .SIGNED(1)) fit (.from(total), .to(sum));
        end else begin : numbers
            wire [SIMD*X_WIDTH-1:0] x;
            wire [SIMD*W_WIDTH-1:0] w;
            for (s = 0; s < SIMD; s = s + 1) begin : decode
                if (INPUT_KIND == BIPOLAR) begin : bipolar_input
                    assign x[2*s +: 2] = {~inputs[s], 1'b1};
                end else begin : plain_input
                    assign x[s*X_WIDTH +: X_WIDTH] = inputs[s*INPUT_WIDTH +: INPUT_WIDTH];
                end
                if (WEIGHT_KIND == BIPOLAR) begin : bipolar_weight
                    assign w[2*s +: 2] = {~weights_held[s], 1'b1};
                end else begin : plain_weight
                    assign w[s*W_WIDTH +: W_WIDTH] = weights_held[s*WEIGHT_WIDTH +: WEIGHT_WIDTH];
                end
            end

            if (SIGNS_ONLY && HARD_MULTIPLIERS == 0) begin : signs
                wire [SIMD-1:0] nonzero, negative;
                for (s = 0; s < SIMD; s = s + 1) begin : product
                    assign nonzero[s] = x[2*s] & w[2*s];
                    assign negative[s] = x[2*s] & w[2*s] & (x[2*s+1] ^ w[2*s+1]);
                end
                wire [COUNT_WIDTH-1:0] nonzero_count, negative_count;
                popcount #(.BITS(SIMD)) nonzero_counter (.aclk(aclk), .bits(nonzero), .count(nonzero_count));
                popcount #(.BITS(SIMD)) negative_counter (.aclk(aclk), .bits(negative), .count(negative_count));
                reg [COUNT_WIDTH:0] difference;
                always @(posedge aclk) difference <= {1'b0, nonzero_count} - {negative_count, 1'b0};
                resize #(.FROM(COUNT_WIDTH + 1), .TO(SUM_WIDTH), .SIGNED(1)) fit (.from(difference), .to(sum));
            end else if (X_WIDTH * W_WIDTH <= 4 && HARD_MULTIPLIERS == 0) begin : planes
                // Plane (i, j) counts where bit i of the input and bit j of the weight are set; its weight is 2^(i+j),
                // negative if exactly one of them is a sign bit.
                localparam WIDTH = COUNT_WIDTH + X_WIDTH + W_WIDTH;
                wire [X_WIDTH*W_WIDTH*WIDTH-1:0] weighted;
                for (i = 0; i < X_WIDTH; i = i + 1) begin : input_bit
                    for (j = 0; j < W_WIDTH; j = j + 1) begin : weight_bit
                        localparam NEGATIVE = (X_SIGNED && i == X_WIDTH - 1) != (W_SIGNED && j == W_WIDTH - 1);
                        wire [SIMD-1:0] products;
                        for (s = 0; s < SIMD; s = s + 1) begin : product
                            assign products[s] = x[s*X_WIDTH + i] & w[s*W_WIDTH + j];
                        end
                        wire [COUNT_WIDTH-1:0] count;
                        popcount #(.BITS(SIMD)) counter (.aclk(aclk), .bits(products), .count(count));
                        wire [WIDTH-1:0] shifted = {{(X_WIDTH + W_WIDTH){1'b0}}, count} << (i + j);
                        assign weighted[(i*W_WIDTH + j)*WIDTH +: WIDTH] =
                            NEGATIVE ? {WIDTH{1'b0}} - shifted : shifted;
                    end
                end
                reg [WIDTH-1:0] total;
                if (X_WIDTH * W_WIDTH == 1) begin : one
                    always @(posedge aclk) total <= weighted;
                end else if (X_WIDTH * W_WIDTH == 2) begin : two
                    always @(posedge aclk) total <= weighted[0 +: WIDTH] + weighted[WIDTH +: WIDTH];
                end else if (X_WIDTH * W_WIDTH == 3) begin : three
                    always @(posedge aclk)
                        total <= weighted[0 +: WIDTH] + weighted[WIDTH +: WIDTH] + weighted[2*WIDTH +: WIDTH];
                end else begin : four
                    always @(posedge aclk)
                        total <= (weighted[0 +: WIDTH] + weighted[WIDTH +: WIDTH])
                               + (weighted[2*WIDTH +: WIDTH] + weighted[3*WIDTH +: WIDTH]);
                end
                resize #(.FROM(WIDTH), .TO(SUM_WIDTH), .SIGNED(X_SIGNED || W_SIGNED)) fit (.from(total), .to(sum));
            end else begin : multipliers
                localparam WIDTH = X_WIDTH + W_WIDTH;
                localparam TREE_WIDTH = WIDTH + $clog2(SIMD);
                (* use_dsp = USE_DSP *)
                reg [SIMD*WIDTH-1:0] products /* verilator split_var */;
                for (s = 0; s < SIMD; s = s + 1) begin : product
                    // One bit more than the operand, so that unsigned and signed operands multiply alike.
                    wire signed [X_WIDTH:0] a = {X_SIGNED && x[s*X_WIDTH + X_WIDTH - 1], x[s*X_WIDTH +: X_WIDTH]};
                    wire signed [W_WIDTH:0] b = {W_SIGNED && w[s*W_WIDTH + W_WIDTH - 1], w[s*W_WIDTH +: W_WIDTH]};
                    wire signed [WIDTH+1:0] full = a * b;
                    wire [1:0] unused_sign_copies = full[WIDTH+1:WIDTH];
                    always @(posedge aclk) products[s*WIDTH +: WIDTH] <= full[WIDTH-1:0];
                end
                wire [TREE_WIDTH-1:0] total;
                adder_tree #(.OPERANDS(SIMD), .WIDTH(WIDTH), .SIGNED(X_SIGNED || W_SIGNED)) tree (
                    .aclk(aclk), .operands(products), .sum(total)
                );
                resize #(.FROM(TREE_WIDTH), .TO(SUM_WIDTH), .SIGNED(X_SIGNED || W_SIGNED)) fit (.from(total), .to(sum));
            end
        end
    endgenerate
endmodule
