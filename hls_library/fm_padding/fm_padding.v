// An image with rows and columns of words PAD around it: the output has HEIGHT rows of ROW words; what lies in rows TOP to BOTTOM
// and there in words LEFT to RIGHT, both included, comes from the input.
//
// A frame begins when its first word has entered; from then on a word leaves in every cycle, also from frame to frame. The
// first word leaves two cycles after the first has entered. s_axis_tready knows m_axis_tready through a register only.
module fm_padding #(
    parameter WIDTH = 8,
    parameter HEIGHT = 6,
    parameter ROW = 6,
    parameter TOP = 1,
    parameter BOTTOM = 4,
    parameter LEFT = 1,
    parameter RIGHT = 4,
    parameter [WIDTH-1:0] PAD = {WIDTH{1'b0}}
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
    localparam integer FIRST_INNER_ROW = TOP;
    localparam integer END_OF_INNER_ROWS = BOTTOM + 1;
    localparam integer FIRST_INNER_COLUMN = LEFT;
    localparam integer END_OF_INNER_COLUMNS = RIGHT + 1;

    wire [WIDTH-1:0] word;
    wire word_valid, free;
    // Inside is what comes from a first place on, until an end: both are seen by equality.
    reg [ROW_BITS-1:0] row;
    reg [COLUMN_BITS-1:0] column;
    reg inner_row, inner_column, first;
    wire inner = inner_row && inner_column;
    wire offered = word_valid || (!inner && !first);
    wire enter = offered && free;
    wire end_of_row = column == LAST_COLUMN[COLUMN_BITS-1:0];
    wire end_of_frame = end_of_row && row == LAST_ROW[ROW_BITS-1:0];
    wire [COLUMN_BITS-1:0] next_column = end_of_row ? {COLUMN_BITS{1'b0}} : column + 1'b1;
    wire [ROW_BITS-1:0] next_row = end_of_frame ? {ROW_BITS{1'b0}} : row + 1'b1;

    always @(posedge aclk) begin
        if (!aresetn) begin
            row <= {ROW_BITS{1'b0}};
            column <= {COLUMN_BITS{1'b0}};
            inner_row <= TOP == 0;
            inner_column <= LEFT == 0;
            first <= 1'b1;
        end else if (enter) begin
            first <= end_of_frame;
            column <= next_column;
            inner_column <= (next_column == FIRST_INNER_COLUMN[COLUMN_BITS-1:0])
                || (inner_column && !end_of_row && next_column != END_OF_INNER_COLUMNS[COLUMN_BITS-1:0]);
            if (end_of_row) begin
                row <= next_row;
                inner_row <= (next_row == FIRST_INNER_ROW[ROW_BITS-1:0])
                    || (inner_row && !end_of_frame && next_row != END_OF_INNER_ROWS[ROW_BITS-1:0]);
            end
        end
    end

    stream_register #(.WIDTH(WIDTH)) source (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
        .m_axis_tdata(word), .m_axis_tvalid(word_valid), .m_axis_tready(free && inner)
    );
    stream_register #(.WIDTH(WIDTH)) sink (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(inner ? word : PAD), .s_axis_tvalid(offered), .s_axis_tready(free),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
