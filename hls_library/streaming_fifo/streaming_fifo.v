// Queue of exactly DEPTH words.
//
// USE_REGISTERS is for a few words; otherwise they are in LUT RAM or, with USE_BLOCK_RAM, in block RAM, of the kind that
// RAM_STYLE names: "block" or "ultra". A word can leave one
// cycle after it has entered, two cycles with block RAM. With DEPTH >= 2 (block RAM: >= 3) a word passes in every cycle; with DEPTH 1
// the next word enters after the last has left. s_axis_tready is a register: no path leads to it from m_axis_tready.
module streaming_fifo #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter USE_REGISTERS = 1,
    parameter USE_BLOCK_RAM = 0,
    // Read by synthesis alone, as an attribute, which Verilator does not count as use.
    // verilator lint_off UNUSEDPARAM
    parameter RAM_STYLE = "block"
    // verilator lint_on UNUSEDPARAM
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
    localparam COUNT_WIDTH = $clog2(DEPTH + 1);
    localparam POINTER_WIDTH = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam integer LAST = DEPTH - 1;
    localparam integer FULL = DEPTH;

    // Words inside, whatever holds them.
    reg [COUNT_WIDTH-1:0] count;
    reg free;
    wire enter = s_axis_tvalid && free;
    wire leave = m_axis_tvalid && m_axis_tready;
    wire [COUNT_WIDTH-1:0] next_count = (enter == leave) ? count : enter ? count + 1'b1 : count - 1'b1;

    always @(posedge aclk) begin
        if (!aresetn) begin
            count <= {COUNT_WIDTH{1'b0}};
            free <= 1'b0;
        end else begin
            count <= next_count;
            free <= next_count != FULL[COUNT_WIDTH-1:0];
        end
    end
    assign s_axis_tready = free;

    generate
        if (USE_REGISTERS != 0) begin : in_registers
            // The oldest word is in position 0; what leaves makes the others move up.
            wire [COUNT_WIDTH-1:0] position = leave ? count - 1'b1 : count;
            wire [WIDTH-1:0] words [0:DEPTH];
            assign words[DEPTH] = {WIDTH{1'b0}};
            genvar i;
            for (i = 0; i < DEPTH; i = i + 1) begin : place
                localparam integer HERE = i;
                reg [WIDTH-1:0] word;
                always @(posedge aclk)
                    if (enter && position == HERE[COUNT_WIDTH-1:0]) word <= s_axis_tdata;
                    else if (leave) word <= words[i+1];
                assign words[i] = word;
            end
            assign m_axis_tdata = words[0];
            assign m_axis_tvalid = count != {COUNT_WIDTH{1'b0}};
        end else begin : in_memory
            reg [POINTER_WIDTH-1:0] write_pointer, read_pointer;
            wire read;
            always @(posedge aclk) begin
                if (!aresetn) begin
                    write_pointer <= {POINTER_WIDTH{1'b0}};
                    read_pointer <= {POINTER_WIDTH{1'b0}};
                end else begin
                    if (enter)
                        write_pointer <= (write_pointer == LAST[POINTER_WIDTH-1:0]) ? {POINTER_WIDTH{1'b0}}
                                                                                    : write_pointer + 1'b1;
                    if (read)
                        read_pointer <= (read_pointer == LAST[POINTER_WIDTH-1:0]) ? {POINTER_WIDTH{1'b0}}
                                                                                  : read_pointer + 1'b1;
                end
            end

            if (USE_BLOCK_RAM != 0) begin : block
                // The memory's output register holds the word that is offered; it counts as one of DEPTH.
                (* ram_style = RAM_STYLE, no_rw_check *) reg [WIDTH-1:0] words [0:DEPTH-1];
                reg [WIDTH-1:0] word;
                reg [COUNT_WIDTH-1:0] waiting;
                reg any_waiting, offered;
                // A word is never read in the cycle in which it is written.
                assign read = any_waiting && (!offered || m_axis_tready);
                wire [COUNT_WIDTH-1:0] next_waiting =
                    (enter == read) ? waiting : enter ? waiting + 1'b1 : waiting - 1'b1;
                always @(posedge aclk) begin
                    if (enter) words[write_pointer] <= s_axis_tdata;
                    if (read) word <= words[read_pointer];
                end
                always @(posedge aclk) begin
                    if (!aresetn) begin
                        waiting <= {COUNT_WIDTH{1'b0}};
                        any_waiting <= 1'b0;
                        offered <= 1'b0;
                    end else begin
                        waiting <= next_waiting;
                        any_waiting <= next_waiting != {COUNT_WIDTH{1'b0}};
                        if (read) offered <= 1'b1;
                        else if (m_axis_tready) offered <= 1'b0;
                    end
                end
                assign m_axis_tdata = word;
                assign m_axis_tvalid = offered;
            end else begin : distributed
                (* ram_style = "distributed" *) reg [WIDTH-1:0] words [0:DEPTH-1];
                reg any;
                assign read = leave;
                always @(posedge aclk) begin
                    if (enter) words[write_pointer] <= s_axis_tdata;
                    any <= aresetn && next_count != {COUNT_WIDTH{1'b0}};
                end
                assign m_axis_tdata = words[read_pointer];
                assign m_axis_tvalid = any;
            end
        end
    endgenerate
endmodule
