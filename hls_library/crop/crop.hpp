// The inside of an image: of Height rows of Row words those from Top to Bottom, and of these the words from Left to Right,
// both included.

#ifndef FINNMAKE_CROP_HPP
#define FINNMAKE_CROP_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int Width, int Height, int Row, int Top, int Bottom, int Left, int Right>
FINNMAKE_INLINE
void crop(finnmake::Stream<Width>& in, finnmake::Stream<Width>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    int row = 0;
    int column = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * (Height * Row); ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<Width> word = in.read();
        if (row >= Top && row <= Bottom && column >= Left && column <= Right) out.write(word);
        const bool last = column == Row - 1;
        column = last ? 0 : column + 1;
        if (last) row = row == Height - 1 ? 0 : row + 1;
    }
}

#endif
