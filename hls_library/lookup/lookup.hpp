// A row of a table for every index: Folds words of the memory from index * Folds on. An index behind the last row stands for
// the last row.

#ifndef FINNMAKE_LOOKUP_HPP
#define FINNMAKE_LOOKUP_HPP

#include "ap_int.h"
#include "hls_stream.h"

template <int IndexWidth, unsigned Rows, unsigned Folds, int Width, unsigned Indices>
void lookup(hls::stream<ap_uint<IndexWidth>>& in, hls::stream<ap_uint<Width>>& out, const ap_uint<Width>* embeddings,
            unsigned frames) {
#pragma HLS inline
    for (unsigned count = 0; count < frames * Indices; ++count) {
        const unsigned index = in.read().to_uint();
        const unsigned row = index < Rows ? index : Rows - 1;
        for (unsigned fold = 0; fold < Folds; ++fold) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II = 1
#endif
            out.write(embeddings[row * Folds + fold]);
        }
    }
}

#endif
