// A row of a table for every index: FOLDS words of the memory from index * FOLDS on. An index behind the last row stands for the
// last row.
//
// A word leaves in every cycle, without a bubble between rows; the first one 2 cycles after its index has entered: one for the
// index' register, one for the memory's.
module lookup #(
    parameter INDEX_WIDTH = 8,
    parameter ROWS = 256,
    parameter FOLDS = 1,
    parameter WIDTH = 8,
    // Read by synthesis alone, as an attribute, which Verilator does not count as use.
    // verilator lint_off UNUSEDPARAM
    parameter RAM_STYLE = "auto",
    // verilator lint_on UNUSEDPARAM
    parameter EMBEDDINGS_FILE = "embeddings.mem"
) (
    input  wire                   aclk,
    input  wire                   aresetn,
    input  wire [INDEX_WIDTH-1:0] s_axis_tdata,
    input  wire                   s_axis_tvalid,
    output wire                   s_axis_tready,
    output reg  [WIDTH-1:0]       m_axis_tdata,
    output reg                    m_axis_tvalid,
    input  wire                   m_axis_tready
);
    localparam DEPTH = ROWS * FOLDS;
    localparam ADDRESS_WIDTH = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam FOLD_WIDTH = (FOLDS > 1) ? $clog2(FOLDS) : 1;
    localparam integer LAST_FOLD = FOLDS - 1;
    localparam integer STRIDE = FOLDS;
    // An index and its multiple, and the last row, fit.
    localparam WIDE = ((INDEX_WIDTH > ADDRESS_WIDTH) ? INDEX_WIDTH : ADDRESS_WIDTH) + 1;
    localparam [WIDE-1:0] LAST_ROW = ROWS - 1;

    (* ram_style = RAM_STYLE *)
    reg [WIDTH-1:0] words [0:DEPTH-1];
    initial $readmemh(EMBEDDINGS_FILE, words);

    wire [INDEX_WIDTH-1:0] index;
    wire index_valid;
    reg [FOLD_WIDTH-1:0] fold;
    wire last = fold == LAST_FOLD[FOLD_WIDTH-1:0];
    wire read = index_valid && (!m_axis_tvalid || m_axis_tready);

    stream_register #(.WIDTH(INDEX_WIDTH)) register (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
        .m_axis_tdata(index), .m_axis_tvalid(index_valid), .m_axis_tready(read && last)
    );

    wire [WIDE-1:0] wide_index = {{(WIDE-INDEX_WIDTH){1'b0}}, index};
    wire [WIDE-1:0] row = (wide_index > LAST_ROW) ? LAST_ROW : wide_index;
    wire [WIDE-1:0] address = row * STRIDE[WIDE-1:0] + {{(WIDE-FOLD_WIDTH){1'b0}}, fold};
    wire [WIDE-ADDRESS_WIDTH-1:0] unused_high_bits = address[WIDE-1:ADDRESS_WIDTH];

    always @(posedge aclk) begin
        if (read) m_axis_tdata <= words[address[ADDRESS_WIDTH-1:0]];
        if (!aresetn) begin
            fold <= {FOLD_WIDTH{1'b0}};
            m_axis_tvalid <= 1'b0;
        end else if (read) begin
            fold <= last ? {FOLD_WIDTH{1'b0}} : fold + 1'b1;
            m_axis_tvalid <= 1'b1;
        end else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end
endmodule
