// What stream_driver.cpp moves words through: one object for each AXI4-Stream port, alive for one run.

#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <vector>

#include "verilated.h"

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

// A stream's tdata of any width. The compiler knows that of a core.
template <int Width, typename Port>
struct CoreData {
    using Word = std::array<std::uint8_t, (Width + 7) / 8>;
    static constexpr std::size_t width = Width, size = sizeof(Port);
    Port* port;
    static Word word() { return {}; }
};
struct LinkedData {
    using Word = std::vector<std::uint8_t>;
    std::size_t width, size;
    void* port;
    Word word() const { return Word((width + 7) / 8); }
};

template <typename Data>
class Stream {
    Random random;
    std::uint64_t stall;

  protected:
    Data tdata;
    Words& words;
    bool taken = false;

    std::size_t bytes() const { return (tdata.width + 7) / 8; }
    bool may_move_now(bool may_move) { return !finished() && may_move && !random.below(stall); }

  public:
    Stream(Data data, Words& list, std::uint64_t seed, std::uint64_t threshold)
        : random(seed), stall(threshold), tdata(data), words(list) {
        words.moved = 0;
    }
    bool finished() const { return words.moved == words.count; }
    bool is_taken() const { return taken; }
};

// Offers words; one that was offered stays until it is taken.
template <typename Data>
class Source : public Stream<Data> {
    CData& tvalid;
    const CData& tready;

    void write(const std::uint8_t* word) {
        const std::size_t width = this->tdata.width;
        auto* const target = reinterpret_cast<std::uint8_t*>(this->tdata.port);
        std::memset(target, 0, this->tdata.size);
        std::memcpy(target, word, this->bytes());
        if (width % 8 != 0) target[width / 8] &= (1u << (width % 8)) - 1u;
    }

  public:
    Source(Data data, CData& valid, const CData& ready, Words& input, std::uint64_t seed, std::uint64_t threshold)
        : Stream<Data>(data, input, seed, threshold), tvalid(valid), tready(ready) {
        tvalid = 0;
    }
    void before_edge(bool may_move) {
        if (tvalid == 0 && this->may_move_now(may_move)) {
            tvalid = 1;
            write(this->words.bytes + this->words.moved * this->bytes());
        }
    }
    // Whether a word moves is known before the edge, which changes the core's outputs.
    void note() { this->taken = tvalid != 0 && tready != 0; }
    void take(std::uint64_t cycle) {
        this->words.cycles[this->words.moved++] = static_cast<std::int64_t>(cycle);
        tvalid = 0;
    }
};

// Takes words until all have come; looks that none is taken back.
template <typename Data>
class Sink : public Stream<Data> {
    const char* name;
    const CData& tvalid;
    CData& tready;
    typename Data::Word word, held_word;
    bool held = false;  // a word was offered and not taken: it must stay

  public:
    Sink(const char* port, Data data, const CData& valid, CData& ready, Words& output, std::uint64_t seed,
         std::uint64_t threshold)
        : Stream<Data>(data, output, seed, threshold), name(port), tvalid(valid), tready(ready), word(data.word()),
          held_word(data.word()) {
        tready = 0;
    }
    void before_edge(bool may_move) { tready = this->may_move_now(may_move); }
    // What is wrong with what the core offers; nullptr: nothing.
    const char* look() {
        if (tvalid != 0) std::memcpy(word.data(), this->tdata.port, this->bytes());
        if (held && (tvalid == 0 || std::memcmp(word.data(), held_word.data(), this->bytes()) != 0))
            return tvalid != 0 ? "tdata changed" : "tvalid fell";
        held = tvalid != 0 && tready == 0;
        if (held) held_word = word;
        return nullptr;
    }
    const char* port_name() const { return name; }
    bool is_surplus() const { return tvalid != 0 && this->finished(); }
    void note() { this->taken = tvalid != 0 && tready != 0; }
    void take(std::uint64_t cycle) {
        std::memcpy(this->words.bytes + this->words.moved * this->bytes(), word.data(), this->bytes());
        this->words.cycles[this->words.moved++] = static_cast<std::int64_t>(cycle);
    }
};

// The streams of a core are of different types, those of a linked design as many as it has.
template <typename... Streams, typename Function>
void for_each(std::tuple<Streams...>& streams, Function function) {
    std::apply([&](auto&... each) { (function(each), ...); }, streams);
}
template <typename Each, typename Function>
void for_each(std::vector<Each>& streams, Function function) {
    for (Each& each : streams) function(each);
}

// Their stalls are independent of each other.
class Seeds {
    std::uint64_t seed;

  public:
    explicit Seeds(std::uint64_t first) : seed(first) {}
    std::uint64_t next() { return seed += std::uint64_t{1} << 32; }
};

}  // namespace finnmake
