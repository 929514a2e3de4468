// What stream_driver.cpp moves words through: one object for each AXI4-Stream port, alive for one run.

#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "model.hpp"

namespace finnmake {

// xorshift64*: the same stalls on every machine.
class Random {
    std::uint64_t state;

  public:
    explicit Random(std::uint64_t seed) : state(seed * 0x9E3779B97F4A7C15u + 0xD1B54A32D192ED03u) {
        if (state == 0) state = 1;
    }
    bool below(std::uint64_t threshold) {  // true with probability threshold / 2^32
        if (threshold == 0) return false;
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return ((state * 0x2545F4914F6CDD1Du) >> 32) < threshold;
    }
};

// Mirrored by finnmake.runtime.rtlsim.
struct Words {
    std::uint8_t* bytes;
    std::int64_t* cycles;
    std::uint64_t count;
    std::uint64_t moved;
};

class Stream {
    Random random;
    std::uint64_t stall;

  protected:
    StreamPort port;
    std::size_t bytes;  // of a word
    Words& words;
    bool taken = false;

    bool may_move_now(bool may_move) { return !finished() && may_move && !random.below(stall); }

  public:
    Stream(const StreamPort& of, Words& list, std::uint64_t seed, std::uint64_t threshold)
        : random(seed), stall(threshold), port(of), bytes((of.width + 7) / 8), words(list) {
        words.moved = 0;
    }
    bool finished() const { return words.moved == words.count; }
    // Whether a word moves is known before the edge, which changes the core's outputs.
    void note() { taken = *port.tvalid != 0 && *port.tready != 0; }
    bool is_taken() const { return taken; }
};

// Offers words; one that was offered stays until it is taken.
class Source : public Stream {
    void write(const std::uint8_t* word) {
        auto* const target = static_cast<std::uint8_t*>(port.tdata);
        std::memset(target, 0, finnmake_port::bytes_of(port.width));
        std::memcpy(target, word, bytes);
        if (port.width % 8 != 0) target[port.width / 8] &= (1u << (port.width % 8)) - 1u;
    }

  public:
    Source(const StreamPort& of, Words& input, std::uint64_t seed, std::uint64_t threshold)
        : Stream(of, input, seed, threshold) {
        *port.tvalid = 0;
    }
    void before_edge(bool may_move) {
        if (*port.tvalid == 0 && may_move_now(may_move)) {
            *port.tvalid = 1;
            write(words.bytes + words.moved * bytes);
        }
    }
    void take(std::uint64_t cycle) {
        words.cycles[words.moved++] = static_cast<std::int64_t>(cycle);
        *port.tvalid = 0;
    }
};

// Takes words until all have come; looks that none is taken back.
class Sink : public Stream {
    std::vector<std::uint8_t> word, held_word;
    bool held = false;  // a word was offered and not taken: it must stay

  public:
    Sink(const StreamPort& of, Words& output, std::uint64_t seed, std::uint64_t threshold)
        : Stream(of, output, seed, threshold), word(bytes), held_word(bytes) {
        *port.tready = 0;
    }
    void before_edge(bool may_move) { *port.tready = may_move_now(may_move); }
    // What is wrong with what the core offers; nullptr: nothing.
    const char* look() {
        const bool is_valid = *port.tvalid != 0;
        if (is_valid) std::memcpy(word.data(), port.tdata, bytes);
        if (held && (!is_valid || std::memcmp(word.data(), held_word.data(), bytes) != 0))
            return is_valid ? "tdata changed" : "tvalid fell";
        held = is_valid && *port.tready == 0;
        if (held) std::memcpy(held_word.data(), word.data(), bytes);
        return nullptr;
    }
    const char* port_name() const { return port.name; }
    bool is_surplus() const { return *port.tvalid != 0 && finished(); }
    void take(std::uint64_t cycle) {
        std::memcpy(words.bytes + words.moved * bytes, word.data(), bytes);
        words.cycles[words.moved++] = static_cast<std::int64_t>(cycle);
    }
};

// Their stalls are independent of each other.
class Seeds {
    std::uint64_t seed;

  public:
    explicit Seeds(std::uint64_t first) : seed(first) {}
    std::uint64_t next() { return seed += std::uint64_t{1} << 32; }
};

// A source or a sink for each port.
template <typename Each>
std::vector<Each> streams(const std::vector<StreamPort>& ports, Words* words, Seeds seeds, std::uint64_t stall) {
    std::vector<Each> made;
    for (const StreamPort& port : ports) made.emplace_back(port, *words++, seeds.next(), stall);
    return made;
}

}  // namespace finnmake
