// For Bambu, whose loops cost their states per iteration: what an iteration needs of memories is in registers when it begins.

#ifndef FINNMAKE_READ_AHEAD_HPP
#define FINNMAKE_READ_AHEAD_HPP

#include <type_traits>

#include "ap_int.h"
#include "streamed_weights.hpp"
#include "synthesis.hpp"

namespace finnmake {

// A memory of Depth words that is read in order, again and again, one word ahead.
template <int Depth, typename Memory>
struct ReadAhead {
    const Memory& memory;
    std::decay_t<decltype(memory[0])> word;
    unsigned address;

    FINNMAKE_INLINE explicit ReadAhead(const Memory& from) : memory(from), word(from[0]), address(0) {}

    FINNMAKE_INLINE auto next() {
        const auto now = word;
        address = address == Depth - 1 ? 0 : address + 1;
        word = memory[address];
        return now;
    }
};

// A stream: a word read ahead at the end would be missing in the next call.
template <int Depth, int Width>
struct ReadAhead<Depth, StreamedWeights<Width>> {
    const StreamedWeights<Width>& words;

    FINNMAKE_INLINE explicit ReadAhead(const StreamedWeights<Width>& from) : words(from) {}

    FINNMAKE_INLINE auto next() { return words[0]; }
};

// Count words of Width bits that are used in the order in which they came, again and again. Up to 1024 bits lie in
// registers and move on by a place with every use; more lie in a memory.
template <int Count, int Width>
struct RepeatedWords {
    static constexpr bool rotates = Count * Width <= 1024;

    Word<Width> words[Count];

    FINNMAKE_INLINE void put(int index, const Word<Width>& word) {
        if constexpr (rotates) {
            FINNMAKE_UNROLLED(Count)
            for (int i = 0; i + 1 < Count; ++i) words[i] = words[i + 1];
            words[Count - 1] = word;
        } else {
            words[index] = word;
        }
    }

    FINNMAKE_INLINE Word<Width> next(int index) {
        if constexpr (rotates) {
            const Word<Width> word = words[0];
            put(index, word);
            return word;
        } else {
            return words[index];
        }
    }
};

}  // namespace finnmake

#endif
