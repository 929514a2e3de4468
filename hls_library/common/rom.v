// Memory that is never written: `word` is that of `address` one cycle before. RAM_STYLE is "block" for block memory, anything
// else for LUTs, which hold a memory's contents on every device where its initial values come from a file: their LUT RAM
// need not be able to.
//
// Yosys reads the attribute ram_style of any memory, Vivado rom_style of one that is not written.
module rom #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter ADDRESS_WIDTH = (DEPTH > 1) ? $clog2(DEPTH) : 1,
    parameter RAM_STYLE = "auto",
    parameter FILE = "rom.mem"
) (
    input  wire                     aclk,
    input  wire [ADDRESS_WIDTH-1:0] address,
    output wire [WIDTH-1:0]         word
);
    reg [WIDTH-1:0] read;
    assign word = read;
    generate
        if (RAM_STYLE == "block") begin : block
            (* ram_style = "block", rom_style = "block" *)
            reg [WIDTH-1:0] words [0:DEPTH-1];
            initial $readmemh(FILE, words);
            always @(posedge aclk) read <= words[address];
        end else begin : gates
            (* ram_style = "registers", rom_style = "distributed" *)
            reg [WIDTH-1:0] words [0:DEPTH-1];
            initial $readmemh(FILE, words);
            always @(posedge aclk) read <= words[address];
        end
    endgenerate
endmodule
