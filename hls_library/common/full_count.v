// How many of seven bits are set, as four full adders: the fewest gates that do it, and each fits two LUT4 even where
// one of its three inputs is still a product of two bits.
module full_count (
    input  wire [6:0] bits,
    output wire [2:0] count
);
    wire sum_low = bits[0] ^ bits[1] ^ bits[2];
    wire carry_low = (bits[0] & bits[1]) | (bits[2] & (bits[0] ^ bits[1]));
    wire sum_high = bits[3] ^ bits[4] ^ bits[5];
    wire carry_high = (bits[3] & bits[4]) | (bits[5] & (bits[3] ^ bits[4]));
    wire carry = (sum_low & sum_high) | (bits[6] & (sum_low ^ sum_high));
    assign count[0] = sum_low ^ sum_high ^ bits[6];
    assign count[1] = carry_low ^ carry_high ^ carry;
    assign count[2] = (carry_low & carry_high) | (carry & (carry_low ^ carry_high));
endmodule
