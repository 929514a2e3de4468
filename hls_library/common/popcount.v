// How many of BITS bits are set, pipelined: groups of seven bits, a register, then the tree that adds the groups.
// Runs freely, without enable; LATENCY = 1 + that of adder_tree for ceil(BITS / 7) operands.
module popcount #(
    parameter BITS = 49,
    parameter COUNT_WIDTH = $clog2(BITS + 1)
) (
    input  wire                   aclk,
    input  wire [BITS-1:0]        bits,
    output wire [COUNT_WIDTH-1:0] count
);
    localparam GROUPS = (BITS + 6) / 7;
    localparam SUM_WIDTH = 3 + $clog2(GROUPS);

    wire [GROUPS*3-1:0] counts;
    genvar g;
    generate
        for (g = 0; g < GROUPS; g = g + 1) begin : group
            // The last group is filled up with zeros.
            localparam SIZE = (g == GROUPS - 1) ? BITS - 7 * g : 7;
            wire [6:0] filled;
            assign filled[SIZE-1:0] = bits[7*g +: SIZE];
            if (SIZE < 7) begin : fill
                assign filled[6:SIZE] = {(7 - SIZE){1'b0}};
            end
            full_count full_count_of_group (.bits(filled), .count(counts[3*g +: 3]));
        end
    endgenerate

    reg [GROUPS*3-1:0] held;
    always @(posedge aclk) held <= counts;

    wire [SUM_WIDTH-1:0] sum;
    adder_tree #(.OPERANDS(GROUPS), .WIDTH(3), .SIGNED(0)) tree (.aclk(aclk), .operands(held), .sum(sum));

    generate
        if (SUM_WIDTH > COUNT_WIDTH) begin : narrow
            // BITS bits never count further than COUNT_WIDTH bits say.
            wire [SUM_WIDTH-COUNT_WIDTH-1:0] unused_always_zero;
            assign {unused_always_zero, count} = sum;
        end else begin : wide
            assign count = {{(COUNT_WIDTH - SUM_WIDTH){1'b0}}, sum};
        end
    endgenerate
endmodule
