// Two dot products of the same SIMD inputs, by two times SIMD weights, with SIMD multipliers: see product_pair. Runs freely,
// without enable; LATENCY = 2 + adder_tree. KIND, and when the weights come: see dot_product.
module dot_product_pair #(
    parameter SIMD = 4,
    parameter INPUT_WIDTH = 8,
    parameter INPUT_KIND = 1,
    parameter WEIGHT_WIDTH = 8,
    parameter WEIGHT_KIND = 1,
    parameter USE_DSP = "yes",
    parameter SUM_WIDTH = 24
) (
    input  wire                         aclk,
    input  wire [SIMD*INPUT_WIDTH-1:0]  inputs,
    input  wire [SIMD*WEIGHT_WIDTH-1:0] weights0,
    input  wire [SIMD*WEIGHT_WIDTH-1:0] weights1,
    output wire [SUM_WIDTH-1:0]         sum0,
    output wire [SUM_WIDTH-1:0]         sum1
);
    localparam UNSIGNED = 0;
    localparam BIPOLAR = 3;
    // As two's complement: an unsigned operand takes one bit more, and so does a bit for -1 and +1.
    localparam X_WIDTH = INPUT_WIDTH + ((INPUT_KIND == UNSIGNED || INPUT_KIND == BIPOLAR) ? 1 : 0);
    localparam W_WIDTH = WEIGHT_WIDTH + ((WEIGHT_KIND == UNSIGNED || WEIGHT_KIND == BIPOLAR) ? 1 : 0);
    // The bit more of one unsigned operand makes no product wider.
    localparam WIDTH = X_WIDTH + W_WIDTH - ((INPUT_KIND == UNSIGNED || WEIGHT_KIND == UNSIGNED) ? 1 : 0);
    localparam TREE_WIDTH = WIDTH + $clog2(SIMD);

    reg [SIMD*WEIGHT_WIDTH-1:0] held0, held1;
    always @(posedge aclk) begin
        held0 <= weights0;
        held1 <= weights1;
    end

    wire [SIMD*WIDTH-1:0] products0 /* verilator split_var */;
    wire [SIMD*WIDTH-1:0] products1 /* verilator split_var */;
    genvar s;
    generate
        for (s = 0; s < SIMD; s = s + 1) begin : pair
            wire [X_WIDTH-1:0] x;
            wire [W_WIDTH-1:0] w0, w1;
            decode_element #(.KIND(INPUT_KIND), .WIDTH(INPUT_WIDTH), .TO(X_WIDTH)) input_number (
                .element(inputs[s*INPUT_WIDTH +: INPUT_WIDTH]), .value(x)
            );
            decode_element #(.KIND(WEIGHT_KIND), .WIDTH(WEIGHT_WIDTH), .TO(W_WIDTH)) weight_number0 (
                .element(held0[s*WEIGHT_WIDTH +: WEIGHT_WIDTH]), .value(w0)
            );
            decode_element #(.KIND(WEIGHT_KIND), .WIDTH(WEIGHT_WIDTH), .TO(W_WIDTH)) weight_number1 (
                .element(held1[s*WEIGHT_WIDTH +: WEIGHT_WIDTH]), .value(w1)
            );
            product_pair #(.INPUT_WIDTH(X_WIDTH), .WEIGHT_WIDTH(W_WIDTH), .PRODUCT_WIDTH(WIDTH), .USE_DSP(USE_DSP)) products (
                .aclk(aclk), .x(x), .w0(w0), .w1(w1),
                .product0(products0[s*WIDTH +: WIDTH]), .product1(products1[s*WIDTH +: WIDTH])
            );
        end
    endgenerate

    wire [TREE_WIDTH-1:0] total0, total1;
    adder_tree #(.OPERANDS(SIMD), .WIDTH(WIDTH), .SIGNED(1)) tree0 (.aclk(aclk), .operands(products0), .sum(total0));
    adder_tree #(.OPERANDS(SIMD), .WIDTH(WIDTH), .SIGNED(1)) tree1 (.aclk(aclk), .operands(products1), .sum(total1));
    resize #(.FROM(TREE_WIDTH), .TO(SUM_WIDTH), .SIGNED(1)) fit0 (.from(total0), .to(sum0));
    resize #(.FROM(TREE_WIDTH), .TO(SUM_WIDTH), .SIGNED(1)) fit1 (.from(total1), .to(sum1));
endmodule
