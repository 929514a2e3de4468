// Sum of SIMD inputs of one or two bits, pipelined. Runs freely, without enable; LATENCY = popcount.
//
// The products by weights of -1/+1 are the inputs or what is opposite: their sum is twice that of the inputs whose weight is
// +1, less that of all inputs, which is here, once for all the dot products of a layer. Of TERNARY inputs it is the number of
// those that are not 0: twice the number of products that are +1, less this one.
//
// KIND: 0 unsigned, 1 two's complement, 2 TERNARY.
module input_sum #(
    parameter SIMD = 4,
    parameter INPUT_WIDTH = 2,
    parameter INPUT_KIND = 0,
    parameter SUM_WIDTH = $clog2(SIMD + 1) + ((INPUT_KIND == 2) ? 1 : INPUT_WIDTH)
) (
    input  wire                        aclk,
    input  wire [SIMD*INPUT_WIDTH-1:0] inputs,
    output wire [SUM_WIDTH-1:0]        sum
);
    localparam COUNT_WIDTH = $clog2(SIMD + 1);
    localparam TERNARY = 2;
    // Bit 0 of a TERNARY input is its magnitude.
    localparam PLANES = (INPUT_KIND == TERNARY) ? 1 : INPUT_WIDTH;
    localparam SIGN_PLANE = INPUT_KIND == 1;

    genvar s, i;
    generate
        if (INPUT_KIND == TERNARY) begin : magnitudes
            wire unused_signs = &{1'b0, inputs};
        end
        for (i = 0; i < PLANES; i = i + 1) begin : plane
            wire [SIMD-1:0] bits;
            for (s = 0; s < SIMD; s = s + 1) begin : element
                assign bits[s] = inputs[s*INPUT_WIDTH + i];
            end
            wire [COUNT_WIDTH-1:0] count;
            popcount #(.BITS(SIMD)) counter (.aclk(aclk), .bits(bits), .count(count));
            wire [SUM_WIDTH-1:0] weighted = {{(SUM_WIDTH - COUNT_WIDTH){1'b0}}, count} << i;
        end
        // The last plane of signed inputs is that of their sign bits, which count negative.
        if (PLANES == 1 && SIGN_PLANE) begin : one_sign
            assign sum = {SUM_WIDTH{1'b0}} - plane[0].weighted;
        end else if (PLANES == 1) begin : one
            assign sum = plane[0].weighted;
        end else if (SIGN_PLANE) begin : two_signed
            assign sum = plane[0].weighted - plane[1].weighted;
        end else begin : two
            assign sum = plane[0].weighted + plane[1].weighted;
        end
    endgenerate
endmodule
