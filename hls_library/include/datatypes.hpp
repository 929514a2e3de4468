// How the elements of a word are encoded, as tags for the kernels' templates.
//
// Unsigned<W> and Signed<W> (two's complement; TERNARY is Signed<2>) are read as they stand; Bipolar is one bit, 0 for -1
// and 1 for +1. Elements are packed without gaps, element 0 in the least significant bits.

#ifndef FINNMAKE_DATATYPES_HPP
#define FINNMAKE_DATATYPES_HPP

#include "ap_int.h"
#include "synthesis.hpp"

namespace finnmake {

template <int Width>
struct Unsigned {
    static constexpr int width = Width;
    using Value = ap_uint<Width>;
    FINNMAKE_INLINE static Value decode(const ap_uint<Width>& bits) { return bits; }
    FINNMAKE_INLINE static Value smallest() { return Value(0); }
};

template <int Width>
struct Signed {
    static constexpr int width = Width;
    using Value = ap_int<Width>;
    FINNMAKE_INLINE static Value decode(const ap_uint<Width>& bits) { return Value(bits); }
    FINNMAKE_INLINE static Value smallest() { return Value(ap_uint<Width>(ap_uint<Width>(1) << (Width - 1))); }
};

struct Bipolar {
    static constexpr int width = 1;
    using Value = ap_int<2>;
    FINNMAKE_INLINE static Value decode(const ap_uint<1>& bits) { return bits == 1 ? Value(1) : Value(-1); }
};

// Element `index` of a word, decoded.
template <typename Type, typename Word>
FINNMAKE_INLINE typename Type::Value element(const Word& word, int index) {
    FINNMAKE_HLS(inline)
    return Type::decode(bits_of<Type::width>(word, index));
}

}  // namespace finnmake

#endif
