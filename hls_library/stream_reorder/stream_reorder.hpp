// Words in another order: Block words are written one behind the other, then Reads words of them are read as nested loops
// count. A word may be read any number of times, or never.
//
// Pattern: size and stride of each loop, the innermost first.

#ifndef FINNMAKE_STREAM_REORDER_HPP
#define FINNMAKE_STREAM_REORDER_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int Width, unsigned Block>
FINNMAKE_INLINE
void stream_reorder_write(finnmake::Stream<Width>& in, finnmake::Word<Width> (&words)[Block]) {
    FINNMAKE_ROLLED
    for (unsigned word = 0; word < Block; ++word) {
        FINNMAKE_HLS(pipeline II = 1)
        words[word] = in.read();
    }
}

template <int Width, unsigned Block, unsigned Reads, unsigned... Pattern>
FINNMAKE_INLINE
void stream_reorder_read(const finnmake::Word<Width> (&words)[Block], finnmake::Stream<Width>& out) {
    constexpr unsigned loops = sizeof...(Pattern) / 2;
    constexpr unsigned pattern[] = {Pattern...};
    unsigned counts[loops] = {};
    FINNMAKE_ROLLED
    for (unsigned read = 0; read < Reads; ++read) {
        FINNMAKE_HLS(pipeline II = 1)
        unsigned address = 0;
        bool carry = true;
        FINNMAKE_UNROLLED(loops)
        for (unsigned loop = 0; loop < loops; ++loop) {
            FINNMAKE_HLS(unroll)
            address += counts[loop] * pattern[2 * loop + 1];
            if (carry) {
                carry = counts[loop] == pattern[2 * loop] - 1;
                counts[loop] = carry ? 0 : counts[loop] + 1;
            }
        }
        out.write(words[address]);
    }
}

template <int Width, unsigned Block, unsigned Reads, unsigned Blocks, unsigned... Pattern>
FINNMAKE_INLINE
void stream_reorder(finnmake::Stream<Width>& in, finnmake::Stream<Width>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    FINNMAKE_ROLLED
    for (unsigned block = 0; block < frames * Blocks; ++block) {
        FINNMAKE_HLS(dataflow)
        finnmake::Word<Width> words[Block];
        stream_reorder_write<Width, Block>(in, words);
        stream_reorder_read<Width, Block, Reads, Pattern...>(words, out);
    }
}

#endif
