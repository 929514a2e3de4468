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
#include "hls_stream.h"

#define FINNMAKE_PRAGMA(...) _Pragma(#__VA_ARGS__)
#if defined(__BAMBU__)
// It does not pipeline: loops are written for few states an iteration instead.
#define FINNMAKE_BASIC_BLOCKS
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

// Bits of a number from 0 to `largest`.
constexpr int bits_of_count(int largest) {
    int bits = 0;
    for (; largest > 0; largest /= 2) ++bits;
    return bits;
}

// The number that holds a chunk of Bits bits of a memory word.
template <int Bits>
using Chunk = std::conditional_t<
    Bits <= 8, std::uint8_t,
    std::conditional_t<Bits <= 16, std::uint16_t, std::conditional_t<Bits <= 32, std::uint32_t, std::uint64_t>>>;

// A word of Width bits where it moves through a stream, stays in an array or is put together. Bambu keeps numbers of its own
// types in memories on the way from and to a stream, and of some widths, 33 and 66 among them, it loses the highest bits
// there; and cut to more than 64 bits, a number is cut to the remainder of that by 64. Machine words stay in registers; wider
// words are whole multiples of 64 bits, which stay complete, and are never cut.
#if defined(__BAMBU__)
template <int Width>
using Word = std::conditional_t<(Width <= 64), Chunk<Width>, ap_uint<(Width + 63) / 64 * 64>>;
#else
template <int Width>
using Word = ap_uint<Width>;
#endif

// A stream of words of Width bits.
template <int Width>
using Stream = hls::stream<Word<Width>>;

// Bits of element `index` of a word, elements of Width bits. Bambu's types shift with less logic than they take ranges, and do
// not compile an assignment to a range in C++17.
#if defined(__BAMBU__)
template <int Width, typename Bits>
FINNMAKE_INLINE ap_uint<Width> bits_of(const Bits& word, int index) {
    return ap_uint<Width>(word >> (index * Width));
}
#else
template <int Width, int WordWidth>
FINNMAKE_INLINE ap_uint<Width> bits_of(const ap_uint<WordWidth>& word, int index) {
    FINNMAKE_HLS(inline)
    return ap_uint<Width>(word.range((index + 1) * Width - 1, index * Width));
}
#endif

// Puts the bits of element `index` into a word whose bits were zero there.
#if defined(__BAMBU__)
template <int Width, typename Bits>
FINNMAKE_INLINE void put_bits(Bits& word, int index, const ap_uint<Width>& bits) {
    if constexpr (std::is_integral_v<Bits>) {
        word = static_cast<Bits>(word | static_cast<Bits>(bits.to_uint64()) << (index * Width));
    } else {
        word = word | (Bits(bits) << (index * Width));
    }
}
#else
template <int Width, int WordWidth>
FINNMAKE_INLINE void put_bits(ap_uint<WordWidth>& word, int index, const ap_uint<Width>& bits) {
    FINNMAKE_HLS(inline)
    word.range((index + 1) * Width - 1, index * Width) = bits;
}
#endif

// Element `index` of a number as a word, elements of Width bits, any number of them.
template <int Width, typename Bits>
FINNMAKE_INLINE Word<Width> word_at(const Bits& number, int index) {
    FINNMAKE_HLS(inline)
#if defined(__BAMBU__)
    if constexpr (Width <= 64) {
        return static_cast<Word<Width>>(bits_of<Width>(number, index).to_uint64());
    } else if constexpr (std::is_same_v<Word<Width>, Bits>) {
        return number;
    } else {
        constexpr int pieces = (Width + 31) / 32;
        constexpr std::uint32_t last = ~std::uint32_t{0} >> (32 * pieces - Width);
        const Bits shifted = number >> (index * Width);
        Word<Width> word = 0;
        FINNMAKE_UNROLLED(pieces)
        for (int i = 0; i < pieces; ++i) {
            // Turned round and back: else the compiler puts the pieces together to one cut.
            const std::uint32_t turned = __builtin_rotateleft32(bits_of<32>(shifted, i).to_uint(), 8);
            const std::uint32_t piece = __builtin_rotateleft32(turned, 24);
            put_bits<32>(word, i, ap_uint<32>(i == pieces - 1 ? piece & last : piece));
        }
        return word;
    }
#else
    return Word<Width>(bits_of<Width>(number, index));
#endif
}

// Puts a word as element `index` into a number whose bits were zero there.
template <int Width, typename Bits>
FINNMAKE_INLINE void put_word(Bits& number, int index, const Word<Width>& word) {
    FINNMAKE_HLS(inline)
#if defined(__BAMBU__)
    number = static_cast<Bits>(number | static_cast<Bits>(static_cast<Bits>(word) << (index * Width)));
#else
    put_bits<Width>(number, index, word);
#endif
}

// A word of Width bits in chunks of Bits bits, the least significant first.
template <int Width, int Bits>
struct Chunks {
    static constexpr int count = (Width + Bits - 1) / Bits;

    Chunk<(Width < Bits ? Width : Bits)> chunk[count];

    FINNMAKE_INLINE operator Word<Width>() const {
        FINNMAKE_HLS(inline)
        Word<count * Bits> word = 0;
        FINNMAKE_UNROLLED(count)
        for (int i = 0; i < count; ++i) {
            FINNMAKE_HLS(unroll)
            put_bits<Bits>(word, i, ap_uint<Bits>(chunk[i]));
        }
        return static_cast<Word<Width>>(word);
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
