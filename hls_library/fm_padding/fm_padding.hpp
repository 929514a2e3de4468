// An image with rows and columns of zeros around it: of Height rows of Row words, what lies in rows Top to Bottom and there in
// words Left to Right, both included, comes from the input.

#ifndef FINNMAKE_FM_PADDING_HPP
#define FINNMAKE_FM_PADDING_HPP

#include "ap_int.h"
#include "hls_stream.h"

template <int Width, int Height, int Row, int Top, int Bottom, int Left, int Right>
void fm_padding(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out, unsigned frames) {
#pragma HLS inline
    for (unsigned frame = 0; frame < frames; ++frame) {
        for (int row = 0; row < Height; ++row) {
            for (int column = 0; column < Row; ++column) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II = 1
#endif
                ap_uint<Width> word = 0;
                if (row >= Top && row <= Bottom && column >= Left && column <= Right) word = in.read();
                out.write(word);
            }
        }
    }
}

#endif
