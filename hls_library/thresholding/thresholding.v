// Thresholds on a stream: OUTPUT_OFFSET plus the number of thresholds that each value has reached; see multi_threshold.
// A vector is NUM_CHANNELS / PE words. An input word waits for a place in the output queue; behind it nothing halts.
module thresholding #(
    parameter NUM_CHANNELS = 4,
    parameter PE = 2,
    parameter INPUT_WIDTH = 8,
    parameter INPUT_SIGNED = 1,
    parameter INPUT_BIPOLAR = 0,
    parameter THRESHOLD_WIDTH = 8,
    parameter OUTPUT_WIDTH = 2,
    parameter OUTPUT_OFFSET = 0,
    parameter NUM_STEPS = 3,
    parameter SHARED_THRESHOLDS = 0,
    parameter FIRST_BLOCK_STAGE = 8,
    parameter RAM_STYLE = "auto",
    // Which of these files there are follows from NUM_STEPS: see multi_threshold.
    // verilator lint_off UNUSEDPARAM
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
    input  wire [PE*INPUT_WIDTH-1:0]  s_axis_tdata,
    input  wire                       s_axis_tvalid,
    output wire                       s_axis_tready,
    output wire [PE*OUTPUT_WIDTH-1:0] m_axis_tdata,
    output wire                       m_axis_tvalid,
    input  wire                       m_axis_tready
);
    localparam VALUE_WIDTH = (INPUT_BIPOLAR != 0) ? 2 : INPUT_WIDTH;
    localparam COUNT_CYCLES = (NUM_STEPS <= 3) ? 0 : $clog2(NUM_STEPS + 1);
    localparam PLACES = 3 + COUNT_CYCLES;

    wire place_free;
    wire start = s_axis_tvalid && s_axis_tready;
    assign s_axis_tready = place_free;

    reg valid;
    reg [PE*INPUT_WIDTH-1:0] held;
    always @(posedge aclk) begin
        valid <= aresetn && start;
        held <= s_axis_tdata;
    end

    wire [PE*VALUE_WIDTH-1:0] values;
    genvar p;
    generate
        for (p = 0; p < PE; p = p + 1) begin : decode
            if (INPUT_BIPOLAR != 0) begin : bipolar
                assign values[2*p +: 2] = {~held[p], 1'b1};
            end else begin : plain
                assign values[p*VALUE_WIDTH +: VALUE_WIDTH] = held[p*INPUT_WIDTH +: INPUT_WIDTH];
            end
        end
    endgenerate

    wire results_valid;
    wire [PE*OUTPUT_WIDTH-1:0] results;
    multi_threshold #(
        .PE(PE), .FOLDS(NUM_CHANNELS / PE), .SHARED_THRESHOLDS(SHARED_THRESHOLDS), .VALUE_WIDTH(VALUE_WIDTH),
        .VALUE_SIGNED((INPUT_SIGNED != 0 || INPUT_BIPOLAR != 0) ? 1 : 0), .THRESHOLD_WIDTH(THRESHOLD_WIDTH),
        .NUM_STEPS(NUM_STEPS), .OUTPUT_WIDTH(OUTPUT_WIDTH), .OUTPUT_OFFSET(OUTPUT_OFFSET),
        .FIRST_BLOCK_STAGE(FIRST_BLOCK_STAGE), .RAM_STYLE(RAM_STYLE), .THRESHOLDS_FILE(THRESHOLDS_FILE),
        .THRESHOLDS_0_FILE(THRESHOLDS_0_FILE), .THRESHOLDS_1_FILE(THRESHOLDS_1_FILE),
        .THRESHOLDS_2_FILE(THRESHOLDS_2_FILE), .THRESHOLDS_3_FILE(THRESHOLDS_3_FILE),
        .THRESHOLDS_4_FILE(THRESHOLDS_4_FILE), .THRESHOLDS_5_FILE(THRESHOLDS_5_FILE),
        .THRESHOLDS_6_FILE(THRESHOLDS_6_FILE), .THRESHOLDS_7_FILE(THRESHOLDS_7_FILE)
    ) comparison (
        .aclk(aclk), .aresetn(aresetn), .valid(valid), .values(values),
        .result_valid(results_valid), .results(results)
    );

    output_queue #(.WIDTH(PE*OUTPUT_WIDTH), .PLACES(PLACES)) queue (
        .aclk(aclk), .aresetn(aresetn), .start(start), .place_free(place_free),
        .valid(results_valid), .data(results),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
