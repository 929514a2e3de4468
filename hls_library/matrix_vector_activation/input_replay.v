// Keeps the WORDS input words of a vector and gives them again in every later fold.
// `word` is the input in the first fold (first_fold high) and word `index` of the vector in the others.
// `next_index` is what `index` will be in the next cycle: the memory is read one cycle ahead.
module input_replay #(
    parameter WIDTH = 8,
    parameter WORDS = 2,
    parameter FOLDS = 2,
    parameter INDEX_WIDTH = 1
) (
    input  wire                   aclk,
    input  wire                   first_fold,
    input  wire                   take,
    input  wire [INDEX_WIDTH-1:0] index,
    input  wire [INDEX_WIDTH-1:0] next_index,
    input  wire [WIDTH-1:0]       input_word,
    output wire [WIDTH-1:0]       word
);
    generate
        if (FOLDS == 1) begin : none
            wire unused_without_replay = &{1'b0, aclk, first_fold, take, index, next_index};
            assign word = input_word;
        end else if (WORDS == 1) begin : one
            wire unused_indices = &{1'b0, index, next_index};
            reg [WIDTH-1:0] kept;
            always @(posedge aclk) if (take) kept <= input_word;
            assign word = first_fold ? input_word : kept;
        end else begin : many
            // No word is read in the cycle that writes it: next_index differs from index when a word is taken.
            reg [WIDTH-1:0] vector [0:WORDS-1];
            reg [WIDTH-1:0] kept;
            always @(posedge aclk) begin
                if (take) vector[index] <= input_word;
                kept <= vector[next_index];
            end
            assign word = first_fold ? input_word : kept;
        end
    endgenerate
endmodule
