// Index of the largest of Labels elements, PE of them a word; among equal ones the lowest index.

#ifndef FINNMAKE_LABEL_SELECT_HPP
#define FINNMAKE_LABEL_SELECT_HPP

#include <type_traits>

#include "ap_int.h"
#include "hls_stream.h"

template <unsigned Labels, unsigned PE, int InputWidth, bool Signed, int OutputWidth>
void label_select(hls::stream<ap_uint<PE * InputWidth>>& in, hls::stream<ap_uint<OutputWidth>>& out, unsigned frames) {
    using Value = std::conditional_t<Signed, ap_int<InputWidth>, ap_uint<InputWidth>>;
    constexpr unsigned words = Labels / PE;
    unsigned word = 0, best_index = 0;
    Value best = 0;
    for (unsigned step = 0; step < frames * words; ++step) {
#pragma HLS pipeline II = 1
        const ap_uint<PE * InputWidth> elements = in.read();
        for (unsigned pe = 0; pe < PE; ++pe) {
#pragma HLS unroll
            const Value value = elements.range(static_cast<int>(pe + 1) * InputWidth - 1, static_cast<int>(pe) * InputWidth);
            if ((word == 0 && pe == 0) || value > best) {
                best = value;
                best_index = word * PE + pe;
            }
        }
        if (word == words - 1) {
            out.write(ap_uint<OutputWidth>(best_index));
            word = 0;
        } else {
            ++word;
        }
    }
}

#endif
