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
void fm_padding(finnmake::Stream<Width>& in, finnmake::Stream<Width>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    finnmake::Word<Width> padding = 0;
    constexpr int elements = Width / ElementBits;
    FINNMAKE_UNROLLED(elements)
    for (int element = 0; element < elements; ++element) {
        FINNMAKE_HLS(unroll)
        finnmake::put_bits<ElementBits>(padding, element, ap_uint<ElementBits>(Element));
    }
    finnmake::Word<Width> inner = 0;
    int row = 0;
    int column = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * (Height * Row); ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        const bool first = row == 0 && column == 0;
        const bool first_inner = row == Top && column == Left;
        const bool inside = row >= Top && row <= Bottom && column >= Left && column <= Right;
        // A frame begins when its first word has come, not with padding in front of it.
        if (first || (inside && !first_inner)) inner = in.read();
        out.write(inside ? inner : padding);
        const bool last = column == Row - 1;
        column = last ? 0 : column + 1;
        if (last) row = row == Height - 1 ? 0 : row + 1;
    }
}

#endif
