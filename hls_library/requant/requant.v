// (value * multiplier + bias) / 2**SHIFT per channel, rounded and clipped to the output's range.
//
// ROUNDING: 0 towards minus infinity, 1 to the nearest and halves up, 2 to the nearest and halves to the even number.
// The constants of a channel lie in two memories, one word of PE numbers a fold; both numbers are signed. ACC_WIDTH holds every
// value * multiplier + bias, and half a step more. An input word waits for a place in the output queue; behind it nothing
// halts: the first word leaves 4 cycles after it has entered.
module requant #(
    parameter PE = 1,
    parameter FOLDS = 1,
    parameter INPUT_WIDTH = 8,
    parameter INPUT_KIND = 1,
    parameter MULTIPLIER_WIDTH = 8,
    parameter BIAS_WIDTH = 16,
    parameter ACC_WIDTH = 18,
    parameter SHIFT = 8,
    parameter ROUNDING = 2,
    parameter OUTPUT_WIDTH = 4,
    parameter OUTPUT_SIGNED = 0,
    parameter RAM_STYLE = "auto",
    // Read by synthesis alone, as an attribute, which Verilator does not count as use.
    // verilator lint_off UNUSEDPARAM
    parameter USE_DSP = "no",
    // verilator lint_on UNUSEDPARAM
    parameter MULTIPLIERS_FILE = "multipliers.mem",
    parameter BIASES_FILE = "biases.mem"
) (
    input  wire                       aclk,
    input  wire                       aresetn,
    input  wire [PE*INPUT_WIDTH-1:0]  s_axis_tdata,
    input  wire                       s_axis_tvalid,
    output wire                       s_axis_tready,
    output wire [PE*OUTPUT_WIDTH-1:0] m_axis_tdata,
    output wire                       m_axis_tvalid,
    input  wire                       m_axis_tready
);
    localparam WIDE = ((ACC_WIDTH > OUTPUT_WIDTH) ? ACC_WIDTH : OUTPUT_WIDTH) + 1;
    localparam signed [WIDE-1:0] ONE = 1;
    localparam signed [WIDE-1:0] HALF = (ROUNDING != 0 && SHIFT > 0) ? (ONE <<< (SHIFT - 1)) : 0;
    localparam signed [WIDE-1:0] LARGEST = (ONE <<< (OUTPUT_WIDTH - OUTPUT_SIGNED)) - ONE;
    localparam signed [WIDE-1:0] SMALLEST = (OUTPUT_SIGNED != 0) ? -LARGEST - ONE : 0;

    wire place_free;
    wire start = s_axis_tvalid && place_free;
    assign s_axis_tready = place_free;

    // The value, the product with its bias, the result.
    reg valid, product_valid, result_valid;
    reg [PE*INPUT_WIDTH-1:0] values;
    wire [PE*MULTIPLIER_WIDTH-1:0] multipliers;
    wire [PE*BIAS_WIDTH-1:0] biases;
    always @(posedge aclk) begin
        valid <= aresetn && start;
        product_valid <= aresetn && valid;
        result_valid <= aresetn && product_valid;
        values <= s_axis_tdata;
    end
    channel_memory #(
        .WIDTH(PE*MULTIPLIER_WIDTH), .FOLDS(FOLDS), .RAM_STYLE(RAM_STYLE), .FILE(MULTIPLIERS_FILE)
    ) multiplier_memory (.aclk(aclk), .aresetn(aresetn), .advance(valid), .word(multipliers));
    channel_memory #(
        .WIDTH(PE*BIAS_WIDTH), .FOLDS(FOLDS), .RAM_STYLE(RAM_STYLE), .FILE(BIASES_FILE)
    ) bias_memory (.aclk(aclk), .aresetn(aresetn), .advance(valid), .word(biases));

    reg [PE*OUTPUT_WIDTH-1:0] results;
    genvar p;
    generate
        for (p = 0; p < PE; p = p + 1) begin : channel
            wire signed [WIDE-1:0] value, multiplier, bias;
            decode_element #(.KIND(INPUT_KIND), .WIDTH(INPUT_WIDTH), .TO(WIDE)) value_of (
                .element(values[p*INPUT_WIDTH +: INPUT_WIDTH]), .value(value)
            );
            decode_element #(.KIND(1), .WIDTH(MULTIPLIER_WIDTH), .TO(WIDE)) multiplier_of (
                .element(multipliers[p*MULTIPLIER_WIDTH +: MULTIPLIER_WIDTH]), .value(multiplier)
            );
            decode_element #(.KIND(1), .WIDTH(BIAS_WIDTH), .TO(WIDE)) bias_of (
                .element(biases[p*BIAS_WIDTH +: BIAS_WIDTH]), .value(bias)
            );
            (* use_dsp = USE_DSP *)
            reg signed [WIDE-1:0] product;
            always @(posedge aclk) product <= value * multiplier + bias;

            // Halves go up; of those that came from a half, odd ones are one too large.
            wire signed [WIDE-1:0] shifted = (product + HALF) >>> SHIFT;
            wire signed [WIDE-1:0] rounded;
            if (ROUNDING == 2 && SHIFT > 0) begin : to_even
                wire half = product[SHIFT-1:0] == HALF[SHIFT-1:0];
                assign rounded = {shifted[WIDE-1:1], shifted[0] && !half};
            end else begin : as_it_is
                assign rounded = shifted;
            end
            wire [OUTPUT_WIDTH-1:0] low_bits, largest, smallest;
            resize #(.FROM(WIDE), .TO(OUTPUT_WIDTH)) fit (.from(rounded), .to(low_bits));
            resize #(.FROM(WIDE), .TO(OUTPUT_WIDTH)) fit_largest (.from(LARGEST), .to(largest));
            resize #(.FROM(WIDE), .TO(OUTPUT_WIDTH)) fit_smallest (.from(SMALLEST), .to(smallest));
            always @(posedge aclk)
                results[p*OUTPUT_WIDTH +: OUTPUT_WIDTH] <=
                    (rounded > LARGEST) ? largest : (rounded < SMALLEST) ? smallest : low_bits;
        end
    endgenerate

    output_queue #(.WIDTH(PE*OUTPUT_WIDTH), .PLACES(5)) queue (
        .aclk(aclk), .aresetn(aresetn), .start(start), .place_free(place_free),
        .valid(result_valid), .data(results),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
