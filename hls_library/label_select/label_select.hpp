// Indices of the K largest of Labels elements, PE of them a word, the largest first; among equal ones the lowest index.

#ifndef FINNMAKE_LABEL_SELECT_HPP
#define FINNMAKE_LABEL_SELECT_HPP

#include <type_traits>

#include "ap_int.h"
#include "hls_stream.h"

template <unsigned Labels, unsigned PE, unsigned K, int InputWidth, bool Signed, int OutputWidth>
void label_select(hls::stream<ap_uint<PE * InputWidth>>& in, hls::stream<ap_uint<OutputWidth>>& out, unsigned frames) {
    using Value = std::conditional_t<Signed, ap_int<InputWidth>, ap_uint<InputWidth>>;
    constexpr unsigned words = Labels / PE;
    // The best so far, in order; the first `taken` of them count.
    Value best[K] = {};
    unsigned best_index[K] = {};
#pragma HLS array_partition variable = best complete
#pragma HLS array_partition variable = best_index complete
    unsigned word = 0, taken = 0;
    for (unsigned step = 0; step < frames * words; ++step) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II = 1
#endif
        const ap_uint<PE * InputWidth> elements = in.read();
        for (unsigned pe = 0; pe < PE; ++pe) {
#pragma HLS unroll
            Value value = elements.range(static_cast<int>(pe + 1) * InputWidth - 1, static_cast<int>(pe) * InputWidth);
            unsigned index = word * PE + pe;
            // In front of the first that is smaller; that one and those behind it move on.
            bool moving = false;
            for (unsigned place = 0; place < K; ++place) {
#pragma HLS unroll
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
            for (unsigned place = 0; place < K; ++place) out.write(ap_uint<OutputWidth>(best_index[place]));
            word = 0;
            taken = 0;
        } else {
            ++word;
        }
    }
}

#endif
