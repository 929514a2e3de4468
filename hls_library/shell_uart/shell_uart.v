// shell_uart: between a serial line and the AXI4-Streams of an accelerator.
//
// The host sends the words of frames as bytes, each word padded to whole bytes, lowest byte first, and gets the output words
// back in the same form; link_decoder describes the escapes around them. The line has no flow control: the host must not have
// more than 2**BUFFER_ADDRESS_BITS bytes of frames on the way whose outputs have not come back.
//
// Reset command: everything here and the accelerator is reset, whatever state a host left it in, and the reply is sent:
//                kind 0x02, the four bytes of IDENTIFIER, one byte 0x01 (version of this protocol).
// Status command: reply of kind 0x03: CRC-16 of the payload received and CRC-16 of the payload sent since the last reset, low
//                byte first, then flags: bit 0 buffer overflow, bit 1 illegal escape. Ask when all outputs have come.
module shell_uart #(
    parameter [15:0] DIVISOR = 16'd50,
    parameter INPUT_WIDTH = 8,
    parameter OUTPUT_WIDTH = 8,
    parameter BUFFER_ADDRESS_BITS = 11,
    parameter [31:0] IDENTIFIER = 32'h0
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire serial_in,
    output wire serial_out,
    output wire accelerator_aresetn,
    output wire [INPUT_WIDTH - 1:0] m_axis_tdata,
    output wire m_axis_tvalid,
    input  wire m_axis_tready,
    input  wire [OUTPUT_WIDTH - 1:0] s_axis_tdata,
    input  wire s_axis_tvalid,
    output wire s_axis_tready,
    output wire receiving,
    output wire sending,
    output wire fault
);
    wire [7:0] received;
    wire received_valid;
    wire [7:0] payload;
    wire payload_valid;
    wire reset_command;
    wire status_command;
    wire illegal_escape;

    uart_receiver #(.DIVISOR(DIVISOR)) receiver (
        .aclk(aclk),
        .aresetn(aresetn),
        .serial(serial_in),
        .byte_data(received),
        .byte_valid(received_valid)
    );

    link_decoder decoder (
        .aclk(aclk),
        .aresetn(aresetn),
        .byte_data(received),
        .byte_valid(received_valid),
        .payload(payload),
        .payload_valid(payload_valid),
        .reset_command(reset_command),
        .status_command(status_command),
        .error(illegal_escape)
    );

    // A reset command holds the rest in reset for 16 cycles, less than a byte takes; the line's own state goes on.
    reg [3:0] reset_countdown;
    reg link_aresetn;
    always @(posedge aclk) begin
        link_aresetn <= reset_countdown == 4'd0;
        if (reset_countdown != 4'd0) reset_countdown <= reset_countdown - 4'd1;
        if (!aresetn || reset_command) begin
            reset_countdown <= 4'd15;
            link_aresetn <= 1'b0;
        end
    end
    assign accelerator_aresetn = link_aresetn;

    wire overflow;
    wire [7:0] buffered;
    wire buffered_valid;
    wire buffered_ready;

    byte_fifo #(.ADDRESS_BITS(BUFFER_ADDRESS_BITS)) buffer (
        .aclk(aclk),
        .aresetn(link_aresetn),
        .in_data(payload),
        .in_valid(payload_valid),
        .overflow(overflow),
        .out_data(buffered),
        .out_valid(buffered_valid),
        .out_ready(buffered_ready)
    );

    bytes_to_words #(.WIDTH(INPUT_WIDTH)) input_words (
        .aclk(aclk),
        .aresetn(link_aresetn),
        .byte_data(buffered),
        .byte_valid(buffered_valid),
        .byte_ready(buffered_ready),
        .m_axis_tdata(m_axis_tdata),
        .m_axis_tvalid(m_axis_tvalid),
        .m_axis_tready(m_axis_tready)
    );

    wire [7:0] result;
    wire result_valid;
    wire result_ready;

    words_to_bytes #(.WIDTH(OUTPUT_WIDTH)) output_bytes (
        .aclk(aclk),
        .aresetn(link_aresetn),
        .s_axis_tdata(s_axis_tdata),
        .s_axis_tvalid(s_axis_tvalid),
        .s_axis_tready(s_axis_tready),
        .byte_data(result),
        .byte_valid(result_valid),
        .byte_ready(result_ready)
    );

    wire [15:0] received_checksum;
    wire [15:0] sent_checksum;

    link_checksum received_check (
        .aclk(aclk),
        .aresetn(link_aresetn),
        .byte_data(payload),
        .byte_valid(payload_valid),
        .checksum(received_checksum)
    );

    link_checksum sent_check (
        .aclk(aclk),
        .aresetn(link_aresetn),
        .byte_data(result),
        .byte_valid(result_valid && result_ready),
        .checksum(sent_checksum)
    );

    reg [1:0] flags;
    always @(posedge aclk) begin
        flags <= flags | {illegal_escape, overflow};
        if (!link_aresetn) flags <= 2'b00;
    end

    // One reply waits at most: the host asks for the next when it has the last.
    reg hello_pending;
    reg status_pending;
    wire reply_ready;
    always @(posedge aclk) begin
        if (reply_ready) begin
            hello_pending <= 1'b0;
            if (!hello_pending) status_pending <= 1'b0;
        end
        if (status_command) status_pending <= 1'b1;
        if (!link_aresetn) begin
            hello_pending <= 1'b1;
            status_pending <= 1'b0;
        end
    end

    wire [7:0] to_send;
    wire to_send_valid;
    wire to_send_ready;

    link_encoder #(.REPLY_BYTES(5)) encoder (
        .aclk(aclk),
        .aresetn(link_aresetn),
        .payload(result),
        .payload_valid(result_valid),
        .payload_ready(result_ready),
        .reply_kind(hello_pending ? 8'h02 : 8'h03),
        .reply_data(hello_pending ? {8'h01, IDENTIFIER} : {6'd0, flags, sent_checksum, received_checksum}),
        .reply_valid(hello_pending || status_pending),
        .reply_ready(reply_ready),
        .byte_data(to_send),
        .byte_valid(to_send_valid),
        .byte_ready(to_send_ready)
    );

    uart_transmitter #(.DIVISOR(DIVISOR)) transmitter (
        .aclk(aclk),
        .aresetn(aresetn),
        .byte_data(to_send),
        .byte_valid(to_send_valid),
        .byte_ready(to_send_ready),
        .serial(serial_out)
    );

    assign receiving = payload_valid;
    assign sending = to_send_valid;
    assign fault = flags != 2'b00;
endmodule
