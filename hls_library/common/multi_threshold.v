// OUTPUT_OFFSET plus the number of thresholds that each of PE values has reached (value >= threshold), modulo the output's width.
//
// The thresholds lie in a memory, one word per fold: element pe * NUM_STEPS + step. Words are read ahead, in order: word 0
// after reset, the next one whenever `valid` is high. With NUM_STEPS <= 3 the results are combinational, else they come
// 1 + latency of popcount for NUM_STEPS bits later; `result_valid` comes with them.
module multi_threshold #(
    parameter PE = 1,
    parameter FOLDS = 1,
    parameter SHARED_THRESHOLDS = 0,
    parameter VALUE_WIDTH = 8,
    parameter VALUE_SIGNED = 1,
    parameter THRESHOLD_WIDTH = 8,
    parameter NUM_STEPS = 3,
    parameter OUTPUT_WIDTH = 2,
    parameter OUTPUT_OFFSET = 0,
    // Read by synthesis alone, as an attribute, which Verilator does not count as use.
    // verilator lint_off UNUSEDPARAM
    parameter RAM_STYLE = "auto",
    // verilator lint_on UNUSEDPARAM
    parameter THRESHOLDS_FILE = "thresholds.mem"
) (
    input  wire                       aclk,
    input  wire                       aresetn,
    input  wire                       valid,
    input  wire [PE*VALUE_WIDTH-1:0]  values,
    output wire                       result_valid,
    output wire [PE*OUTPUT_WIDTH-1:0] results
);
    localparam DEPTH = (SHARED_THRESHOLDS != 0) ? 1 : FOLDS;
    localparam ADDRESS_WIDTH = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam integer LAST = DEPTH - 1;
    localparam integer OFFSET = OUTPUT_OFFSET;
    localparam WORD_ELEMENTS = (SHARED_THRESHOLDS != 0) ? NUM_STEPS : PE * NUM_STEPS;
    localparam WORD_WIDTH = WORD_ELEMENTS * THRESHOLD_WIDTH;
    localparam COMPARE_WIDTH = (VALUE_WIDTH > THRESHOLD_WIDTH) ? VALUE_WIDTH : THRESHOLD_WIDTH;
    localparam COUNT_WIDTH = $clog2(NUM_STEPS + 1);
    localparam COUNT_LATENCY = ($clog2((NUM_STEPS + 6) / 7) + 1) / 2 + 1;

    (* ram_style = RAM_STYLE *)
    reg [WORD_WIDTH-1:0] thresholds [0:DEPTH-1];
    initial $readmemh(THRESHOLDS_FILE, thresholds);

    reg  [ADDRESS_WIDTH-1:0] address;
    wire [ADDRESS_WIDTH-1:0] next_address =
        !valid ? address : (address == LAST[ADDRESS_WIDTH-1:0]) ? {ADDRESS_WIDTH{1'b0}} : address + 1'b1;
    reg  [WORD_WIDTH-1:0] word;
    always @(posedge aclk) begin
        if (!aresetn) address <= {ADDRESS_WIDTH{1'b0}};
        else address <= next_address;
        word <= thresholds[next_address];
    end

    wire [PE*NUM_STEPS-1:0] reached;
    genvar p, s;
    generate
        for (p = 0; p < PE; p = p + 1) begin : channel
            wire [VALUE_WIDTH-1:0] value = values[p*VALUE_WIDTH +: VALUE_WIDTH];
            for (s = 0; s < NUM_STEPS; s = s + 1) begin : step
                localparam ELEMENT = (SHARED_THRESHOLDS != 0) ? s : p * NUM_STEPS + s;
                wire [THRESHOLD_WIDTH-1:0] threshold = word[ELEMENT*THRESHOLD_WIDTH +: THRESHOLD_WIDTH];
                wire [COMPARE_WIDTH:0] wide_value, wide_threshold;
                assign wide_value = {{(COMPARE_WIDTH + 1 - VALUE_WIDTH){VALUE_SIGNED != 0 && value[VALUE_WIDTH-1]}}, value};
                assign wide_threshold =
                    {{(COMPARE_WIDTH + 1 - THRESHOLD_WIDTH){VALUE_SIGNED != 0 && threshold[THRESHOLD_WIDTH-1]}}, threshold};
                assign reached[p*NUM_STEPS + s] = $signed(wide_value) >= $signed(wide_threshold);
            end
        end

        if (NUM_STEPS <= 3) begin : few
            assign result_valid = valid;
            for (p = 0; p < PE; p = p + 1) begin : result
                wire [2:0] bits = {{(3 - NUM_STEPS){1'b0}}, reached[p*NUM_STEPS +: NUM_STEPS]};
                wire [1:0] count = {(bits[0] & bits[1]) | (bits[2] & (bits[0] | bits[1])), ^bits};
                wire [OUTPUT_WIDTH:0] offset_count = OFFSET[OUTPUT_WIDTH:0] + {{(OUTPUT_WIDTH - 1){1'b0}}, count};
                wire unused_carry = offset_count[OUTPUT_WIDTH];
                assign results[p*OUTPUT_WIDTH +: OUTPUT_WIDTH] = offset_count[OUTPUT_WIDTH-1:0];
            end
        end else begin : many
            reg [PE*NUM_STEPS-1:0] held;
            reg [COUNT_LATENCY:0] pending;
            always @(posedge aclk) begin
                held <= reached;
                if (!aresetn) pending <= {(COUNT_LATENCY + 1){1'b0}};
                else pending <= {pending[COUNT_LATENCY-1:0], valid};
            end
            assign result_valid = pending[COUNT_LATENCY];
            for (p = 0; p < PE; p = p + 1) begin : result
                wire [COUNT_WIDTH-1:0] count;
                popcount #(.BITS(NUM_STEPS)) counter (
                    .aclk(aclk), .bits(held[p*NUM_STEPS +: NUM_STEPS]), .count(count)
                );
                localparam SUM_WIDTH = ((OUTPUT_WIDTH > COUNT_WIDTH) ? OUTPUT_WIDTH : COUNT_WIDTH) + 1;
                wire [SUM_WIDTH-1:0] offset_count = OFFSET[SUM_WIDTH-1:0] + {{(SUM_WIDTH - COUNT_WIDTH){1'b0}}, count};
                wire [SUM_WIDTH-OUTPUT_WIDTH-1:0] unused_carry = offset_count[SUM_WIDTH-1:OUTPUT_WIDTH];
                assign results[p*OUTPUT_WIDTH +: OUTPUT_WIDTH] = offset_count[OUTPUT_WIDTH-1:0];
            end
        end
    endgenerate
endmodule
