// Sliding windows over an image: words are written into a circular memory of DEPTH words and read as nested loops count, each
// as often as windows need it. The next frame is written while the last windows of this one are read.
//
// The loops are LOOPS counters of COUNT_BITS bits, the innermost in the least significant bits of LAST (its last count). When
// loop l counts, and those inside of it start again, the place that is read moves by DISTANCES[l] words of the stream (two's
// complement, it may move back), its address by STEPS[l] (the same modulo DEPTH), and FREED[l] words are needed no more. Entry
// LOOPS of the three is for the end of a frame. All have DISTANCE_BITS bits.
//
// One word enters and one word leaves in every cycle. A word is read from the cycle after it has entered and leaves in the
// cycle after that. s_axis_tready is a register: no path leads to it from m_axis_tready.
module serial_windows #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter LOOPS = 1,
    parameter COUNT_BITS = 2,
    parameter DISTANCE_BITS = 6,
    parameter [LOOPS*COUNT_BITS-1:0] LAST = {(LOOPS*COUNT_BITS){1'b1}},
    parameter [(LOOPS+1)*DISTANCE_BITS-1:0] DISTANCES = {{(2*DISTANCE_BITS-1){1'b0}}, 1'b1},
    parameter [(LOOPS+1)*DISTANCE_BITS-1:0] STEPS = {{(2*DISTANCE_BITS-1){1'b0}}, 1'b1},
    parameter [(LOOPS+1)*DISTANCE_BITS-1:0] FREED = {{(2*DISTANCE_BITS-1){1'b0}}, 1'b1},
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
    localparam ADDRESS_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam integer ALL = DEPTH;
    localparam integer END = DEPTH - 1;
    localparam [DISTANCE_BITS-1:0] NONE = {DISTANCE_BITS{1'b0}};

    (* ram_style = RAM_STYLE, no_rw_check *) reg [WIDTH-1:0] words [0:DEPTH-1];
    reg [ADDRESS_BITS-1:0] write_address, read_address;
    reg [LOOPS*COUNT_BITS-1:0] counts;
    // Words from the place that is read to the last that has entered: none or less where that is still to come. And words
    // that may enter before one that is needed would be lost.
    reg [DISTANCE_BITS-1:0] waiting, room;
    reg any_waiting;

    wire enter = s_axis_tvalid && s_axis_tready;
    wire read = any_waiting && (!m_axis_tvalid || m_axis_tready);

    reg [LOOPS*COUNT_BITS-1:0] next_counts;
    reg [DISTANCE_BITS-1:0] distance, step, freed;
    reg carry;
    integer l;
    always @* begin
        next_counts = counts;
        distance = DISTANCES[LOOPS*DISTANCE_BITS +: DISTANCE_BITS];
        step = STEPS[LOOPS*DISTANCE_BITS +: DISTANCE_BITS];
        freed = FREED[LOOPS*DISTANCE_BITS +: DISTANCE_BITS];
        carry = 1'b1;
        for (l = 0; l < LOOPS; l = l + 1)
            if (carry) begin
                if (counts[l*COUNT_BITS +: COUNT_BITS] == LAST[l*COUNT_BITS +: COUNT_BITS])
                    next_counts[l*COUNT_BITS +: COUNT_BITS] = {COUNT_BITS{1'b0}};
                else begin
                    next_counts[l*COUNT_BITS +: COUNT_BITS] = counts[l*COUNT_BITS +: COUNT_BITS] + 1'b1;
                    distance = DISTANCES[l*DISTANCE_BITS +: DISTANCE_BITS];
                    step = STEPS[l*DISTANCE_BITS +: DISTANCE_BITS];
                    freed = FREED[l*DISTANCE_BITS +: DISTANCE_BITS];
                    carry = 1'b0;
                end
            end
    end

    wire [DISTANCE_BITS-1:0] entered = {{(DISTANCE_BITS-1){1'b0}}, enter};
    wire [DISTANCE_BITS-1:0] next_waiting = waiting + entered - (read ? distance : NONE);
    wire [DISTANCE_BITS-1:0] next_room = room - entered + (read ? freed : NONE);
    wire [DISTANCE_BITS-1:0] moved = {{(DISTANCE_BITS-ADDRESS_BITS){1'b0}}, read_address} + step;
    wire [DISTANCE_BITS-1:0] next_read_address =
        (moved > END[DISTANCE_BITS-1:0]) ? moved - ALL[DISTANCE_BITS-1:0] : moved;
    wire unused_high_bits = &{1'b0, next_read_address[DISTANCE_BITS-1:ADDRESS_BITS]};

    always @(posedge aclk) begin
        if (enter) words[write_address] <= s_axis_tdata;
        if (read) m_axis_tdata <= words[read_address];
    end
    always @(posedge aclk) begin
        if (!aresetn) begin
            s_axis_tready <= 1'b0;
            m_axis_tvalid <= 1'b0;
            any_waiting <= 1'b0;
            waiting <= NONE;
            room <= ALL[DISTANCE_BITS-1:0];
            write_address <= {ADDRESS_BITS{1'b0}};
            read_address <= {ADDRESS_BITS{1'b0}};
            counts <= {(LOOPS*COUNT_BITS){1'b0}};
        end else begin
            waiting <= next_waiting;
            room <= next_room;
            any_waiting <= !next_waiting[DISTANCE_BITS-1] && next_waiting != NONE;
            s_axis_tready <= next_room != NONE;
            if (enter)
                write_address <= (write_address == END[ADDRESS_BITS-1:0]) ? {ADDRESS_BITS{1'b0}} : write_address + 1'b1;
            if (read) begin
                m_axis_tvalid <= 1'b1;
                counts <= next_counts;
                read_address <= next_read_address[ADDRESS_BITS-1:0];
            end else if (m_axis_tready) m_axis_tvalid <= 1'b0;
        end
    end
endmodule
