// Sum, difference or product of every element and its partner, exact; the partner is the element at the same place of a second
// stream, or that of a memory with one word for each of Folds words.

#ifndef FINNMAKE_ELEMENTWISE_BINARY_HPP
#define FINNMAKE_ELEMENTWISE_BINARY_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"

// Operation: 0 is lhs + rhs, 1 is lhs - rhs, 2 is lhs * rhs.
template <int Operation, int PE, typename Lhs, typename Rhs, int OutputWidth, typename RhsWord>
FINNMAKE_INLINE
finnmake::Word<PE * OutputWidth> elementwise_binary_word(const finnmake::Word<PE * Lhs::width>& lhs, const RhsWord& rhs) {
    FINNMAKE_HLS(inline)
    finnmake::Word<PE * OutputWidth> results = 0;
    FINNMAKE_UNROLLED(PE)
    for (int pe = 0; pe < PE; ++pe) {
        FINNMAKE_HLS(unroll)
        const ap_int<Lhs::width + 1> a = finnmake::element<Lhs>(lhs, pe);
        const ap_int<Rhs::width + 1> b = finnmake::element<Rhs>(rhs, pe);
        const ap_int<OutputWidth + 1> result = Operation == 0 ? ap_int<OutputWidth + 1>(a + b)
                                               : Operation == 1 ? ap_int<OutputWidth + 1>(a - b)
                                                                : ap_int<OutputWidth + 1>(a * b);
        finnmake::put_bits<OutputWidth>(results, pe, ap_uint<OutputWidth>(result));
    }
    return results;
}

template <int Operation, int PE, int Folds, int Vectors, typename Lhs, typename Rhs, int OutputWidth>
FINNMAKE_INLINE
void elementwise_binary(finnmake::Stream<PE * Lhs::width>& in0, finnmake::Stream<PE * Rhs::width>& in1,
                        finnmake::Stream<PE * OutputWidth>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    FINNMAKE_ROLLED
    for (unsigned word = 0; word < frames * Vectors * Folds; ++word) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<PE * Lhs::width> lhs = in0.read();
        const finnmake::Word<PE * Rhs::width> rhs = in1.read();
        out.write(elementwise_binary_word<Operation, PE, Lhs, Rhs, OutputWidth>(lhs, rhs));
    }
}

template <int Operation, int PE, int Folds, int Vectors, typename Lhs, typename Rhs, int OutputWidth>
FINNMAKE_INLINE
void elementwise_binary(finnmake::Stream<PE * Lhs::width>& in, finnmake::Stream<PE * OutputWidth>& out,
                        const finnmake::Memory<PE * Rhs::width>& rhs, unsigned frames) {
    FINNMAKE_HLS(inline)
    int fold = 0;
    FINNMAKE_ROLLED
    for (unsigned word = 0; word < frames * Vectors * Folds; ++word) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<PE * Lhs::width> lhs = in.read();
        out.write(elementwise_binary_word<Operation, PE, Lhs, Rhs, OutputWidth>(lhs, rhs[fold]));
        fold = fold == Folds - 1 ? 0 : fold + 1;
    }
}

#endif
