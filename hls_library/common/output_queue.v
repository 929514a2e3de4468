// Queue behind a pipeline that cannot be halted: whoever starts a word at the pipeline's head takes a place for it, and
// the place is given back when the word leaves. So no data register needs an enable, and no path leads from
// m_axis_tready back to the pipeline but through a register.
//
// PLACES: words on their way or in the queue. For full rate with one word every PERIOD cycles, PLACES >=
// (cycles from start to m_axis transfer + 1) / PERIOD.
module output_queue #(
    parameter WIDTH = 8,
    parameter PLACES = 8
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             start,
    output wire             place_free,
    input  wire             valid,
    input  wire [WIDTH-1:0] data,
    output wire [WIDTH-1:0] m_axis_tdata,
    output wire             m_axis_tvalid,
    input  wire             m_axis_tready
);
    localparam POINTER_WIDTH = (PLACES > 1) ? $clog2(PLACES) : 1;
    localparam DEPTH = 1 << POINTER_WIDTH;
    localparam COUNT_WIDTH = $clog2(PLACES + 1);
    localparam integer ALL_PLACES = PLACES;

    reg [WIDTH-1:0] waiting [0:DEPTH-1];
    reg [POINTER_WIDTH-1:0] write_pointer, read_pointer;
    reg [COUNT_WIDTH-1:0] free_places, words;
    reg any_free, any_word;

    wire leave = any_word && m_axis_tready;
    wire [COUNT_WIDTH-1:0] next_free_places =
        (start == leave) ? free_places : leave ? free_places + 1'b1 : free_places - 1'b1;
    wire [COUNT_WIDTH-1:0] next_words = (valid == leave) ? words : valid ? words + 1'b1 : words - 1'b1;

    always @(posedge aclk) begin
        if (valid) waiting[write_pointer] <= data;
        if (!aresetn) begin
            write_pointer <= {POINTER_WIDTH{1'b0}};
            read_pointer <= {POINTER_WIDTH{1'b0}};
            free_places <= ALL_PLACES[COUNT_WIDTH-1:0];
            words <= {COUNT_WIDTH{1'b0}};
            any_free <= 1'b0;
            any_word <= 1'b0;
        end else begin
            if (valid) write_pointer <= write_pointer + 1'b1;
            if (leave) read_pointer <= read_pointer + 1'b1;
            free_places <= next_free_places;
            words <= next_words;
            any_free <= next_free_places != {COUNT_WIDTH{1'b0}};
            any_word <= next_words != {COUNT_WIDTH{1'b0}};
        end
    end

    assign place_free = any_free;
    assign m_axis_tdata = waiting[read_pointer];
    assign m_axis_tvalid = any_word;
endmodule
