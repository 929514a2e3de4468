// A row of a table for every index: Folds words of the memory from index * Folds on. An index behind the last row stands for
// the last row.

#ifndef FINNMAKE_LOOKUP_HPP
#define FINNMAKE_LOOKUP_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int IndexWidth, unsigned Rows, unsigned Folds, int Width, unsigned Indices>
FINNMAKE_INLINE
void lookup(hls::stream<ap_uint<IndexWidth>>& in, hls::stream<ap_uint<Width>>& out, const finnmake::Memory<Width>& embeddings,
            unsigned frames) {
    FINNMAKE_HLS(inline)
    FINNMAKE_ROLLED
    for (unsigned count = 0; count < frames * Indices; ++count) {
        const unsigned index = in.read().to_uint();
        const unsigned row = index < Rows ? index : Rows - 1;
        FINNMAKE_ROLLED
        for (unsigned fold = 0; fold < Folds; ++fold) {
            FINNMAKE_HLS(pipeline II = 1)
            out.write(ap_uint<Width>(embeddings[row * Folds + fold]));
        }
    }
}

#endif
