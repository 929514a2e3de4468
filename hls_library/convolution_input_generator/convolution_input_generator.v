// Sliding windows over an image. PARALLEL = 0: word by word, as nested loops count (serial_windows.v, which says what LOOPS to
// FREED are). PARALLEL = 1: each window in one word (parallel_windows.v, which says what ROWS to DILATION_RIGHT are).
module convolution_input_generator #(
    parameter PARALLEL = 0,
    parameter WIDTH = 8,
    parameter OUTPUT_WIDTH = 8,
    parameter DEPTH = 16,
    parameter LOOPS = 1,
    parameter COUNT_BITS = 2,
    parameter DISTANCE_BITS = 6,
    parameter [LOOPS*COUNT_BITS-1:0] LAST = {(LOOPS*COUNT_BITS){1'b1}},
    parameter [(LOOPS+1)*DISTANCE_BITS-1:0] DISTANCES = {{(2*DISTANCE_BITS-1){1'b0}}, 1'b1},
    parameter [(LOOPS+1)*DISTANCE_BITS-1:0] STEPS = {{(2*DISTANCE_BITS-1){1'b0}}, 1'b1},
    parameter [(LOOPS+1)*DISTANCE_BITS-1:0] FREED = {{(2*DISTANCE_BITS-1){1'b0}}, 1'b1},
    parameter ROWS = 1,
    parameter COLUMNS = 1,
    parameter KERNEL_ROWS = 1,
    parameter KERNEL_COLUMNS = 1,
    parameter STRIDE_DOWN = 1,
    parameter STRIDE_RIGHT = 1,
    parameter DILATION_DOWN = 1,
    parameter DILATION_RIGHT = 1,
    parameter RAM_STYLE = "auto"
) (
    input  wire                    aclk,
    input  wire                    aresetn,
    input  wire [WIDTH-1:0]        s_axis_tdata,
    input  wire                    s_axis_tvalid,
    output wire                    s_axis_tready,
    output wire [OUTPUT_WIDTH-1:0] m_axis_tdata,
    output wire                    m_axis_tvalid,
    input  wire                    m_axis_tready
);
    generate
        if (PARALLEL != 0) begin : g_parallel
            parallel_windows #(
                .WIDTH(WIDTH), .ROWS(ROWS), .COLUMNS(COLUMNS),
                .KERNEL_ROWS(KERNEL_ROWS), .KERNEL_COLUMNS(KERNEL_COLUMNS),
                .STRIDE_DOWN(STRIDE_DOWN), .STRIDE_RIGHT(STRIDE_RIGHT),
                .DILATION_DOWN(DILATION_DOWN), .DILATION_RIGHT(DILATION_RIGHT), .RAM_STYLE(RAM_STYLE)
            ) windows (
                .aclk(aclk), .aresetn(aresetn),
                .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
                .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
            );
        end else begin : g_serial
            serial_windows #(
                .WIDTH(WIDTH), .DEPTH(DEPTH), .LOOPS(LOOPS), .COUNT_BITS(COUNT_BITS), .DISTANCE_BITS(DISTANCE_BITS),
                .LAST(LAST), .DISTANCES(DISTANCES), .STEPS(STEPS), .FREED(FREED), .RAM_STYLE(RAM_STYLE)
            ) windows (
                .aclk(aclk), .aresetn(aresetn),
                .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
                .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
            );
        end
    endgenerate
endmodule
