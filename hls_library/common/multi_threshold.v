// OUTPUT_OFFSET plus the number of thresholds that each of PE values has reached (value >= threshold), modulo the output's width.
//
// Up to three thresholds are compared at once and the results are combinational. They lie in THRESHOLDS_FILE, one word per
// fold: element pe * NUM_STEPS + step.
//
// More are searched, most significant bit of the count first: one comparator per bit and value. Stage i has a memory of
// 2**i thresholds per fold, THRESHOLDS_i_FILE, and reads word fold * 2**i + (the i bits decided so far), element pe: the
// threshold of step (bits + 1/2) * 2**(bits of the count - i) - 1, or one that no value reaches where there is no such
// step. The results come as many cycles later as the count has bits. Stages from FIRST_BLOCK_STAGE on are block memories.
//
// A value per cycle. Folds come in order, fold 0 first after reset, the next one whenever `valid` is high; the first
// memory is read ahead. `result_valid` comes with the results.
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
    parameter FIRST_BLOCK_STAGE = 8,
    // Which of them are used follows from the number of steps.
    // verilator lint_off UNUSEDPARAM
    parameter RAM_STYLE = "auto",
    parameter THRESHOLDS_FILE = "thresholds.mem",
    parameter THRESHOLDS_0_FILE = "thresholds_0.mem",
    parameter THRESHOLDS_1_FILE = "thresholds_1.mem",
    parameter THRESHOLDS_2_FILE = "thresholds_2.mem",
    parameter THRESHOLDS_3_FILE = "thresholds_3.mem",
    parameter THRESHOLDS_4_FILE = "thresholds_4.mem",
    parameter THRESHOLDS_5_FILE = "thresholds_5.mem",
    parameter THRESHOLDS_6_FILE = "thresholds_6.mem",
    parameter THRESHOLDS_7_FILE = "thresholds_7.mem"
    // verilator lint_on UNUSEDPARAM
) (
    input  wire                       aclk,
    input  wire                       aresetn,
    input  wire                       valid,
    input  wire [PE*VALUE_WIDTH-1:0]  values,
    output wire                       result_valid,
    output wire [PE*OUTPUT_WIDTH-1:0] results
);
    localparam DEPTH = (SHARED_THRESHOLDS != 0) ? 1 : FOLDS;
    localparam FOLD_WIDTH = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam integer LAST = DEPTH - 1;
    localparam integer OFFSET = OUTPUT_OFFSET;
    localparam COUNT_WIDTH = $clog2(NUM_STEPS + 1);

    reg  [FOLD_WIDTH-1:0] fold;
    wire [FOLD_WIDTH-1:0] next_fold =
        !valid ? fold : (fold == LAST[FOLD_WIDTH-1:0]) ? {FOLD_WIDTH{1'b0}} : fold + 1'b1;
    always @(posedge aclk) begin
        if (!aresetn) fold <= {FOLD_WIDTH{1'b0}};
        else fold <= next_fold;
    end

    genvar p, s, i;
    generate
        if (NUM_STEPS <= 3) begin : few
            localparam WORD_WIDTH = ((SHARED_THRESHOLDS != 0) ? 1 : PE) * NUM_STEPS * THRESHOLD_WIDTH;
            localparam COMPARE_WIDTH = ((VALUE_WIDTH > THRESHOLD_WIDTH) ? VALUE_WIDTH : THRESHOLD_WIDTH) + 1;
            wire [WORD_WIDTH-1:0] word;
            rom #(.WIDTH(WORD_WIDTH), .DEPTH(DEPTH), .RAM_STYLE(RAM_STYLE), .FILE(THRESHOLDS_FILE)) thresholds (
                .aclk(aclk), .address(next_fold), .word(word)
            );

            assign result_valid = valid;
            for (p = 0; p < PE; p = p + 1) begin : channel
                wire [VALUE_WIDTH-1:0] value = values[p*VALUE_WIDTH +: VALUE_WIDTH];
                wire [2:0] reached;
                for (s = 0; s < 3; s = s + 1) begin : step
                    if (s < NUM_STEPS) begin : compare
                        localparam ELEMENT = (SHARED_THRESHOLDS != 0) ? s : p * NUM_STEPS + s;
                        wire [THRESHOLD_WIDTH-1:0] threshold = word[ELEMENT*THRESHOLD_WIDTH +: THRESHOLD_WIDTH];
                        wire [COMPARE_WIDTH-1:0] wide_value, wide_threshold;
                        assign wide_value =
                            {{(COMPARE_WIDTH - VALUE_WIDTH){VALUE_SIGNED != 0 && value[VALUE_WIDTH-1]}}, value};
                        assign wide_threshold = {
                            {(COMPARE_WIDTH - THRESHOLD_WIDTH){VALUE_SIGNED != 0 && threshold[THRESHOLD_WIDTH-1]}}, threshold
                        };
                        assign reached[s] = $signed(wide_value) >= $signed(wide_threshold);
                    end else begin : no_step
                        assign reached[s] = 1'b0;
                    end
                end
                wire [1:0] count = {(reached[0] & reached[1]) | (reached[2] & (reached[0] | reached[1])), ^reached};
                wire [OUTPUT_WIDTH:0] offset_count = OFFSET[OUTPUT_WIDTH:0] + {{(OUTPUT_WIDTH - 1){1'b0}}, count};
                wire unused_carry = offset_count[OUTPUT_WIDTH];
                assign results[p*OUTPUT_WIDTH +: OUTPUT_WIDTH] = offset_count[OUTPUT_WIDTH-1:0];
            end
        end else begin : search
            reg [COUNT_WIDTH-1:0] pending;
            always @(posedge aclk) begin
                if (!aresetn) pending <= {COUNT_WIDTH{1'b0}};
                else pending <= {pending[COUNT_WIDTH-2:0], valid};
            end
            assign result_valid = pending[COUNT_WIDTH-1];

            // Folds of the values in all stages but the last, the first one's in the least significant bits.
            reg  [FOLD_WIDTH*(COUNT_WIDTH-2)-1:0] earlier_folds;
            wire [FOLD_WIDTH*(COUNT_WIDTH-1)-1:0] folds = {earlier_folds, fold};
            always @(posedge aclk) earlier_folds <= folds[FOLD_WIDTH*(COUNT_WIDTH-2)-1:0];

            for (i = 0; i < COUNT_WIDTH; i = i + 1) begin : stage
                localparam ADDRESS_WIDTH = FOLD_WIDTH + i;
                wire [PE*ADDRESS_WIDTH-1:0] addresses;
                wire [PE*VALUE_WIDTH-1:0] stage_values;
                wire [PE-1:0] reached;
                // Per value, the bits decided up to this stage, its own in the least significant bit.
                wire [PE*(i+1)-1:0] decided;
                if (i == 0) begin : first
                    assign addresses = {PE{next_fold}};
                    assign stage_values = values;
                    assign decided = reached;
                end else begin : other
                    reg [PE*VALUE_WIDTH-1:0] held_values;
                    reg [PE*i-1:0] held_bits;
                    always @(posedge aclk) begin
                        held_values <= stage[i-1].stage_values;
                        held_bits <= stage[i-1].decided;
                    end
                    assign stage_values = held_values;
                    for (p = 0; p < PE; p = p + 1) begin : channel
                        assign addresses[p*ADDRESS_WIDTH +: ADDRESS_WIDTH] =
                            {folds[(i-1)*FOLD_WIDTH +: FOLD_WIDTH], stage[i-1].decided[p*i +: i]};
                        assign decided[p*(i+1) +: i+1] = {held_bits[p*i +: i], reached[p]};
                    end
                end
                if (i == 0) begin : memory_0
                    threshold_stage #(
                        .PE(PE), .SHARED_THRESHOLDS(SHARED_THRESHOLDS), .DEPTH(DEPTH << i), .ADDRESS_WIDTH(ADDRESS_WIDTH),
                        .VALUE_WIDTH(VALUE_WIDTH), .VALUE_SIGNED(VALUE_SIGNED), .THRESHOLD_WIDTH(THRESHOLD_WIDTH),
                        .BLOCK_MEMORY(i >= FIRST_BLOCK_STAGE), .THRESHOLDS_FILE(THRESHOLDS_0_FILE)
                    ) comparison (.aclk(aclk), .addresses(addresses), .values(stage_values), .reached(reached));
                end else if (i == 1) begin : memory_1
                    threshold_stage #(
                        .PE(PE), .SHARED_THRESHOLDS(SHARED_THRESHOLDS), .DEPTH(DEPTH << i), .ADDRESS_WIDTH(ADDRESS_WIDTH),
                        .VALUE_WIDTH(VALUE_WIDTH), .VALUE_SIGNED(VALUE_SIGNED), .THRESHOLD_WIDTH(THRESHOLD_WIDTH),
                        .BLOCK_MEMORY(i >= FIRST_BLOCK_STAGE), .THRESHOLDS_FILE(THRESHOLDS_1_FILE)
                    ) comparison (.aclk(aclk), .addresses(addresses), .values(stage_values), .reached(reached));
                end else if (i == 2) begin : memory_2
                    threshold_stage #(
                        .PE(PE), .SHARED_THRESHOLDS(SHARED_THRESHOLDS), .DEPTH(DEPTH << i), .ADDRESS_WIDTH(ADDRESS_WIDTH),
                        .VALUE_WIDTH(VALUE_WIDTH), .VALUE_SIGNED(VALUE_SIGNED), .THRESHOLD_WIDTH(THRESHOLD_WIDTH),
                        .BLOCK_MEMORY(i >= FIRST_BLOCK_STAGE), .THRESHOLDS_FILE(THRESHOLDS_2_FILE)
                    ) comparison (.aclk(aclk), .addresses(addresses), .values(stage_values), .reached(reached));
                end else if (i == 3) begin : memory_3
                    threshold_stage #(
                        .PE(PE), .SHARED_THRESHOLDS(SHARED_THRESHOLDS), .DEPTH(DEPTH << i), .ADDRESS_WIDTH(ADDRESS_WIDTH),
                        .VALUE_WIDTH(VALUE_WIDTH), .VALUE_SIGNED(VALUE_SIGNED), .THRESHOLD_WIDTH(THRESHOLD_WIDTH),
                        .BLOCK_MEMORY(i >= FIRST_BLOCK_STAGE), .THRESHOLDS_FILE(THRESHOLDS_3_FILE)
                    ) comparison (.aclk(aclk), .addresses(addresses), .values(stage_values), .reached(reached));
                end else if (i == 4) begin : memory_4
                    threshold_stage #(
                        .PE(PE), .SHARED_THRESHOLDS(SHARED_THRESHOLDS), .DEPTH(DEPTH << i), .ADDRESS_WIDTH(ADDRESS_WIDTH),
                        .VALUE_WIDTH(VALUE_WIDTH), .VALUE_SIGNED(VALUE_SIGNED), .THRESHOLD_WIDTH(THRESHOLD_WIDTH),
                        .BLOCK_MEMORY(i >= FIRST_BLOCK_STAGE), .THRESHOLDS_FILE(THRESHOLDS_4_FILE)
                    ) comparison (.aclk(aclk), .addresses(addresses), .values(stage_values), .reached(reached));
                end else if (i == 5) begin : memory_5
                    threshold_stage #(
                        .PE(PE), .SHARED_THRESHOLDS(SHARED_THRESHOLDS), .DEPTH(DEPTH << i), .ADDRESS_WIDTH(ADDRESS_WIDTH),
                        .VALUE_WIDTH(VALUE_WIDTH), .VALUE_SIGNED(VALUE_SIGNED), .THRESHOLD_WIDTH(THRESHOLD_WIDTH),
                        .BLOCK_MEMORY(i >= FIRST_BLOCK_STAGE), .THRESHOLDS_FILE(THRESHOLDS_5_FILE)
                    ) comparison (.aclk(aclk), .addresses(addresses), .values(stage_values), .reached(reached));
                end else if (i == 6) begin : memory_6
                    threshold_stage #(
                        .PE(PE), .SHARED_THRESHOLDS(SHARED_THRESHOLDS), .DEPTH(DEPTH << i), .ADDRESS_WIDTH(ADDRESS_WIDTH),
                        .VALUE_WIDTH(VALUE_WIDTH), .VALUE_SIGNED(VALUE_SIGNED), .THRESHOLD_WIDTH(THRESHOLD_WIDTH),
                        .BLOCK_MEMORY(i >= FIRST_BLOCK_STAGE), .THRESHOLDS_FILE(THRESHOLDS_6_FILE)
                    ) comparison (.aclk(aclk), .addresses(addresses), .values(stage_values), .reached(reached));
                end else if (i == 7) begin : memory_7
                    threshold_stage #(
                        .PE(PE), .SHARED_THRESHOLDS(SHARED_THRESHOLDS), .DEPTH(DEPTH << i), .ADDRESS_WIDTH(ADDRESS_WIDTH),
                        .VALUE_WIDTH(VALUE_WIDTH), .VALUE_SIGNED(VALUE_SIGNED), .THRESHOLD_WIDTH(THRESHOLD_WIDTH),
                        .BLOCK_MEMORY(i >= FIRST_BLOCK_STAGE), .THRESHOLDS_FILE(THRESHOLDS_7_FILE)
                    ) comparison (.aclk(aclk), .addresses(addresses), .values(stage_values), .reached(reached));
                end
            end

            localparam SUM_WIDTH = ((OUTPUT_WIDTH > COUNT_WIDTH) ? OUTPUT_WIDTH : COUNT_WIDTH) + 1;
            for (p = 0; p < PE; p = p + 1) begin : result
                reg [COUNT_WIDTH-1:0] count;
                always @(posedge aclk) count <= stage[COUNT_WIDTH-1].decided[p*COUNT_WIDTH +: COUNT_WIDTH];
                wire [SUM_WIDTH-1:0] offset_count = OFFSET[SUM_WIDTH-1:0] + {{(SUM_WIDTH - COUNT_WIDTH){1'b0}}, count};
                wire [SUM_WIDTH-OUTPUT_WIDTH-1:0] unused_carry = offset_count[SUM_WIDTH-1:OUTPUT_WIDTH];
                assign results[p*OUTPUT_WIDTH +: OUTPUT_WIDTH] = offset_count[OUTPUT_WIDTH-1:0];
            end
        end
    endgenerate
endmodule
