// Sliding windows over an image, each in one word: its pixels row by row, the first in the least significant bits. A pixel
// enters in every cycle, from frame to frame, too.
//
// A memory holds of each column the pixels that entered in the LINES rows before, registers the columns of the window. A
// window leaves three cycles after its last pixel has entered. s_axis_tready knows m_axis_tready through a register only.
module parallel_windows #(
    parameter WIDTH = 8,
    parameter ROWS = 6,
    parameter COLUMNS = 6,
    parameter KERNEL_ROWS = 3,
    parameter KERNEL_COLUMNS = 3,
    parameter STRIDE_DOWN = 1,
    parameter STRIDE_RIGHT = 1,
    parameter DILATION_DOWN = 1,
    parameter DILATION_RIGHT = 1,
    // Read by synthesis alone, as an attribute, which Verilator does not count as use.
    // verilator lint_off UNUSEDPARAM
    parameter RAM_STYLE = "auto"
    // verilator lint_on UNUSEDPARAM
) (
    input  wire                                         aclk,
    input  wire                                         aresetn,
    input  wire [WIDTH-1:0]                             s_axis_tdata,
    input  wire                                         s_axis_tvalid,
    output wire                                         s_axis_tready,
    output wire [KERNEL_ROWS*KERNEL_COLUMNS*WIDTH-1:0]  m_axis_tdata,
    output wire                                         m_axis_tvalid,
    input  wire                                         m_axis_tready
);
    localparam LINES = (KERNEL_ROWS - 1) * DILATION_DOWN;
    localparam REACH = (KERNEL_COLUMNS - 1) * DILATION_RIGHT + 1;
    localparam COLUMN_BITS = $clog2(COLUMNS + 1);
    localparam ROW_BITS = $clog2(ROWS + 1);
    localparam integer LAST_COLUMN = COLUMNS - 1;
    localparam integer LAST_ROW = ROWS - 1;
    // Pixels to the first window of a row, and from one to the next; the same of rows.
    localparam integer FIRST_COLUMN = REACH - 1;
    localparam integer FIRST_ROW = LINES;
    localparam integer NEXT_COLUMN = STRIDE_RIGHT - 1;
    localparam integer NEXT_ROW = STRIDE_DOWN - 1;
    localparam WAIT_RIGHT_BITS = $clog2(REACH + STRIDE_RIGHT);
    localparam WAIT_DOWN_BITS = $clog2(LINES + 1 + STRIDE_DOWN);

    wire [WIDTH-1:0] pixel;
    wire pixel_valid;
    reg window_valid;
    wire advance = !window_valid || m_axis_tready;
    wire enter = pixel_valid && advance;

    stream_register #(.WIDTH(WIDTH)) source (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
        .m_axis_tdata(pixel), .m_axis_tvalid(pixel_valid), .m_axis_tready(advance)
    );

    // Where the pixel that enters lies, and how many are still to come before a window is complete.
    reg [COLUMN_BITS-1:0] column;
    reg [ROW_BITS-1:0] row;
    reg [WAIT_RIGHT_BITS-1:0] wait_right;
    reg [WAIT_DOWN_BITS-1:0] wait_down;
    wire end_of_row = column == LAST_COLUMN[COLUMN_BITS-1:0];
    wire end_of_frame = end_of_row && row == LAST_ROW[ROW_BITS-1:0];
    wire right_complete = wait_right == {WAIT_RIGHT_BITS{1'b0}};
    wire down_complete = wait_down == {WAIT_DOWN_BITS{1'b0}};

    reg [WIDTH-1:0] newest;
    reg [COLUMN_BITS-1:0] newest_column;
    reg newest_valid, newest_completes;

    always @(posedge aclk) begin
        if (!aresetn) begin
            column <= {COLUMN_BITS{1'b0}};
            row <= {ROW_BITS{1'b0}};
            wait_right <= FIRST_COLUMN[WAIT_RIGHT_BITS-1:0];
            wait_down <= FIRST_ROW[WAIT_DOWN_BITS-1:0];
            newest_valid <= 1'b0;
            window_valid <= 1'b0;
        end else if (advance) begin
            newest_valid <= pixel_valid;
            window_valid <= newest_valid && newest_completes;
            if (enter) begin
                column <= end_of_row ? {COLUMN_BITS{1'b0}} : column + 1'b1;
                wait_right <= end_of_row ? FIRST_COLUMN[WAIT_RIGHT_BITS-1:0]
                    : right_complete ? NEXT_COLUMN[WAIT_RIGHT_BITS-1:0] : wait_right - 1'b1;
                if (end_of_row) begin
                    row <= end_of_frame ? {ROW_BITS{1'b0}} : row + 1'b1;
                    wait_down <= end_of_frame ? FIRST_ROW[WAIT_DOWN_BITS-1:0]
                        : down_complete ? NEXT_ROW[WAIT_DOWN_BITS-1:0] : wait_down - 1'b1;
                end
            end
        end
        if (advance) begin
            newest <= pixel;
            newest_column <= column;
            newest_completes <= right_complete && down_complete;
        end
    end

    // The column of the newest pixel: that one, above it those of the rows before, the latest row in the least significant bits.
    wire [(LINES+1)*WIDTH-1:0] whole_column;
    generate
        if (LINES > 0) begin : g_lines
            (* ram_style = RAM_STYLE, no_rw_check *) reg [LINES*WIDTH-1:0] lines [0:COLUMNS-1];
            reg [LINES*WIDTH-1:0] above;
            wire replace = advance && newest_valid;
            if (COLUMNS > 1) begin : g_memory
                localparam ADDRESS_BITS = $clog2(COLUMNS);
                always @(posedge aclk) begin
                    if (replace) lines[newest_column[ADDRESS_BITS-1:0]] <= whole_column[LINES*WIDTH-1:0];
                    if (advance) above <= lines[column[ADDRESS_BITS-1:0]];
                end
                wire unused_column = &{1'b0, newest_column};
            end else begin : g_register
                // One column: what is written is read at once.
                always @(posedge aclk) begin
                    if (replace) lines[0] <= whole_column[LINES*WIDTH-1:0];
                    if (advance) above <= replace ? whole_column[LINES*WIDTH-1:0] : lines[0];
                end
                wire unused_column = &{1'b0, newest_column};
            end
            assign whole_column = {above, newest};
        end else begin : g_one_row
            assign whole_column = newest;
            wire unused_column = &{1'b0, newest_column};
        end
    endgenerate

    genvar r, c;
    generate
        for (r = 0; r < KERNEL_ROWS; r = r + 1) begin : g_row
            // The newest column in the least significant bits.
            reg [REACH*WIDTH-1:0] pixels;
            wire [WIDTH-1:0] tap = whole_column[(KERNEL_ROWS-1-r)*DILATION_DOWN*WIDTH +: WIDTH];
            if (REACH > 1) begin : g_columns
                always @(posedge aclk) if (advance && newest_valid) pixels <= {pixels[(REACH-1)*WIDTH-1:0], tap};
            end else begin : g_one_column
                always @(posedge aclk) if (advance && newest_valid) pixels <= tap;
            end
            for (c = 0; c < KERNEL_COLUMNS; c = c + 1) begin : g_tap
                assign m_axis_tdata[(r*KERNEL_COLUMNS+c)*WIDTH +: WIDTH] =
                    pixels[(KERNEL_COLUMNS-1-c)*DILATION_RIGHT*WIDTH +: WIDTH];
            end
        end
    endgenerate
    // Between the taps of a dilated window lie pixels that only wait.
    wire unused_pixels = &{1'b0, whole_column};
    assign m_axis_tvalid = window_valid;
endmodule
