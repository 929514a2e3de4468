// An image with rows and columns of one number around it, whose ElementBits bits are Element: of Height rows of Row words, what
// lies in rows Top to Bottom and there in words Left to Right, both included, comes from the input.

#ifndef FINNMAKE_FM_PADDING_HPP
#define FINNMAKE_FM_PADDING_HPP

#include "ap_int.h"
#include "hls_stream.h"

template <int Width, int Height, int Row, int Top, int Bottom, int Left, int Right, int ElementBits,
          unsigned long long Element>
void fm_padding(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out, unsigned frames) {
#pragma HLS inline
    ap_uint<Width> padding = 0;
    for (int bit = 0; bit < Width; bit += ElementBits) {
#pragma HLS unroll
        padding.range(bit + ElementBits - 1, bit) = ap_uint<ElementBits>(Element);
    }
    for (unsigned frame = 0; frame < frames; ++frame) {
        for (int row = 0; row < Height; ++row) {
            for (int column = 0; column < Row; ++column) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II = 1
#endif
                ap_uint<Width> word = padding;
                if (row >= Top && row <= Bottom && column >= Left && column <= Right) word = in.read();
                out.write(word);
            }
        }
    }
}

#endif
