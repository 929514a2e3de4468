// Gearbox from words of UNITS_IN to words of UNITS_OUT units, both counts without a common factor; UNITS_OUT and UNITS_IN
// may be in any relation. The side with more words moves one in every cycle.
//
// A word can leave as soon as the cycle after its last unit has entered. The buffer is just so large that s_axis_tready need
// not know m_axis_tready: a word enters where it fits beside all that is there.
module streaming_data_width_converter #(
    parameter UNIT_WIDTH = 8,
    parameter UNITS_IN = 4,
    parameter UNITS_OUT = 7
) (
    input  wire                            aclk,
    input  wire                            aresetn,
    input  wire [UNITS_IN*UNIT_WIDTH-1:0]  s_axis_tdata,
    input  wire                            s_axis_tvalid,
    output wire                            s_axis_tready,
    output wire [UNITS_OUT*UNIT_WIDTH-1:0] m_axis_tdata,
    output wire                            m_axis_tvalid,
    input  wire                            m_axis_tready
);
    localparam SMALLER = (UNITS_IN < UNITS_OUT) ? UNITS_IN : UNITS_OUT;
    localparam integer CAPACITY = UNITS_IN + UNITS_OUT + SMALLER - 1;
    // The last place where a word can begin.
    localparam integer LAST_PLACE = CAPACITY - UNITS_IN;
    localparam COUNT_WIDTH = $clog2(CAPACITY + 1);
    localparam integer IN = UNITS_IN;
    localparam integer OUT = UNITS_OUT;

    // The oldest unit is in the least significant bits; above the units there are zeros.
    reg [CAPACITY*UNIT_WIDTH-1:0] units;
    reg [COUNT_WIDTH-1:0] count;
    reg fits, enough;
    wire enter = s_axis_tvalid && fits;
    wire leave = enough && m_axis_tready;

    reg [CAPACITY*UNIT_WIDTH-1:0] filled;
    integer place;
    always @* begin
        filled = units;
        for (place = 0; place <= LAST_PLACE; place = place + 1)
            if (enter && count == place[COUNT_WIDTH-1:0])
                filled[place*UNIT_WIDTH +: UNITS_IN*UNIT_WIDTH] = s_axis_tdata;
    end

    wire [COUNT_WIDTH-1:0] count_filled = enter ? count + IN[COUNT_WIDTH-1:0] : count;
    wire [COUNT_WIDTH-1:0] next_count = leave ? count_filled - OUT[COUNT_WIDTH-1:0] : count_filled;

    always @(posedge aclk) begin
        units <= leave ? filled >> (UNITS_OUT * UNIT_WIDTH) : filled;
        if (!aresetn) begin
            count <= {COUNT_WIDTH{1'b0}};
            fits <= 1'b0;
            enough <= 1'b0;
        end else begin
            count <= next_count;
            fits <= next_count <= LAST_PLACE[COUNT_WIDTH-1:0];
            enough <= next_count >= OUT[COUNT_WIDTH-1:0];
        end
    end

    assign s_axis_tready = fits;
    assign m_axis_tdata = units[UNITS_OUT*UNIT_WIDTH-1:0];
    assign m_axis_tvalid = enough;
endmodule
