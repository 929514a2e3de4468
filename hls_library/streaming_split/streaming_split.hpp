// The words of a vector to several streams: the first Words[0] words to the first, the next Words[1] to the second, and so on.

#ifndef FINNMAKE_STREAMING_SPLIT_HPP
#define FINNMAKE_STREAMING_SPLIT_HPP

#include "ap_int.h"
#include "hls_stream.h"

template <int Width, unsigned Words>
void streaming_split_part(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out) {
#pragma HLS inline
    for (unsigned word = 0; word < Words; ++word) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II = 1
#endif
        out.write(in.read());
    }
}

// Words: of a vector, one number a stream. Width depends on them in name only, to make as many parameters as there are streams.
template <int Width, unsigned Vectors, unsigned... Words>
void streaming_split(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Words != 0 ? Width : 0>>&... out,
                     unsigned frames) {
#pragma HLS inline
    for (unsigned vector = 0; vector < frames * Vectors; ++vector) (streaming_split_part<Width, Words>(in, out), ...);
}

#endif
