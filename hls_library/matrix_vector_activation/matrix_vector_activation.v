// Matrix-vector product with PE x SIMD multipliers, output-stationary, with thresholds behind the accumulator or without.
//
// A vector takes MW/SIMD words in and MH/PE words out, and (MW/SIMD)*(MH/PE) cycles. The input is taken during the first
// fold and kept for the others, in which s_axis_tready is low. Behind the first register nothing ever halts: a fold's last
// step waits for a place in the output queue instead.
//
// DEPTHWISE: every output has inputs of its own, MW of them. An input word is PE x SIMD elements, element simd * PE + pe; a
// vector takes (MW/SIMD)*(MH/PE) words, one in every cycle, and nothing is kept.
//
// MEM_MODE: where weights come from. 0, internal_embedded: a memory, read as steps go. 1, internal_decoupled: the same memory as
// a stream of its own, weight_streamer. 2, external: a second stream in, whose words are those of the memory, a word for each
// step of each vector, and whose s_axis bits stand above those of the inputs. A step with a word of a stream waits for it;
// cycles are the same in all modes.
//
// HARD_MULTIPLIERS: products are made by multipliers whatever their bits, those of one bit each excepted, which are counted;
// where outputs share their inputs, of at most 8 bits as the weights, a multiplier makes the products of two outputs: see
// product_pair.
//
// Weights: word fold * MW/SIMD + step, element pe * SIMD + simd. Thresholds: see multi_threshold. Element kinds: see
// dot_product. NUM_STEPS = 0: the accumulators are the output. RAM_STYLE: "auto", "block", or "registers" for gates.
module matrix_vector_activation #(
    parameter MW = 8,
    parameter MH = 8,
    parameter SIMD = 4,
    parameter PE = 2,
    parameter DEPTHWISE = 0,
    parameter INPUT_WIDTH = 2,
    parameter INPUT_KIND = 1,
    parameter WEIGHT_WIDTH = 2,
    parameter WEIGHT_KIND = 1,
    parameter XNOR_MODE = 0,
    parameter ACCUMULATOR_WIDTH = 8,
    parameter ACCUMULATOR_SIGNED = 1,
    parameter NUM_STEPS = 3,
    parameter THRESHOLD_WIDTH = 8,
    parameter OUTPUT_WIDTH = 2,
    parameter OUTPUT_OFFSET = 0,
    parameter FIRST_BLOCK_STAGE = 8,
    parameter WEIGHTS_RAM_STYLE = "auto",
    parameter THRESHOLDS_RAM_STYLE = "auto",
    parameter USE_DSP = "no",
    parameter HARD_MULTIPLIERS = 0,
    parameter MEM_MODE = 0,
    // There is none with external weights.
    // verilator lint_off UNUSEDPARAM
    parameter WEIGHTS_FILE = "weights.mem",
    // Which of these files there are follows from NUM_STEPS: see multi_threshold.
    parameter THRESHOLDS_FILE = "thresholds.mem",
    parameter THRESHOLDS_0_FILE = "thresholds_0.mem",
    parameter THRESHOLDS_1_FILE = "thresholds_1.mem",
    parameter THRESHOLDS_2_FILE = "thresholds_2.mem",
    parameter THRESHOLDS_3_FILE = "thresholds_3.mem",
    parameter THRESHOLDS_4_FILE = "thresholds_4.mem",
    parameter THRESHOLDS_5_FILE = "thresholds_5.mem",
    parameter THRESHOLDS_6_FILE = "thresholds_6.mem",
    parameter THRESHOLDS_7_FILE = "thresholds_7.mem",
    // verilator lint_on UNUSEDPARAM
    parameter INPUT_WORD_WIDTH = ((DEPTHWISE != 0) ? PE : 1) * SIMD * INPUT_WIDTH,
    parameter WEIGHT_WORD_WIDTH = PE * SIMD * WEIGHT_WIDTH,
    parameter STREAMS = (MEM_MODE == 2) ? 2 : 1,
    parameter STREAMS_WIDTH = INPUT_WORD_WIDTH + ((MEM_MODE == 2) ? WEIGHT_WORD_WIDTH : 0)
) (
    input  wire                       aclk,
    input  wire                       aresetn,
    input  wire [STREAMS_WIDTH-1:0]   s_axis_tdata,
    input  wire [STREAMS-1:0]         s_axis_tvalid,
    output wire [STREAMS-1:0]         s_axis_tready,
    output wire [PE*OUTPUT_WIDTH-1:0] m_axis_tdata,
    output wire                       m_axis_tvalid,
    input  wire                       m_axis_tready
);
    localparam SF = MW / SIMD;
    localparam NF = MH / PE;
    localparam DEPTH = SF * NF;
    localparam STEP_WIDTH = (SF > 1) ? $clog2(SF) : 1;
    localparam ADDRESS_WIDTH = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam integer LAST_STEP = SF - 1;
    localparam integer LAST_ADDRESS = DEPTH - 1;

    // Cycles: see the modules that have them.
    localparam TERNARY = 2;
    localparam BIPOLAR = 3;
    localparam DECODED_PRODUCT = ((INPUT_KIND == BIPOLAR) ? 2 : INPUT_WIDTH) * ((WEIGHT_KIND == BIPOLAR) ? 2 : WEIGHT_WIDTH);
    localparam ONE_BIT = INPUT_WIDTH == 1 && WEIGHT_WIDTH == 1 && INPUT_KIND == WEIGHT_KIND;
    // dot_product takes the sum of all inputs: see there.
    localparam INPUTS_OR_OPPOSITE =
        WEIGHT_KIND == BIPOLAR && INPUT_KIND != BIPOLAR && INPUT_WIDTH <= 2 && HARD_MULTIPLIERS == 0;
    localparam INPUT_SUM_WIDTH = $clog2(SIMD + 1) + ((INPUT_KIND == TERNARY) ? 1 : INPUT_WIDTH);
    localparam POPCOUNT_CYCLES = 1 + ($clog2((SIMD + 6) / 7) + 1) / 2;
    localparam PAIRS = HARD_MULTIPLIERS != 0 && DEPTHWISE == 0 && PE > 1 && !ONE_BIT && INPUT_WIDTH <= 8 && WEIGHT_WIDTH <= 8;
    localparam MULTIPLIER_CYCLES = (PAIRS ? 2 : 1) + ($clog2(SIMD) + 1) / 2;
    localparam DOT_PRODUCT_CYCLES = ONE_BIT ? POPCOUNT_CYCLES + ((INPUT_KIND == BIPOLAR) ? 1 : 0)
        : (DECODED_PRODUCT <= 4 && HARD_MULTIPLIERS == 0) ? POPCOUNT_CYCLES + 1 : MULTIPLIER_CYCLES;
    localparam COUNT_CYCLES = (NUM_STEPS <= 3) ? 0 : $clog2(NUM_STEPS + 1);
    localparam OPERAND_CYCLES = 2;
    localparam SUM_CYCLES = OPERAND_CYCLES + DOT_PRODUCT_CYCLES;
    localparam PIPELINE_CYCLES = SUM_CYCLES + ((SF > 1) ? 1 : 0) + COUNT_CYCLES + 1;
    localparam ENOUGH_PLACES = (PIPELINE_CYCLES + SF) / SF;
    localparam PLACES = (ENOUGH_PLACES < 2) ? 2 : ENOUGH_PLACES;

    // Which step of which fold
    reg  [STEP_WIDTH-1:0] step_index;
    reg  [ADDRESS_WIDTH-1:0] address;
    reg  first_fold;
    reg  last_step;
    wire place_free;
    wire may_step = !last_step || place_free;
    wire input_valid = !first_fold || s_axis_tvalid[0];
    wire weights_valid;
    wire step = may_step && input_valid && weights_valid;
    wire [STEP_WIDTH-1:0] next_step_index =
        !step ? step_index : last_step ? {STEP_WIDTH{1'b0}} : step_index + 1'b1;
    wire last_of_vector = address == LAST_ADDRESS[ADDRESS_WIDTH-1:0];

    always @(posedge aclk) begin
        if (!aresetn) begin
            step_index <= {STEP_WIDTH{1'b0}};
            address <= {ADDRESS_WIDTH{1'b0}};
            first_fold <= 1'b1;
            last_step <= SF == 1;
        end else begin
            step_index <= next_step_index;
            last_step <= next_step_index == LAST_STEP[STEP_WIDTH-1:0];
            if (step) begin
                address <= last_of_vector ? {ADDRESS_WIDTH{1'b0}} : address + 1'b1;
                if (last_step) first_fold <= DEPTHWISE != 0 || last_of_vector;
            end
        end
    end

    assign s_axis_tready[0] = first_fold && may_step && weights_valid && aresetn;

    // Operands: the memories' registers, then one more, because block memories answer late in the cycle.
    wire [INPUT_WORD_WIDTH-1:0] input_word;
    input_replay #(
        .WIDTH(INPUT_WORD_WIDTH), .WORDS(SF), .FOLDS((DEPTHWISE != 0) ? 1 : NF), .INDEX_WIDTH(STEP_WIDTH)
    ) replay (
        .aclk(aclk), .first_fold(first_fold), .take(step && first_fold),
        .index(step_index), .next_index(next_step_index), .input_word(s_axis_tdata[INPUT_WORD_WIDTH-1:0]), .word(input_word)
    );

    wire [WEIGHT_WORD_WIDTH-1:0] weights_read;
    generate
        if (MEM_MODE == 0) begin : embedded
            assign weights_valid = 1'b1;
            rom #(
                .WIDTH(WEIGHT_WORD_WIDTH), .DEPTH(DEPTH), .RAM_STYLE(WEIGHTS_RAM_STYLE), .FILE(WEIGHTS_FILE)
            ) weights (.aclk(aclk), .address(address), .word(weights_read));
        end else begin : streamed
            wire [WEIGHT_WORD_WIDTH-1:0] word;
            reg [WEIGHT_WORD_WIDTH-1:0] taken;
            always @(posedge aclk) taken <= word;
            assign weights_read = taken;
            if (MEM_MODE == 2) begin : port
                assign word = s_axis_tdata[STREAMS_WIDTH-1:INPUT_WORD_WIDTH];
                assign weights_valid = s_axis_tvalid[STREAMS-1];
                assign s_axis_tready[STREAMS-1] = may_step && input_valid && aresetn;
            end else begin : decoupled
                weight_streamer #(
                    .WIDTH(WEIGHT_WORD_WIDTH), .DEPTH(DEPTH), .RAM_STYLE(WEIGHTS_RAM_STYLE), .FILE(WEIGHTS_FILE)
                ) streamer (
                    .aclk(aclk), .aresetn(aresetn), .m_axis_tdata(word), .m_axis_tvalid(weights_valid),
                    .m_axis_tready(may_step && input_valid)
                );
            end
        end
    endgenerate

    reg [INPUT_WORD_WIDTH-1:0] inputs_read, inputs_held;
    always @(posedge aclk) begin
        inputs_read <= input_word;
        inputs_held <= inputs_read;
    end

    reg [SUM_CYCLES-1:0] valid, last;
    always @(posedge aclk) begin
        if (!aresetn) valid <= {SUM_CYCLES{1'b0}};
        else valid <= {valid[SUM_CYCLES-2:0], step};
        last <= {last[SUM_CYCLES-2:0], last_step};
    end

    // Dot products. Synthesis maps one for all of them, unless their weights are so few words that some bits are always the
    // same, which then saves gates; hardly any where multipliers are hard.
    // Read by synthesis alone, as an attribute, which Verilator does not count as use.
    // verilator lint_off UNUSEDPARAM
    localparam integer MAPPED_ONCE = (MEM_MODE != 0 || DEPTH >= ((INPUT_WIDTH * WEIGHT_WIDTH >= 16) ? 8 : 16)) ? 1 : 0;
    // verilator lint_on UNUSEDPARAM
    wire [PE*ACCUMULATOR_WIDTH-1:0] sums;
    genvar p, s;
    generate
        if (PAIRS) begin : pairs
            for (p = 0; p < PE; p = p + 2) begin : pair
                wire [ACCUMULATOR_WIDTH-1:0] sum1;
                wire [SIMD*WEIGHT_WIDTH-1:0] weights1;
                (* mapped_once = MAPPED_ONCE *)
                dot_product_pair #(
                    .SIMD(SIMD), .INPUT_WIDTH(INPUT_WIDTH), .INPUT_KIND(INPUT_KIND), .WEIGHT_WIDTH(WEIGHT_WIDTH),
                    .WEIGHT_KIND(WEIGHT_KIND), .USE_DSP(USE_DSP), .SUM_WIDTH(ACCUMULATOR_WIDTH)
                ) products (
                    .aclk(aclk), .inputs(inputs_held), .weights0(weights_read[p*SIMD*WEIGHT_WIDTH +: SIMD*WEIGHT_WIDTH]),
                    .weights1(weights1), .sum0(sums[p*ACCUMULATOR_WIDTH +: ACCUMULATOR_WIDTH]), .sum1(sum1)
                );
                if (p + 1 < PE) begin : both
                    assign weights1 = weights_read[(p+1)*SIMD*WEIGHT_WIDTH +: SIMD*WEIGHT_WIDTH];
                    assign sums[(p+1)*ACCUMULATOR_WIDTH +: ACCUMULATOR_WIDTH] = sum1;
                end else begin : odd
                    assign weights1 = {(SIMD*WEIGHT_WIDTH){1'b0}};
                    wire unused_sum = &{1'b0, sum1};
                end
            end
        end else begin : singles
            for (p = 0; p < PE; p = p + 1) begin : single
                wire [SIMD*INPUT_WIDTH-1:0] inputs;
                if (DEPTHWISE != 0) begin : own_inputs
                    for (s = 0; s < SIMD; s = s + 1) begin : tap
                        assign inputs[s*INPUT_WIDTH +: INPUT_WIDTH] = inputs_held[(s*PE + p)*INPUT_WIDTH +: INPUT_WIDTH];
                    end
                end else begin : shared_inputs
                    assign inputs = inputs_held;
                end
                wire [INPUT_SUM_WIDTH-1:0] all_inputs;
                if (!INPUTS_OR_OPPOSITE) begin : no_sum
                    assign all_inputs = {INPUT_SUM_WIDTH{1'b0}};
                end else if (DEPTHWISE != 0 || p == 0) begin : own_sum
                    (* mapped_once = MAPPED_ONCE *)
                    input_sum #(.SIMD(SIMD), .INPUT_WIDTH(INPUT_WIDTH), .INPUT_KIND(INPUT_KIND)) of_inputs (
                        .aclk(aclk), .inputs(inputs), .sum(all_inputs)
                    );
                end else begin : shared_sum
                    assign all_inputs = single[0].all_inputs;
                end
                (* mapped_once = MAPPED_ONCE *)
                dot_product #(
                    .SIMD(SIMD), .INPUT_WIDTH(INPUT_WIDTH), .INPUT_KIND(INPUT_KIND), .WEIGHT_WIDTH(WEIGHT_WIDTH),
                    .WEIGHT_KIND(WEIGHT_KIND), .XNOR_MODE(XNOR_MODE), .HARD_MULTIPLIERS(HARD_MULTIPLIERS),
                    .USE_DSP(USE_DSP), .SUM_WIDTH(ACCUMULATOR_WIDTH)
                ) product (
                    .aclk(aclk), .inputs(inputs), .weights(weights_read[p*SIMD*WEIGHT_WIDTH +: SIMD*WEIGHT_WIDTH]),
                    .input_sum(all_inputs), .sum(sums[p*ACCUMULATOR_WIDTH +: ACCUMULATOR_WIDTH])
                );
            end
        end
    endgenerate

    // Accumulators
    wire [PE*ACCUMULATOR_WIDTH-1:0] totals;
    wire totals_valid;
    generate
        if (SF > 1) begin : accumulators_valid
            reg held;
            always @(posedge aclk) held <= aresetn && valid[SUM_CYCLES-1] && last[SUM_CYCLES-1];
            assign totals_valid = held;
        end else begin : sums_valid
            wire unused_always_last = last[SUM_CYCLES-1];
            assign totals_valid = valid[SUM_CYCLES-1];
        end
        for (p = 0; p < PE; p = p + 1) begin : neuron
            wire [ACCUMULATOR_WIDTH-1:0] sum = sums[p*ACCUMULATOR_WIDTH +: ACCUMULATOR_WIDTH];
            if (SF > 1) begin : accumulate
                // The total has a register of its own, so that the accumulator is cleared by its reset input and not by
                // gates before its adder.
                reg [ACCUMULATOR_WIDTH-1:0] accumulator, total;
                wire [ACCUMULATOR_WIDTH-1:0] next = accumulator + sum;
                always @(posedge aclk) begin
                    if (!aresetn || (valid[SUM_CYCLES-1] && last[SUM_CYCLES-1])) accumulator <= {ACCUMULATOR_WIDTH{1'b0}};
                    else if (valid[SUM_CYCLES-1]) accumulator <= next;
                    total <= next;
                end
                assign totals[p*ACCUMULATOR_WIDTH +: ACCUMULATOR_WIDTH] = total;
            end else begin : pass
                assign totals[p*ACCUMULATOR_WIDTH +: ACCUMULATOR_WIDTH] = sum;
            end
        end
    endgenerate

    // Activation
    wire [PE*OUTPUT_WIDTH-1:0] results;
    wire results_valid;
    generate
        if (NUM_STEPS == 0) begin : no_activation
            assign results = totals;
            assign results_valid = totals_valid;
        end else begin : activation
            multi_threshold #(
                .PE(PE), .FOLDS(NF), .VALUE_WIDTH(ACCUMULATOR_WIDTH), .VALUE_SIGNED(ACCUMULATOR_SIGNED),
                .THRESHOLD_WIDTH(THRESHOLD_WIDTH), .NUM_STEPS(NUM_STEPS), .OUTPUT_WIDTH(OUTPUT_WIDTH),
                .OUTPUT_OFFSET(OUTPUT_OFFSET), .FIRST_BLOCK_STAGE(FIRST_BLOCK_STAGE),
                .RAM_STYLE(THRESHOLDS_RAM_STYLE), .THRESHOLDS_FILE(THRESHOLDS_FILE),
                .THRESHOLDS_0_FILE(THRESHOLDS_0_FILE), .THRESHOLDS_1_FILE(THRESHOLDS_1_FILE),
                .THRESHOLDS_2_FILE(THRESHOLDS_2_FILE), .THRESHOLDS_3_FILE(THRESHOLDS_3_FILE),
                .THRESHOLDS_4_FILE(THRESHOLDS_4_FILE), .THRESHOLDS_5_FILE(THRESHOLDS_5_FILE),
                .THRESHOLDS_6_FILE(THRESHOLDS_6_FILE), .THRESHOLDS_7_FILE(THRESHOLDS_7_FILE)
            ) comparison (
                .aclk(aclk), .aresetn(aresetn), .valid(totals_valid), .values(totals),
                .result_valid(results_valid), .results(results)
            );
        end
    endgenerate

    output_queue #(.WIDTH(PE*OUTPUT_WIDTH), .PLACES(PLACES)) queue (
        .aclk(aclk), .aresetn(aresetn), .start(step && last_step), .place_free(place_free),
        .valid(results_valid), .data(results),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
