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
ap_uint<PE * OutputWidth> elementwise_binary_word(const ap_uint<PE * Lhs::width>& lhs,
                                                  const RhsWord& rhs) {
    FINNMAKE_HLS(inline)
    ap_uint<PE * OutputWidth> results = 0;
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
void elementwise_binary(hls::stream<ap_uint<PE * Lhs::width>>& in0, hls::stream<ap_uint<PE * Rhs::width>>& in1,
                        hls::stream<ap_uint<PE * OutputWidth>>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    FINNMAKE_ROLLED
    for (unsigned word = 0; word < frames * Vectors * Folds; ++word) {
        FINNMAKE_HLS(pipeline II = 1)
        const ap_uint<PE * Lhs::width> lhs = in0.read();
        const ap_uint<PE * Rhs::width> rhs = in1.read();
        out.write(elementwise_binary_word<Operation, PE, Lhs, Rhs, OutputWidth>(lhs, rhs));
    }
}

template <int Operation, int PE, int Folds, int Vectors, typename Lhs, typename Rhs, int OutputWidth>
FINNMAKE_INLINE
void elementwise_binary(hls::stream<ap_uint<PE * Lhs::width>>& in, hls::stream<ap_uint<PE * OutputWidth>>& out,
                        const finnmake::Memory<PE * Rhs::width>& rhs, unsigned frames) {
    FINNMAKE_HLS(inline)
    FINNMAKE_ROLLED
    for (unsigned vector = 0; vector < frames * Vectors; ++vector) {
        FINNMAKE_ROLLED
        for (int fold = 0; fold < Folds; ++fold) {
            FINNMAKE_HLS(pipeline II = 1)
            out.write(elementwise_binary_word<Operation, PE, Lhs, Rhs, OutputWidth>(in.read(), rhs[fold]));
        }
    }
}

#endif
