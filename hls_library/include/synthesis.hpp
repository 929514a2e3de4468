// What the HLS tools want said in different words: pragmas, and memories of constants.
//
// Vitis HLS takes its pragmas inside of what they are about. Bambu ties a pragma inside of a template to whatever function
// comes next in the file, and refuses one that no function follows and `pipeline` in a loop: there it sees none of them;
// loops that must be unrolled are marked for its compiler, clang, in front. A plain compiler passes over all of them.
//
//   FINNMAKE_HLS(pipeline II = 1)     #pragma HLS pipeline II = 1, for Vitis HLS
//   FINNMAKE_UNROLLED(count)          in front of a loop of `count` iterations whose body begins with FINNMAKE_HLS(unroll), for
//                                     Bambu
//   FINNMAKE_ROLLED                   in front of every other loop, for Bambu: of several reads of a stream in one basic
//                                     block it makes wrong hardware, and unrolling would put them there
//   FINNMAKE_INLINE                   in front of a function that becomes part of its caller

#ifndef FINNMAKE_SYNTHESIS_HPP
#define FINNMAKE_SYNTHESIS_HPP

#include <cstdint>
#include <type_traits>

#include "ap_int.h"

#define FINNMAKE_PRAGMA(...) _Pragma(#__VA_ARGS__)
#if defined(__BAMBU__)
#define FINNMAKE_HLS(...)
#define FINNMAKE_UNROLLED(...) FINNMAKE_PRAGMA(clang loop unroll_count(__VA_ARGS__))
#define FINNMAKE_ROLLED FINNMAKE_PRAGMA(clang loop unroll(disable))
#define FINNMAKE_INLINE __attribute__((always_inline)) inline
#else
#define FINNMAKE_HLS(...) FINNMAKE_PRAGMA(HLS __VA_ARGS__)
#define FINNMAKE_UNROLLED(...)
#define FINNMAKE_ROLLED
#define FINNMAKE_INLINE inline
#endif

namespace finnmake {

// Bits of element `index` of a word, elements of Width bits. Bambu's types shift with less logic than they take ranges, and do
// not compile an assignment to a range in C++17.
template <int Width, int WordWidth>
FINNMAKE_INLINE ap_uint<Width> bits_of(const ap_uint<WordWidth>& word, int index) {
    FINNMAKE_HLS(inline)
#if defined(__BAMBU__)
    return ap_uint<Width>(word >> (index * Width));
#else
    return ap_uint<Width>(word.range((index + 1) * Width - 1, index * Width));
#endif
}

// Puts the bits of element `index` into a word whose bits were zero there.
template <int Width, int WordWidth>
FINNMAKE_INLINE void put_bits(ap_uint<WordWidth>& word, int index, const ap_uint<Width>& bits) {
    FINNMAKE_HLS(inline)
#if defined(__BAMBU__)
    word = word | (ap_uint<WordWidth>(bits) << (index * Width));
#else
    word.range((index + 1) * Width - 1, index * Width) = bits;
#endif
}

// The number that holds a chunk of Bits bits of a memory word.
template <int Bits>
using Chunk = std::conditional_t<
    Bits <= 8, std::uint8_t,
    std::conditional_t<Bits <= 16, std::uint16_t, std::conditional_t<Bits <= 32, std::uint32_t, std::uint64_t>>>;

// A word of Width bits in chunks of Bits bits, the least significant first.
template <int Width, int Bits>
struct Chunks {
    static constexpr int count = (Width + Bits - 1) / Bits;

    Chunk<(Width < Bits ? Width : Bits)> chunk[count];

    FINNMAKE_INLINE operator ap_uint<Width>() const {
        FINNMAKE_HLS(inline)
        ap_uint<count * Bits> word = 0;
        FINNMAKE_UNROLLED(count)
        for (int i = 0; i < count; ++i) {
            FINNMAKE_HLS(unroll)
            put_bits<Bits>(word, i, ap_uint<Bits>(chunk[i]));
        }
        return ap_uint<Width>(word);
    }
};

// A memory of constants, words of Width bits. Each chunk of Bits bits has an array of its own: what is read at the same time
// lies in different memories, and a word of any width is made of numbers that every compiler takes as constants.
template <int Width, int Bits>
struct Rom {
    using Number = Chunk<(Width < Bits ? Width : Bits)>;

    const Number* arrays[Chunks<Width, Bits>::count];

    FINNMAKE_INLINE Chunks<Width, Bits> operator[](unsigned address) const {
        FINNMAKE_HLS(inline)
        Chunks<Width, Bits> word;
        FINNMAKE_UNROLLED(Chunks<Width, Bits>::count)
        for (int i = 0; i < Chunks<Width, Bits>::count; ++i) {
            FINNMAKE_HLS(unroll)
            word.chunk[i] = arrays[i][address];
        }
        return word;
    }
};

// How kernels take a memory. Bits: of a chunk; an element's where each element of a word has an address of its own.
#if defined(FINNMAKE_SIMULATION)
template <int Width, int Bits = 32>
using Memory = const ap_uint<Width>*;
#else
template <int Width, int Bits = 32>
using Memory = Rom<Width, Bits>;
#endif

// Bits of element `index` of a word of a memory, elements of Width bits.
template <int Width, int WordWidth>
FINNMAKE_INLINE ap_uint<Width> bits_of(const Chunks<WordWidth, 32>& word, int index) {
    FINNMAKE_HLS(inline)
    static_assert(Width <= 64, "an element has at most 64 bits");
    const int low = index * Width, first = low / 32, offset = low % 32;
    std::uint64_t bits = static_cast<std::uint64_t>(word.chunk[first]) >> offset;
    if (offset + Width > 32) bits |= static_cast<std::uint64_t>(word.chunk[first + 1]) << (32 - offset);
    if (offset + Width > 64) bits |= static_cast<std::uint64_t>(word.chunk[first + 2]) << (64 - offset);
    return ap_uint<Width>(bits);
}

// Bits of element `index` of the word at `address`; nothing else of the word is read where elements have addresses of their
// own.
template <int Width, int WordWidth>
FINNMAKE_INLINE ap_uint<Width> bits_at(const ap_uint<WordWidth>* memory, unsigned address, int index) {
    FINNMAKE_HLS(inline)
    return bits_of<Width>(memory[address], index);
}

template <int Width, int WordWidth>
FINNMAKE_INLINE ap_uint<Width> bits_at(const Rom<WordWidth, Width>& memory, unsigned address, int index) {
    FINNMAKE_HLS(inline)
    return ap_uint<Width>(memory.arrays[index][address]);
}

}  // namespace finnmake

#endif
