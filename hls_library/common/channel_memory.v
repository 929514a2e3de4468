// Constants of the channels, one word a fold, read ahead in order: word 0 after reset, the next one after every cycle in which
// `advance` is high.
module channel_memory #(
    parameter WIDTH = 8,
    parameter FOLDS = 1,
    parameter RAM_STYLE = "auto",
    parameter FILE = "channels.mem"
) (
    input  wire             aclk,
    input  wire             aresetn,
    input  wire             advance,
    output wire [WIDTH-1:0] word
);
    localparam ADDRESS_WIDTH = (FOLDS > 1) ? $clog2(FOLDS) : 1;
    localparam integer LAST = FOLDS - 1;

    reg  [ADDRESS_WIDTH-1:0] address;
    wire [ADDRESS_WIDTH-1:0] next_address =
        !advance ? address : (address == LAST[ADDRESS_WIDTH-1:0]) ? {ADDRESS_WIDTH{1'b0}} : address + 1'b1;
    always @(posedge aclk) begin
        if (!aresetn) address <= {ADDRESS_WIDTH{1'b0}};
        else address <= next_address;
    end

    rom #(.WIDTH(WIDTH), .DEPTH(FOLDS), .RAM_STYLE(RAM_STYLE), .FILE(FILE)) memory (
        .aclk(aclk), .address(next_address), .word(word)
    );
endmodule
