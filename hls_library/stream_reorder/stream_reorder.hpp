// Words in another order: Block words are written one behind the other, then Reads words of them are read as nested loops
// count. A word may be read any number of times, or never.
//
// Pattern: size and stride of each loop, the innermost first.

#ifndef FINNMAKE_STREAM_REORDER_HPP
#define FINNMAKE_STREAM_REORDER_HPP

#include "ap_int.h"
#include "hls_stream.h"

template <int Width, unsigned Block>
void stream_reorder_write(hls::stream<ap_uint<Width>>& in, ap_uint<Width> (&words)[Block]) {
    for (unsigned word = 0; word < Block; ++word) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II = 1
#endif
        words[word] = in.read();
    }
}

template <int Width, unsigned Block, unsigned Reads, unsigned... Pattern>
void stream_reorder_read(const ap_uint<Width> (&words)[Block], hls::stream<ap_uint<Width>>& out) {
    constexpr unsigned loops = sizeof...(Pattern) / 2;
    constexpr unsigned pattern[] = {Pattern...};
    unsigned counts[loops] = {};
    for (unsigned read = 0; read < Reads; ++read) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II = 1
#endif
        unsigned address = 0;
        bool carry = true;
        for (unsigned loop = 0; loop < loops; ++loop) {
#pragma HLS unroll
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
void stream_reorder(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out, unsigned frames) {
#pragma HLS inline
    for (unsigned block = 0; block < frames * Blocks; ++block) {
#if !defined(__BAMBU__)
#pragma HLS dataflow
#endif
        ap_uint<Width> words[Block];
        stream_reorder_write<Width, Block>(in, words);
        stream_reorder_read<Width, Block, Reads, Pattern...>(words, out);
    }
}

#endif
