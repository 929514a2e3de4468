// A number of FROM bits as one of TO bits: sign or zero extension, or the low bits alone.
module resize #(
    parameter FROM = 8,
    parameter TO = 8,
    parameter SIGNED = 1
) (
    input  wire [FROM-1:0] from,
    output wire [TO-1:0]   to
);
    generate
        if (TO > FROM) begin : extend
            assign to = {{(TO - FROM){SIGNED != 0 && from[FROM-1]}}, from};
        end else if (TO == FROM) begin : keep
            assign to = from;
        end else begin : cut
            wire [FROM-TO-1:0] unused_high_bits;
            assign {unused_high_bits, to} = from;
        end
    endgenerate
endmodule
