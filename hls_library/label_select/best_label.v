// Index of the largest of LABELS elements, PE of them a word; among equal ones the lowest index.
//
// A binary tree finds the best element of a word, one level a cycle; its result is compared with the best of the words
// before. Nothing in the pipeline halts: the last word of a frame waits for a place in the output queue.
module best_label #(
    parameter LABELS = 10,
    parameter PE = 1,
    parameter INPUT_WIDTH = 8,
    parameter INPUT_SIGNED = 1,
    parameter OUTPUT_WIDTH = 4
) (
    input  wire                      aclk,
    input  wire                      aresetn,
    input  wire [PE*INPUT_WIDTH-1:0] s_axis_tdata,
    input  wire                      s_axis_tvalid,
    output wire                      s_axis_tready,
    output wire [OUTPUT_WIDTH-1:0]   m_axis_tdata,
    output wire                      m_axis_tvalid,
    input  wire                      m_axis_tready
);
    localparam WORDS = LABELS / PE;
    localparam LEVELS = $clog2(PE);
    localparam LEAVES = 1 << LEVELS;
    localparam INDEX_WIDTH = (LABELS > 1) ? $clog2(LABELS) : 1;
    localparam WORD_WIDTH = (WORDS > 1) ? $clog2(WORDS) : 1;
    localparam integer LAST_WORD = WORDS - 1;
    localparam integer STEP = PE;

    // ---- which word of the frame enters
    reg [WORD_WIDTH-1:0] word;
    wire place_free;
    wire last = word == LAST_WORD[WORD_WIDTH-1:0];
    wire enter = s_axis_tvalid && s_axis_tready;
    reg running;
    assign s_axis_tready = running && (place_free || !last);
    always @(posedge aclk) begin
        running <= aresetn;
        if (!aresetn) word <= {WORD_WIDTH{1'b0}};
        else if (enter) word <= last ? {WORD_WIDTH{1'b0}} : word + 1'b1;
    end

    // ---- the best element of a word: node n has the children 2n and 2n+1, the leaves are LEAVES … 2*LEAVES-1
    // Keys are the values with the sign turned round, so that they compare as unsigned numbers.
    wire [INPUT_WIDTH-1:0] key [1:2*LEAVES-1];
    wire [INDEX_WIDTH-1:0] index [1:2*LEAVES-1];
    wire [LEVELS:0] valid;
    wire [LEVELS:0] final_word;
    assign valid[0] = enter;
    assign final_word[0] = last;

    genvar n, level;
    generate
        for (n = 0; n < LEAVES; n = n + 1) begin : leaf
            localparam integer HERE = n;
            assign index[LEAVES+n] = HERE[INDEX_WIDTH-1:0];
            if (n < PE) begin : element
                wire [INPUT_WIDTH-1:0] value = s_axis_tdata[n*INPUT_WIDTH +: INPUT_WIDTH];
                if (INPUT_SIGNED == 0) begin : plain
                    assign key[LEAVES+n] = value;
                end else begin : turned
                    assign key[LEAVES+n] = {!value[INPUT_WIDTH-1], value[INPUT_WIDTH-2:0]};
                end
            end else begin : none
                // Never better than an element before it.
                assign key[LEAVES+n] = {INPUT_WIDTH{1'b0}};
            end
        end
        for (n = 1; n < LEAVES; n = n + 1) begin : node
            reg [INPUT_WIDTH-1:0] best_key;
            reg [INDEX_WIDTH-1:0] best_index;
            wire later = key[2*n+1] > key[2*n];
            always @(posedge aclk) begin
                best_key <= later ? key[2*n+1] : key[2*n];
                best_index <= later ? index[2*n+1] : index[2*n];
            end
            assign key[n] = best_key;
            assign index[n] = best_index;
        end
        for (level = 0; level < LEVELS; level = level + 1) begin : delay
            reg level_valid, level_final;
            always @(posedge aclk) begin
                level_valid <= aresetn && valid[level];
                level_final <= final_word[level];
            end
            assign valid[level+1] = level_valid;
            assign final_word[level+1] = level_final;
        end
    endgenerate

    // ---- the best element of the frame so far
    wire [INPUT_WIDTH-1:0] word_key = key[1];
    wire result_valid = valid[LEVELS] && final_word[LEVELS];
    wire [INDEX_WIDTH-1:0] result;
    generate
        if (WORDS > 1) begin : several_words
            reg first;
            reg [INPUT_WIDTH-1:0] best_key;
            reg [INDEX_WIDTH-1:0] best_index, base;
            wire [INDEX_WIDTH-1:0] word_index = index[1] + base;
            wire better = first || word_key > best_key;
            assign result = better ? word_index : best_index;
            always @(posedge aclk) begin
                if (valid[LEVELS]) begin
                    if (better) best_key <= word_key;
                    best_index <= result;
                end
                if (!aresetn || result_valid) begin
                    first <= 1'b1;
                    base <= {INDEX_WIDTH{1'b0}};
                end else if (valid[LEVELS]) begin
                    first <= 1'b0;
                    base <= base + STEP[INDEX_WIDTH-1:0];
                end
            end
        end else begin : one_word
            assign result = index[1];
            wire unused = &{1'b0, word_key};
        end
    endgenerate

    // ---- results wait here
    // A place is taken when a frame's last word enters and is free again LEVELS + 2 cycles later.
    localparam PLACES = (LEVELS + 2 + WORDS - 1) / WORDS + 1;
    wire [INDEX_WIDTH-1:0] queued;
    output_queue #(
        .WIDTH(INDEX_WIDTH),
        .PLACES(PLACES)
    ) results (
        .aclk(aclk),
        .aresetn(aresetn),
        .start(enter && last),
        .place_free(place_free),
        .valid(result_valid),
        .data(result),
        .m_axis_tdata(queued),
        .m_axis_tvalid(m_axis_tvalid),
        .m_axis_tready(m_axis_tready)
    );
    generate
        if (OUTPUT_WIDTH > INDEX_WIDTH) begin : extended
            assign m_axis_tdata = {{(OUTPUT_WIDTH-INDEX_WIDTH){1'b0}}, queued};
        end else begin : fitting
            assign m_axis_tdata = queued[OUTPUT_WIDTH-1:0];
        end
    endgenerate
endmodule
