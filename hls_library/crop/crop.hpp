// The inside of an image: of Height rows of Row words those from Top to Bottom, and of these the words from Left to Right,
// both included.

#ifndef FINNMAKE_CROP_HPP
#define FINNMAKE_CROP_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int Width, int Height, int Row, int Top, int Bottom, int Left, int Right>
FINNMAKE_INLINE
void crop(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    FINNMAKE_ROLLED
    for (unsigned frame = 0; frame < frames; ++frame) {
        FINNMAKE_ROLLED
        for (int row = 0; row < Height; ++row) {
            FINNMAKE_ROLLED
            for (int column = 0; column < Row; ++column) {
                FINNMAKE_HLS(pipeline II = 1)
                const ap_uint<Width> word = in.read();
                if (row >= Top && row <= Bottom && column >= Left && column <= Right) out.write(word);
            }
        }
    }
}

#endif
