// Each channel of a window by weights of its own, summed over the window's TAPS, with thresholds behind the sum or without: a
// depthwise convolution.
//
// A window is CHANNELS/PE folds of TAPS/SIMD words of SIMD x PE elements, element simd * PE + pe, and CHANNELS/PE words out; a
// word enters in every cycle. Parameters, memories and cycles: see matrix_vector_activation, of which this is the
// depthwise form.
module vector_vector_activation #(
    parameter CHANNELS = 4,
    parameter PE = 2,
    parameter SIMD = 1,
    parameter TAPS = 9,
    parameter INPUT_WIDTH = 2,
    parameter INPUT_KIND = 1,
    parameter WEIGHT_WIDTH = 2,
    parameter WEIGHT_KIND = 1,
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
    parameter WEIGHTS_FILE = "weights.mem",
    parameter THRESHOLDS_FILE = "thresholds.mem",
    parameter THRESHOLDS_0_FILE = "thresholds_0.mem",
    parameter THRESHOLDS_1_FILE = "thresholds_1.mem",
    parameter THRESHOLDS_2_FILE = "thresholds_2.mem",
    parameter THRESHOLDS_3_FILE = "thresholds_3.mem",
    parameter THRESHOLDS_4_FILE = "thresholds_4.mem",
    parameter THRESHOLDS_5_FILE = "thresholds_5.mem",
    parameter THRESHOLDS_6_FILE = "thresholds_6.mem",
    parameter THRESHOLDS_7_FILE = "thresholds_7.mem"
) (
    input  wire                           aclk,
    input  wire                           aresetn,
    input  wire [PE*SIMD*INPUT_WIDTH-1:0] s_axis_tdata,
    input  wire                           s_axis_tvalid,
    output wire                           s_axis_tready,
    output wire [PE*OUTPUT_WIDTH-1:0]     m_axis_tdata,
    output wire                           m_axis_tvalid,
    input  wire                           m_axis_tready
);
    matrix_vector_activation #(
        .MH(CHANNELS), .PE(PE), .SIMD(SIMD), .MW(TAPS), .INPUT_WIDTH(INPUT_WIDTH), .INPUT_KIND(INPUT_KIND),
        .WEIGHT_WIDTH(WEIGHT_WIDTH), .WEIGHT_KIND(WEIGHT_KIND), .ACCUMULATOR_WIDTH(ACCUMULATOR_WIDTH),
        .ACCUMULATOR_SIGNED(ACCUMULATOR_SIGNED), .NUM_STEPS(NUM_STEPS), .THRESHOLD_WIDTH(THRESHOLD_WIDTH),
        .OUTPUT_WIDTH(OUTPUT_WIDTH), .OUTPUT_OFFSET(OUTPUT_OFFSET), .FIRST_BLOCK_STAGE(FIRST_BLOCK_STAGE),
        .WEIGHTS_RAM_STYLE(WEIGHTS_RAM_STYLE), .THRESHOLDS_RAM_STYLE(THRESHOLDS_RAM_STYLE), .USE_DSP(USE_DSP),
        .HARD_MULTIPLIERS(HARD_MULTIPLIERS),
        .WEIGHTS_FILE(WEIGHTS_FILE), .THRESHOLDS_FILE(THRESHOLDS_FILE), .THRESHOLDS_0_FILE(THRESHOLDS_0_FILE),
        .THRESHOLDS_1_FILE(THRESHOLDS_1_FILE), .THRESHOLDS_2_FILE(THRESHOLDS_2_FILE), .THRESHOLDS_3_FILE(THRESHOLDS_3_FILE),
        .THRESHOLDS_4_FILE(THRESHOLDS_4_FILE), .THRESHOLDS_5_FILE(THRESHOLDS_5_FILE), .THRESHOLDS_6_FILE(THRESHOLDS_6_FILE),
        .THRESHOLDS_7_FILE(THRESHOLDS_7_FILE), .DEPTHWISE(1), .XNOR_MODE(0)
    ) products (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
