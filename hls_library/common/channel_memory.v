// Constants of the channels, one word a fold, read ahead in order: word 0 after reset, the next one after every cycle in which
// `advance` is high.
module channel_memory #(
    parameter WIDTH = 8,
    parameter FOLDS = 1,
    // Read by synthesis alone, as an attribute, which Verilator does not count as use.
    // verilator lint_off UNUSEDPARAM
    parameter RAM_STYLE = "auto",
    // verilator lint_on UNUSEDPARAM
    parameter FILE = "channels.mem"
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             advance,
    output reg  [WIDTH-1:0] word
);
    localparam ADDRESS_WIDTH = (FOLDS > 1) ? $clog2(FOLDS) : 1;
    localparam integer LAST = FOLDS - 1;

    (* ram_style = RAM_STYLE *)
    reg [WIDTH-1:0] words [0:FOLDS-1];
    initial $readmemh(FILE, words);

    reg  [ADDRESS_WIDTH-1:0] address;
    wire [ADDRESS_WIDTH-1:0] next_address =
        !advance ? address : (address == LAST[ADDRESS_WIDTH-1:0]) ? {ADDRESS_WIDTH{1'b0}} : address + 1'b1;
    always @(posedge aclk) begin
        if (!aresetn) address <= {ADDRESS_WIDTH{1'b0}};
        else address <= next_address;
        word <= words[next_address];
    end
endmodule
