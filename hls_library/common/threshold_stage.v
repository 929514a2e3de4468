// One step of the binary search in multi_threshold: whether each of PE values has reached its threshold.
//
// Every value has an address of its own, so each has a memory of its own, of its elements of the file's words. A memory
// answers one cycle after its address: `values` belong to the addresses of the cycle before. `reached` is combinational.
module threshold_stage #(
    parameter PE = 1,
    parameter SHARED_THRESHOLDS = 0,
    parameter DEPTH = 1,
    parameter ADDRESS_WIDTH = 1,
    parameter VALUE_WIDTH = 8,
    parameter VALUE_SIGNED = 1,
    parameter THRESHOLD_WIDTH = 8,
    parameter BLOCK_MEMORY = 0,
    parameter THRESHOLDS_FILE = "thresholds.mem"
) (
    input  wire                        aclk,
    // The bit of a single fold is not read.
    // verilator lint_off UNUSEDSIGNAL
    input  wire [PE*ADDRESS_WIDTH-1:0] addresses,
    // verilator lint_on UNUSEDSIGNAL
    input  wire [PE*VALUE_WIDTH-1:0]   values,
    output wire [PE-1:0]               reached
);
    localparam WORD_WIDTH = ((SHARED_THRESHOLDS != 0) ? 1 : PE) * THRESHOLD_WIDTH;
    localparam INDEX_WIDTH = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam COMPARE_WIDTH = ((VALUE_WIDTH > THRESHOLD_WIDTH) ? VALUE_WIDTH : THRESHOLD_WIDTH) + 1;

    genvar p;
    generate
        for (p = 0; p < PE; p = p + 1) begin : channel
            localparam FIRST_BIT = ((SHARED_THRESHOLDS != 0) ? 0 : p) * THRESHOLD_WIDTH;
            wire [INDEX_WIDTH-1:0] address = addresses[p*ADDRESS_WIDTH +: INDEX_WIDTH];
            wire [THRESHOLD_WIDTH-1:0] threshold;
            if (BLOCK_MEMORY != 0) begin : block
                (* ram_style = "block", rom_style = "block" *)
                reg [WORD_WIDTH-1:0] words [0:DEPTH-1];
                initial $readmemh(THRESHOLDS_FILE, words);
                reg [THRESHOLD_WIDTH-1:0] read;
                always @(posedge aclk) read <= words[address][FIRST_BIT +: THRESHOLD_WIDTH];
                assign threshold = read;
            end else begin : gates
                (* ram_style = "registers", rom_style = "distributed" *)
                reg [WORD_WIDTH-1:0] words [0:DEPTH-1];
                initial $readmemh(THRESHOLDS_FILE, words);
                reg [THRESHOLD_WIDTH-1:0] read;
                always @(posedge aclk) read <= words[address][FIRST_BIT +: THRESHOLD_WIDTH];
                assign threshold = read;
            end
            wire [VALUE_WIDTH-1:0] value = values[p*VALUE_WIDTH +: VALUE_WIDTH];
            wire [COMPARE_WIDTH-1:0] wide_value, wide_threshold;
            assign wide_value = {{(COMPARE_WIDTH - VALUE_WIDTH){VALUE_SIGNED != 0 && value[VALUE_WIDTH-1]}}, value};
            assign wide_threshold =
                {{(COMPARE_WIDTH - THRESHOLD_WIDTH){VALUE_SIGNED != 0 && threshold[THRESHOLD_WIDTH-1]}}, threshold};
            assign reached[p] = $signed(wide_value) >= $signed(wide_threshold);
        end
    endgenerate
endmodule
