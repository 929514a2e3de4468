// Indices of the K largest of Labels elements, PE of them a word, the largest first; among equal ones the lowest index.

#ifndef FINNMAKE_LABEL_SELECT_HPP
#define FINNMAKE_LABEL_SELECT_HPP

#include <type_traits>

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <unsigned Labels, unsigned PE, unsigned K, int InputWidth, bool Signed, int OutputWidth>
FINNMAKE_INLINE
void label_select(finnmake::Stream<PE * InputWidth>& in, finnmake::Stream<OutputWidth>& out, unsigned frames) {
    using Value = std::conditional_t<Signed, ap_int<InputWidth>, ap_uint<InputWidth>>;
    constexpr unsigned words = Labels / PE;
    // The best so far, in order; the first `taken` of them count.
    Value best[K];
    unsigned best_index[K];
    FINNMAKE_HLS(array_partition variable = best complete)
    FINNMAKE_HLS(array_partition variable = best_index complete)
    FINNMAKE_UNROLLED(K)
    for (unsigned place = 0; place < K; ++place) {
        FINNMAKE_HLS(unroll)
        best[place] = Value(0);
        best_index[place] = 0;
    }
    unsigned word = 0, taken = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * words; ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<PE * InputWidth> elements = in.read();
        FINNMAKE_UNROLLED(PE)
        for (unsigned pe = 0; pe < PE; ++pe) {
            FINNMAKE_HLS(unroll)
            Value value = Value(finnmake::bits_of<InputWidth>(elements, static_cast<int>(pe)));
            unsigned index = word * PE + pe;
            // In front of the first that is smaller; that one and those behind it move on.
            bool moving = false;
            FINNMAKE_UNROLLED(K)
            for (unsigned place = 0; place < K; ++place) {
                FINNMAKE_HLS(unroll)
                if (moving || place >= taken || value > best[place]) {
                    const Value next = best[place];
                    const unsigned next_index = best_index[place];
                    best[place] = value;
                    best_index[place] = index;
                    value = next;
                    index = next_index;
                    moving = true;
                }
            }
            if (taken < K) ++taken;
        }
        if (word == words - 1) {
            FINNMAKE_ROLLED
            for (unsigned place = 0; place < K; ++place)
                out.write(finnmake::Word<OutputWidth>(best_index[place]));
            word = 0;
            taken = 0;
        } else {
            ++word;
        }
    }
}

#endif
