// Indices of the K largest of LABELS elements that come one by one, the largest first; among equal ones the lowest index.
//
// K places hold the best elements so far, in order. A new element goes in front of the first that is smaller; those behind it
// move on. At the end of a frame the indices are handed over to a shift register, and the next frame follows at once. The first
// index leaves LABELS + 2 cycles after the first element has entered; s_axis_tready knows m_axis_tready through a register only.
module best_labels #(
    parameter LABELS = 10,
    parameter K = 2,
    parameter INPUT_WIDTH = 8,
    parameter INPUT_SIGNED = 1,
    parameter INDEX_WIDTH = 4
) (
    input  wire                   aclk,
    input  wire                   aresetn,
    input  wire [INPUT_WIDTH-1:0] s_axis_tdata,
    input  wire                   s_axis_tvalid,
    output wire                   s_axis_tready,
    output wire [INDEX_WIDTH-1:0] m_axis_tdata,
    output wire                   m_axis_tvalid,
    input  wire                   m_axis_tready
);
    localparam COUNT_WIDTH = $clog2(K + 1);
    localparam integer LAST = LABELS - 1;
    localparam integer ALL = K;
    localparam [INPUT_WIDTH-1:0] SIGN = {INPUT_SIGNED != 0, {(INPUT_WIDTH-1){1'b0}}};

    // Keys are the values with the sign turned round, so that they compare as unsigned numbers.
    wire [INPUT_WIDTH-1:0] key = s_axis_tdata ^ SIGN;
    reg [INDEX_WIDTH-1:0] index;
    reg running, finished;
    wire hand_over;
    wire enter = s_axis_tvalid && s_axis_tready;
    wire first = index == {INDEX_WIDTH{1'b0}};
    wire last = index == LAST[INDEX_WIDTH-1:0];
    assign s_axis_tready = running && (!finished || hand_over);
    always @(posedge aclk) begin
        running <= aresetn;
        if (!aresetn) index <= {INDEX_WIDTH{1'b0}};
        else if (enter) index <= last ? {INDEX_WIDTH{1'b0}} : index + 1'b1;
        finished <= aresetn && ((enter && last) || (finished && !hand_over));
    end

    // ---- the places; what is in them counts from the first element of a frame on
    reg [K-1:0] taken;
    reg [K*INPUT_WIDTH-1:0] keys;
    reg [K*INDEX_WIDTH-1:0] indices;
    wire [K-1:0] counts = first ? {K{1'b0}} : taken;
    wire [K-1:0] better;
    genvar i;
    generate
        for (i = 0; i < K; i = i + 1) begin : place
            assign better[i] = !counts[i] || key > keys[i*INPUT_WIDTH +: INPUT_WIDTH];
            if (i == 0) begin : front
                always @(posedge aclk)
                    if (enter && better[0]) begin
                        taken[0] <= 1'b1;
                        keys[INPUT_WIDTH-1:0] <= key;
                        indices[INDEX_WIDTH-1:0] <= index;
                    end
            end else begin : behind
                always @(posedge aclk)
                    if (enter && better[i]) begin
                        taken[i] <= !better[i-1] || counts[i-1];
                        keys[i*INPUT_WIDTH +: INPUT_WIDTH] <= better[i-1] ? keys[(i-1)*INPUT_WIDTH +: INPUT_WIDTH] : key;
                        indices[i*INDEX_WIDTH +: INDEX_WIDTH] <=
                            better[i-1] ? indices[(i-1)*INDEX_WIDTH +: INDEX_WIDTH] : index;
                    end
            end
        end
    endgenerate

    // ---- the indices of a frame leave one by one
    reg [K*INDEX_WIDTH-1:0] leaving;
    reg [COUNT_WIDTH-1:0] left;
    wire any = left != {COUNT_WIDTH{1'b0}};
    wire free;
    wire [COUNT_WIDTH-1:0] left_behind = (any && free) ? left - 1'b1 : left;
    assign hand_over = finished && left_behind == {COUNT_WIDTH{1'b0}};
    always @(posedge aclk) begin
        if (hand_over) leaving <= indices;
        else if (free) leaving <= leaving >> INDEX_WIDTH;
        if (!aresetn) left <= {COUNT_WIDTH{1'b0}};
        else left <= hand_over ? ALL[COUNT_WIDTH-1:0] : left_behind;
    end
    stream_register #(.WIDTH(INDEX_WIDTH)) register (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(leaving[INDEX_WIDTH-1:0]), .s_axis_tvalid(any), .s_axis_tready(free),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready)
    );
endmodule
