// Words in another order: BLOCK words are written one behind the other, then READS words of them are read as nested loops
// count, and meanwhile the next BLOCK words are written. A word may be read any number of times, or never.
//
// The loops are LOOPS counters of COUNT_BITS bits, the innermost in the least significant bits of LAST (its last count) and of
// STEPS (ADDRESS_BITS bits: what is added to the address when it counts and those inside of it start again, modulo
// 2**ADDRESS_BITS). The memory has two halves of BLOCK words. One word enters and one word leaves in every cycle; a block can be
// read from the cycle after its last word has entered, and a word leaves in the cycle after it is read: with READS <= BLOCK
// every BLOCK cycles, else every READS cycles a block.
module stream_reorder #(
    parameter WIDTH = 8,
    parameter BLOCK = 4,
    parameter LOOPS = 1,
    parameter COUNT_BITS = 2,
    parameter ADDRESS_BITS = 3,
    parameter [LOOPS*COUNT_BITS-1:0] LAST = {(LOOPS*COUNT_BITS){1'b1}},
    parameter [LOOPS*ADDRESS_BITS-1:0] STEPS = {{(LOOPS*ADDRESS_BITS-1){1'b0}}, 1'b1},
    // Read by synthesis alone, as an attribute, which Verilator does not count as use.
    // verilator lint_off UNUSEDPARAM
    parameter RAM_STYLE = "auto"
    // verilator lint_on UNUSEDPARAM
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
    localparam integer HALF = BLOCK;
    localparam integer END_OF_HALF = BLOCK - 1;
    localparam integer END = 2 * BLOCK - 1;
    localparam [ADDRESS_BITS-1:0] ZERO = {ADDRESS_BITS{1'b0}};

    (* ram_style = RAM_STYLE, no_rw_check *) reg [WIDTH-1:0] words [0:2*BLOCK-1];

    // ---- writing
    reg [ADDRESS_BITS-1:0] write_address;
    wire enter = s_axis_tvalid && s_axis_tready;
    wire end_of_memory = write_address == END[ADDRESS_BITS-1:0];
    wire written = enter && (end_of_memory || write_address == END_OF_HALF[ADDRESS_BITS-1:0]);

    // ---- reading
    reg [ADDRESS_BITS-1:0] read_address;
    reg [LOOPS*COUNT_BITS-1:0] counts;
    reg upper_half;
    // Blocks that are written and not yet read: 0, 1 or 2.
    reg [1:0] blocks;
    wire read = blocks != 2'd0 && (!m_axis_tvalid || m_axis_tready);

    reg [LOOPS*COUNT_BITS-1:0] next_counts;
    reg [ADDRESS_BITS-1:0] step;
    reg carry;
    integer l;
    always @* begin
        next_counts = counts;
        step = ZERO;
        carry = 1'b1;
        for (l = 0; l < LOOPS; l = l + 1)
            if (carry) begin
                if (counts[l*COUNT_BITS +: COUNT_BITS] == LAST[l*COUNT_BITS +: COUNT_BITS])
                    next_counts[l*COUNT_BITS +: COUNT_BITS] = {COUNT_BITS{1'b0}};
                else begin
                    next_counts[l*COUNT_BITS +: COUNT_BITS] = counts[l*COUNT_BITS +: COUNT_BITS] + 1'b1;
                    step = STEPS[l*ADDRESS_BITS +: ADDRESS_BITS];
                    carry = 1'b0;
                end
            end
    end
    wire finished = read && carry;
    wire [1:0] next_blocks = (written == finished) ? blocks : written ? blocks + 2'd1 : blocks - 2'd1;

    always @(posedge aclk) begin
        if (enter) words[write_address] <= s_axis_tdata;
        if (read) m_axis_tdata <= words[read_address];
    end
    always @(posedge aclk) begin
        if (!aresetn) begin
            s_axis_tready <= 1'b0;
            m_axis_tvalid <= 1'b0;
            write_address <= ZERO;
            read_address <= ZERO;
            counts <= {(LOOPS*COUNT_BITS){1'b0}};
            upper_half <= 1'b0;
            blocks <= 2'd0;
        end else begin
            s_axis_tready <= !next_blocks[1];
            blocks <= next_blocks;
            if (enter) write_address <= end_of_memory ? ZERO : write_address + 1'b1;
            if (read) begin
                m_axis_tvalid <= 1'b1;
                counts <= next_counts;
                read_address <= read_address + step;
            end else if (m_axis_tready) m_axis_tvalid <= 1'b0;
            if (finished) begin
                upper_half <= !upper_half;
                read_address <= upper_half ? ZERO : HALF[ADDRESS_BITS-1:0];
            end
        end
    end
endmodule
