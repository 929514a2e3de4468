// An image with rows and columns of one number around it, whose ElementBits bits are Element: of Height rows of Row words, what
// lies in rows Top to Bottom and there in words Left to Right, both included, comes from the input.

#ifndef FINNMAKE_FM_PADDING_HPP
#define FINNMAKE_FM_PADDING_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int Width, int Height, int Row, int Top, int Bottom, int Left, int Right, int ElementBits,
          unsigned long long Element>
FINNMAKE_INLINE
void fm_padding(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    ap_uint<Width> padding = 0;
    constexpr int elements = Width / ElementBits;
    FINNMAKE_UNROLLED(elements)
    for (int element = 0; element < elements; ++element) {
        FINNMAKE_HLS(unroll)
        finnmake::put_bits<ElementBits>(padding, element, ap_uint<ElementBits>(Element));
    }
    FINNMAKE_ROLLED
    for (unsigned frame = 0; frame < frames; ++frame) {
        FINNMAKE_ROLLED
        for (int row = 0; row < Height; ++row) {
            FINNMAKE_ROLLED
            for (int column = 0; column < Row; ++column) {
                FINNMAKE_HLS(pipeline II = 1)
                ap_uint<Width> word = padding;
                if (row >= Top && row <= Bottom && column >= Left && column <= Right) word = in.read();
                out.write(word);
            }
        }
    }
}

#endif
