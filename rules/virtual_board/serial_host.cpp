// The other end of a virtual board's serial line: bytes of standard input go out bit by bit, bits that come in go to
// standard output as bytes. Included after the Verilated model; CLOCK, SERIAL_IN, SERIAL_OUT and DIVISOR are defined there.
//
// Simulated time stands still while nothing has moved on the line for a while: then the program waits for input.

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "Vboard.h"

namespace {

// Cycles without anything on the line after which the accelerator counts as idle.
constexpr std::uint64_t idle_cycles = 200000;

// Bytes to bits, one start bit, one stop bit.
class Sender {
public:
    bool idle() const { return remaining_ == 0 && countdown_ == 0; }

    void send(unsigned char byte) {
        bits_ = (static_cast<unsigned>(byte) << 1) | 0x200u;
        remaining_ = 10;
        countdown_ = 0;
    }

    // The level of the line in this cycle.
    bool step() {
        if (countdown_ > 0) {
            --countdown_;
        } else if (remaining_ > 0) {
            level_ = bits_ & 1u;
            bits_ >>= 1;
            --remaining_;
            countdown_ = DIVISOR - 1;
        } else {
            level_ = true;
        }
        return level_;
    }

private:
    unsigned bits_ = 0;
    int remaining_ = 0;
    int countdown_ = 0;
    bool level_ = true;
};

// Bits to bytes. Returns true in the cycle in which a byte is complete.
class Receiver {
public:
    bool step(bool level, unsigned char& byte) {
        if (position_ < 0) {
            if (!level) {
                position_ = 0;
                countdown_ = DIVISOR / 2;
            }
            return false;
        }
        if (--countdown_ > 0) return false;
        countdown_ = DIVISOR;
        if (position_ == 9) {
            position_ = -1;
            byte = static_cast<unsigned char>(bits_ >> 1);
            return true;
        }
        bits_ = (bits_ & ((1u << position_) - 1u)) | (static_cast<unsigned>(level) << position_);
        ++position_;
        return false;
    }

    bool idle() const { return position_ < 0; }

private:
    unsigned bits_ = 0;
    int position_ = -1;
    int countdown_ = 0;
};

[[noreturn]] void stop(const char* what) {
    std::fprintf(stderr, "virtual board: %s\n", what);
    std::exit(1);
}

// Takes what standard input has, waiting for it where `wait` says so. False at its end.
bool read_input(std::vector<unsigned char>& buffer, bool wait) {
    pollfd descriptor = {STDIN_FILENO, POLLIN, 0};
    if (poll(&descriptor, 1, wait ? -1 : 0) <= 0) return true;
    unsigned char bytes[4096];
    const ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (count <= 0) return false;
    buffer.insert(buffer.end(), bytes, bytes + count);
    return true;
}

}  // namespace

// What the runtime calls; it is compiled without its own versions of these.
void vl_finish(const char*, int, const char*) { stop("$finish"); }
void vl_stop(const char*, int, const char*) { stop("$stop"); }
void vl_fatal(const char*, int, const char*, const char* message) { stop(message); }
void vl_warn(const char*, int, const char*, const char* message) { stop(message); }

int main() {
    VerilatedContext context;
    context.randReset(2);
    context.randSeed(1);
    Vboard board(&context);
    Sender sender;
    Receiver receiver;
    std::vector<unsigned char> input;
    std::size_t taken = 0;
    std::uint64_t quiet = 0;
    for (std::uint64_t cycle = 0;; ++cycle) {
        if (sender.idle()) {
            if (taken == input.size()) {
                input.clear();
                taken = 0;
                const bool wait = quiet > idle_cycles;
                // A system call a cycle would cost more than the simulation.
                if ((wait || cycle % DIVISOR == 0) && !read_input(input, wait)) break;
            }
            if (taken < input.size()) sender.send(input[taken++]);
        }
        board.SERIAL_IN = sender.step();
        board.CLOCK = 0;
        board.eval();
        board.CLOCK = 1;
        board.eval();
        quiet = sender.idle() && receiver.idle() ? quiet + 1 : 0;
        unsigned char byte;
        if (receiver.step(board.SERIAL_OUT, byte) && write(STDOUT_FILENO, &byte, 1) != 1) break;
    }
    board.final();
    return 0;
}
