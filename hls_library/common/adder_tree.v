// Sum of OPERANDS numbers of WIDTH bits, pipelined: a register after every second level of adders and after the last.
// Runs freely, without enable: what goes in comes out LATENCY = ceil(ceil(log2(OPERANDS)) / 2) cycles later.
// Operand 0 lies in the least significant bits. split_var: Verilator keeps each sum in a number of its own.
module adder_tree #(
    parameter OPERANDS = 4,
    parameter WIDTH = 3,
    parameter SIGNED = 0,
    parameter SUM_WIDTH = WIDTH + $clog2(OPERANDS)
) (
    input  wire                      aclk,
    input  wire [OPERANDS*WIDTH-1:0] operands,
    output wire [SUM_WIDTH-1:0]      sum
);
    localparam LEVELS = $clog2(OPERANDS);

    genvar l, i;
    generate
        if (LEVELS == 0) begin : nothing_to_add
            wire unused_clock = &{1'b0, aclk};
        end
        for (l = 0; l <= LEVELS; l = l + 1) begin : level
            localparam COUNT = (OPERANDS + (1 << l) - 1) >> l;
            localparam BITS = WIDTH + l;
            wire [COUNT*BITS-1:0] sums;
            if (l == 0) begin : leaf
                assign sums = operands;
            end else begin : add
                localparam SOURCES = (OPERANDS + (1 << (l - 1)) - 1) >> (l - 1);
                wire [COUNT*BITS-1:0] next /* verilator split_var */;
                for (i = 0; i < COUNT; i = i + 1) begin : node
                    wire [BITS-2:0] a = level[l-1].sums[2*i*(BITS-1) +: BITS-1];
                    if (2 * i + 1 < SOURCES) begin : pair
                        wire [BITS-2:0] b = level[l-1].sums[(2*i+1)*(BITS-1) +: BITS-1];
                        assign next[i*BITS +: BITS] = {SIGNED != 0 && a[BITS-2], a} + {SIGNED != 0 && b[BITS-2], b};
                    end else begin : single
                        assign next[i*BITS +: BITS] = {SIGNED != 0 && a[BITS-2], a};
                    end
                end
                if (l % 2 == 0 || l == LEVELS) begin : registered
                    reg [COUNT*BITS-1:0] held /* verilator split_var */;
                    always @(posedge aclk) held <= next;
                    assign sums = held;
                end else begin : passed
                    assign sums = next;
                end
            end
        end
    endgenerate

    assign sum = level[LEVELS].sums;
endmodule
