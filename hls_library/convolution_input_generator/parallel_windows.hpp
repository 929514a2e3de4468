// Sliding windows over an image, each in one word: its pixels row by row, the first in the least significant bits.

#ifndef FINNMAKE_PARALLEL_WINDOWS_HPP
#define FINNMAKE_PARALLEL_WINDOWS_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int Width, int Rows, int Columns, int KernelRows, int KernelColumns, int StrideDown, int StrideRight,
          int DilationDown, int DilationRight>
FINNMAKE_INLINE
void parallel_windows(finnmake::Stream<Width>& in, finnmake::Stream<KernelRows * KernelColumns * Width>& out,
                      unsigned frames) {
    FINNMAKE_HLS(inline)
    constexpr int lines = (KernelRows - 1) * DilationDown;
    constexpr int reach = (KernelColumns - 1) * DilationRight + 1;
    // Of each column its latest pixels, the last in the least significant bits; and of each row of the window its pixels.
    using Column = finnmake::Word<(lines + 1) * Width>;
    Column columns[Columns];
    finnmake::Word<Width> pixels[KernelRows][reach];
    FINNMAKE_HLS(array_partition variable = pixels dim = 0 complete)
    int row = 0;
    int column = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * (Rows * Columns); ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<Width> entered = in.read();
        Column latest = Column(entered);
        if constexpr (lines > 0) {
            latest = static_cast<Column>(columns[column] << Width) | latest;
            columns[column] = latest;
        }
        finnmake::Word<KernelRows * KernelColumns * Width> window = 0;
        FINNMAKE_UNROLLED(KernelRows)
        for (int tap = 0; tap < KernelRows; ++tap) {
            FINNMAKE_HLS(unroll)
            FINNMAKE_UNROLLED(reach - (reach > 1))
            for (int place = reach - 1; place > 0; --place) {
                FINNMAKE_HLS(unroll)
                pixels[tap][place] = pixels[tap][place - 1];
            }
            pixels[tap][0] = finnmake::word_at<Width>(latest, (KernelRows - 1 - tap) * DilationDown);
            FINNMAKE_UNROLLED(KernelColumns)
            for (int right = 0; right < KernelColumns; ++right) {
                FINNMAKE_HLS(unroll)
                finnmake::put_word<Width>(window, tap * KernelColumns + right,
                                          pixels[tap][(KernelColumns - 1 - right) * DilationRight]);
            }
        }
        const int down = row - lines;
        const int across = column - reach + 1;
        if (down >= 0 && across >= 0 && down % StrideDown == 0 && across % StrideRight == 0) out.write(window);
        const bool last = column == Columns - 1;
        column = last ? 0 : column + 1;
        if (last) row = row == Rows - 1 ? 0 : row + 1;
    }
}

#endif
