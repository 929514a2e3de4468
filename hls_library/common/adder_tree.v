// Sum of OPERANDS numbers of WIDTH >= 2 bits, pipelined: a register after every second level of adders and after the last.
// Runs freely, without enable: what goes in comes out LATENCY = ceil(ceil(log2(OPERANDS)) / 2) cycles later.
// Operand 0 lies in the least significant bits.
//
// SIGNED operands are added in offset binary, their most significant bit turned over: unsigned sums need no sign bits.
// For a simulation each sum has a number (split_var) and a register of its own, and the first half of them is added to the
// second: the compiler adds several at once.
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
                for (i = 0; i < OPERANDS; i = i + 1) begin : operand
                    assign sums[i*WIDTH +: WIDTH] = operands[i*WIDTH +: WIDTH] ^ {SIGNED != 0, {(WIDTH - 1){1'b0}}};
                end
            end else begin : add
                localparam SOURCES = (OPERANDS + (1 << (l - 1)) - 1) >> (l - 1);
                wire [COUNT*BITS-1:0] next /* verilator split_var */;
                for (i = 0; i < COUNT; i = i + 1) begin : node
                    wire [BITS-2:0] a = level[l-1].sums[i*(BITS-1) +: BITS-1];
                    if (i + COUNT < SOURCES) begin : pair
                        wire [BITS-2:0] b = level[l-1].sums[(i+COUNT)*(BITS-1) +: BITS-1];
                        assign next[i*BITS +: BITS] = {1'b0, a} + {1'b0, b};
                    end else if (SIGNED != 0) begin : signed_single
                        assign next[i*BITS +: BITS] = {a[BITS-2], ~a[BITS-2], a[BITS-3:0]};
                    end else begin : single
                        assign next[i*BITS +: BITS] = {1'b0, a};
                    end
                end
                if (l % 2 == 0 || l == LEVELS) begin : registered
                    reg [COUNT*BITS-1:0] held /* verilator split_var */;
                    for (i = 0; i < COUNT; i = i + 1) begin : one_sum
                        always @(posedge aclk) held[i*BITS +: BITS] <= next[i*BITS +: BITS];
                    end
                    assign sums = held;
                end else begin : passed
                    assign sums = next;
                end
            end
        end
    endgenerate

    assign sum = level[LEVELS].sums ^ {SIGNED != 0, {(SUM_WIDTH - 1){1'b0}}};
endmodule
