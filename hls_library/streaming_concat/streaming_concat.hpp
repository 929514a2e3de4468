// Vectors of several streams one behind the other: Words[0] words of the first, Words[1] of the second, and so on.

#ifndef FINNMAKE_STREAMING_CONCAT_HPP
#define FINNMAKE_STREAMING_CONCAT_HPP

#include "ap_int.h"
#include "hls_stream.h"

template <int Width, unsigned Words>
void streaming_concat_part(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out) {
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
void streaming_concat(hls::stream<ap_uint<Words != 0 ? Width : 0>>&... in, hls::stream<ap_uint<Width>>& out,
                      unsigned frames) {
#pragma HLS inline
    for (unsigned vector = 0; vector < frames * Vectors; ++vector) (streaming_concat_part<Width, Words>(in, out), ...);
}

#endif
