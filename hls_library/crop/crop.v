// The inside of an image: of HEIGHT rows of ROW words those from TOP to BOTTOM, and of these the words from LEFT to RIGHT, both
// included.
//
// A word passes in every cycle, also where it is dropped, and leaves the cycle after it has entered. s_axis_tready knows
// m_axis_tready through a register only.
module crop #(
    parameter WIDTH = 8,
    parameter HEIGHT = 4,
    parameter ROW = 4,
    parameter TOP = 1,
    parameter BOTTOM = 2,
    parameter LEFT = 1,
    parameter RIGHT = 2
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire [WIDTH-1:0] s_axis_tdata,
    input  wire             s_axis_tvalid,
    output wire             s_axis_tready,
    output wire [WIDTH-1:0] m_axis_tdata,
    output wire             m_axis_tvalid,
    input  wire             m_axis_tready
);
    localparam ROW_BITS = $clog2(HEIGHT + 1);
    localparam COLUMN_BITS = $clog2(ROW + 1);
    localparam integer LAST_ROW = HEIGHT - 1;
    localparam integer LAST_COLUMN = ROW - 1;
    localparam integer FIRST_KEPT_ROW = TOP;
    localparam integer END_OF_ROWS = BOTTOM + 1;
    localparam integer FIRST_KEPT_COLUMN = LEFT;
    localparam integer END_OF_COLUMNS = RIGHT + 1;

    // Kept is what comes from a first place on, until an end: both are seen by equality.
    reg [ROW_BITS-1:0] row;
    reg [COLUMN_BITS-1:0] column;
    reg row_kept, column_kept;
    wire free;
    wire enter = s_axis_tvalid && s_axis_tready;
    wire end_of_row = column == LAST_COLUMN[COLUMN_BITS-1:0];
    wire [COLUMN_BITS-1:0] next_column = end_of_row ? {COLUMN_BITS{1'b0}} : column + 1'b1;
    wire [ROW_BITS-1:0] next_row = (row == LAST_ROW[ROW_BITS-1:0]) ? {ROW_BITS{1'b0}} : row + 1'b1;

    always @(posedge aclk) begin
        if (!aresetn) begin
            row <= {ROW_BITS{1'b0}};
            column <= {COLUMN_BITS{1'b0}};
            row_kept <= TOP == 0;
            column_kept <= LEFT == 0;
        end else if (enter) begin
            column <= next_column;
            column_kept <= (next_column == FIRST_KEPT_COLUMN[COLUMN_BITS-1:0])
                || (column_kept && !end_of_row && next_column != END_OF_COLUMNS[COLUMN_BITS-1:0]);
            if (end_of_row) begin
                row <= next_row;
                row_kept <= (next_row == FIRST_KEPT_ROW[ROW_BITS-1:0])
                    || (row_kept && next_row != {ROW_BITS{1'b0}} && next_row != END_OF_ROWS[ROW_BITS-1:0]);
            end
        end
    end
    assign s_axis_tready = free;

    stream_register #(.WIDTH(WIDTH)) register (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid && row_kept && column_kept), .s_axis_tready(free),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
