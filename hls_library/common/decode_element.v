// An element of a word as a number of TO bits in two's complement. KIND: 0 unsigned, 1 signed (TERNARY, 2, too), 3 BIPOLAR,
// a bit of which 0 means -1. TO must not be less than the element's bits, and 2 for BIPOLAR.
module decode_element #(
    parameter KIND = 1,
    parameter WIDTH = 8,
    parameter TO = 9
) (
    input  wire [WIDTH-1:0] element,
    output wire [TO-1:0]    value
);
    generate
        if (KIND == 3) begin : bipolar
            assign value = {{(TO-1){~element[0]}}, 1'b1};
        end else if (TO == WIDTH) begin : same
            assign value = element;
        end else begin : number
            assign value = {{(TO-WIDTH){KIND != 0 && element[WIDTH-1]}}, element};
        end
    endgenerate
endmodule
