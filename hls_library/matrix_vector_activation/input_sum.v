// Sum of SIMD inputs of one or two bits, pipelined. Runs freely, without enable; LATENCY = popcount.
//
// The products of weights of -1/+1 are the inputs or what is opposite: their sum is twice that of the inputs whose weight is
// +1, less that of all inputs, which is here, once for all the dot products of a layer.
//
// KIND: 0 unsigned, 1 two's complement.
module input_sum #(
    parameter SIMD = 4,
    parameter INPUT_WIDTH = 2,
    parameter INPUT_KIND = 0,
    parameter SUM_WIDTH = $clog2(SIMD + 1) + INPUT_WIDTH
) (
    input  wire                        aclk,
    input  wire [SIMD*INPUT_WIDTH-1:0] inputs,
    output wire [SUM_WIDTH-1:0]        sum
);
    localparam COUNT_WIDTH = $clog2(SIMD + 1);

    genvar s, i;
    generate
        for (i = 0; i < INPUT_WIDTH; i = i + 1) begin : plane
            wire [SIMD-1:0] bits;
            for (s = 0; s < SIMD; s = s + 1) begin : element
                assign bits[s] = inputs[s*INPUT_WIDTH + i];
            end
            wire [COUNT_WIDTH-1:0] count;
            popcount #(.BITS(SIMD)) counter (.aclk(aclk), .bits(bits), .count(count));
            // The sign bit of an input counts negative.
            wire [SUM_WIDTH-1:0] shifted = {{INPUT_WIDTH{1'b0}}, count} << i;
            wire [SUM_WIDTH-1:0] weighted =
                (INPUT_KIND != 0 && i == INPUT_WIDTH - 1) ? {SUM_WIDTH{1'b0}} - shifted : shifted;
        end
        if (INPUT_WIDTH == 1) begin : one
            assign sum = plane[0].weighted;
        end else begin : two
            assign sum = plane[0].weighted + plane[1].weighted;
        end
    endgenerate
endmodule
