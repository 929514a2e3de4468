// An AXI4-Stream through registers in both directions: a word leaves the cycle after it has entered, one in every cycle; no
// path leads from m_axis_tready to s_axis_tready. Holds two words.
module stream_register #(
    parameter WIDTH = 8
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire [WIDTH-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output reg              s_axis_tready,
    output reg  [WIDTH-1:0] m_axis_tdata,
    output reg              m_axis_tvalid,
    input  wire             m_axis_tready
);
    // Holds the word that entered while the one before it was not taken; full where s_axis_tready is low after reset.
    reg [WIDTH-1:0] behind;
    reg behind_valid;
    wire enter = s_axis_tvalid && s_axis_tready;
    wire stuck = m_axis_tvalid && !m_axis_tready;

    always @(posedge aclk) begin
        if (enter) behind <= s_axis_tdata;
        if (!stuck) m_axis_tdata <= behind_valid ? behind : s_axis_tdata;
        if (!aresetn) begin
            s_axis_tready <= 1'b0;
            m_axis_tvalid <= 1'b0;
            behind_valid <= 1'b0;
        end else begin
            if (!stuck) m_axis_tvalid <= behind_valid || enter;
            behind_valid <= stuck && (behind_valid || enter);
            s_axis_tready <= !(stuck && (behind_valid || enter));
        end
    end
endmodule
