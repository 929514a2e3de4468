// Whose turn it is: stream 0 for WORDS[0] words, then stream 1 for WORDS[1] words, and so on, round and round. `turn` has one
// bit set and is a register; `advance` says that a word has moved. WORDS has BITS bits a stream, stream 0 in the least
// significant bits, none of them 0.
module stream_turn #(
    parameter STREAMS = 2,
    parameter BITS = 4,
    parameter [BITS*STREAMS-1:0] WORDS = {(BITS*STREAMS){1'b1}}
) (
    input  wire               aclk,
    input  wire               aresetn,
    input  wire               advance,
    output reg  [STREAMS-1:0] turn
);
    // Words that are left of the stream behind the one that moves now.
    reg [BITS-1:0] left, words_of_next;
    integer s;
    always @* begin
        words_of_next = {BITS{1'b0}};
        for (s = 0; s < STREAMS; s = s + 1)
            words_of_next = words_of_next | ({BITS{turn[s]}} & WORDS[BITS*((s+1)%STREAMS) +: BITS]);
    end
    wire [STREAMS:0] rotated = {turn, turn[STREAMS-1]};
    wire unused_bit = rotated[STREAMS];

    always @(posedge aclk) begin
        if (!aresetn) begin
            turn <= {{(STREAMS-1){1'b0}}, 1'b1};
            left <= WORDS[BITS-1:0] - 1'b1;
        end else if (advance) begin
            if (left == {BITS{1'b0}}) begin
                turn <= rotated[STREAMS-1:0];
                left <= words_of_next - 1'b1;
            end else left <= left - 1'b1;
        end
    end
endmodule
