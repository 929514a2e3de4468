// A row of a table for every index: Folds words of the memory from index * Folds on. An index behind the last row stands for
// the last row.

#ifndef FINNMAKE_LOOKUP_HPP
#define FINNMAKE_LOOKUP_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int IndexWidth, unsigned Rows, unsigned Folds, int Width, unsigned Indices>
FINNMAKE_INLINE
void lookup(finnmake::Stream<IndexWidth>& in, finnmake::Stream<Width>& out, const finnmake::Memory<Width>& embeddings,
            unsigned frames) {
    FINNMAKE_HLS(inline)
    unsigned address = 0;
    unsigned fold = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * (Indices * Folds); ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        if (fold == 0) {
            const ap_uint<IndexWidth> word = in.read();
            const unsigned index = word.to_uint();
            address = (index < Rows ? index : Rows - 1) * Folds;
        }
        const finnmake::Word<Width> element = embeddings[address];
        out.write(element);
        ++address;
        fold = fold == Folds - 1 ? 0 : fold + 1;
    }
}

#endif
