// How the elements of a word are encoded, as tags for the kernels' templates.
//
// Unsigned<W> and Signed<W> (two's complement; TERNARY is Signed<2>) are read as they stand; Bipolar is one bit, 0 for -1
// and 1 for +1. Elements are packed without gaps, element 0 in the least significant bits.

#ifndef FINNMAKE_DATATYPES_HPP
#define FINNMAKE_DATATYPES_HPP

#include "ap_int.h"

namespace finnmake {

template <int Width>
struct Unsigned {
    static constexpr int width = Width;
    using Value = ap_uint<Width>;
    static Value decode(const ap_uint<Width>& bits) { return bits; }
};

template <int Width>
struct Signed {
    static constexpr int width = Width;
    using Value = ap_int<Width>;
    static Value decode(const ap_uint<Width>& bits) { return Value(bits); }
};

struct Bipolar {
    static constexpr int width = 1;
    using Value = ap_int<2>;
    static Value decode(const ap_uint<1>& bits) { return bits == 1 ? Value(1) : Value(-1); }
};

// Element `index` of a word, undecoded.
template <int Width, int WordWidth>
ap_uint<Width> bits_of(const ap_uint<WordWidth>& word, int index) {
#pragma HLS inline
    return ap_uint<Width>(word.range((index + 1) * Width - 1, index * Width));
}

// Element `index` of a word, decoded.
template <typename Type, int WordWidth>
typename Type::Value element(const ap_uint<WordWidth>& word, int index) {
#pragma HLS inline
    return Type::decode(bits_of<Type::width>(word, index));
}

}  // namespace finnmake

#endif
