// Indices of the K largest of LABELS elements, the largest first; among equal ones the lowest index. One index a word.
//
// With K = 1 PE elements come in a word, see best_label; with more they come one by one, see best_labels.
module label_select #(
    parameter LABELS = 10,
    // Of no use where K is more than 1.
    // verilator lint_off UNUSEDPARAM
    parameter PE = 1,
    // verilator lint_on UNUSEDPARAM
    parameter K = 1,
    parameter INPUT_WIDTH = 8,
    parameter INPUT_SIGNED = 1,
    parameter OUTPUT_WIDTH = 4
) (
    input  wire                      aclk,
    input  wire                      aresetn,
    input  wire [PE*INPUT_WIDTH-1:0] s_axis_tdata,
    input  wire                      s_axis_tvalid,
    output wire                      s_axis_tready,
    output wire [OUTPUT_WIDTH-1:0]   m_axis_tdata,
    output wire                      m_axis_tvalid,
    input  wire                      m_axis_tready
);
    generate
        if (K == 1) begin : single
            best_label #(
                .LABELS(LABELS), .PE(PE), .INPUT_WIDTH(INPUT_WIDTH), .INPUT_SIGNED(INPUT_SIGNED), .OUTPUT_WIDTH(OUTPUT_WIDTH)
            ) label (
                .aclk(aclk), .aresetn(aresetn),
                .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
                .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
            );
        end else begin : several
            localparam INDEX_WIDTH = $clog2(LABELS);
            wire [INDEX_WIDTH-1:0] index;
            best_labels #(
                .LABELS(LABELS), .K(K), .INPUT_WIDTH(INPUT_WIDTH), .INPUT_SIGNED(INPUT_SIGNED), .INDEX_WIDTH(INDEX_WIDTH)
            ) labels (
                .aclk(aclk), .aresetn(aresetn),
                .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
                .m_axis_tdata(index), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
            );
            resize #(.FROM(INDEX_WIDTH), .TO(OUTPUT_WIDTH), .SIGNED(0)) fit (.from(index), .to(m_axis_tdata));
        end
    endgenerate
endmodule
