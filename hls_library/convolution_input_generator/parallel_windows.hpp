// Sliding windows over an image, each in one word: its pixels row by row, the first in the least significant bits.

#ifndef FINNMAKE_PARALLEL_WINDOWS_HPP
#define FINNMAKE_PARALLEL_WINDOWS_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int Width, int Rows, int Columns, int KernelRows, int KernelColumns, int StrideDown, int StrideRight,
          int DilationDown, int DilationRight>
FINNMAKE_INLINE
void parallel_windows(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<KernelRows * KernelColumns * Width>>& out,
                      unsigned frames) {
    FINNMAKE_HLS(inline)
    constexpr int lines = (KernelRows - 1) * DilationDown;
    constexpr int reach = (KernelColumns - 1) * DilationRight + 1;
    // Of each column the pixels of the rows before, the latest first; and of each row of the window its pixels.
    ap_uint<Width> above[Columns][lines + 1];
    ap_uint<Width> pixels[KernelRows][reach];
    FINNMAKE_HLS(array_partition variable = above dim = 2 complete)
    FINNMAKE_HLS(array_partition variable = pixels dim = 0 complete)
    FINNMAKE_ROLLED
    for (unsigned frame = 0; frame < frames; ++frame) {
        FINNMAKE_ROLLED
        for (int row = 0; row < Rows; ++row) {
            FINNMAKE_ROLLED
            for (int column = 0; column < Columns; ++column) {
                FINNMAKE_HLS(pipeline II = 1)
                FINNMAKE_UNROLLED(lines + (lines == 0))
                for (int line = lines; line > 0; --line) {
                    FINNMAKE_HLS(unroll)
                    above[column][line] = above[column][line - 1];
                }
                above[column][0] = in.read();
                ap_uint<KernelRows * KernelColumns * Width> window = 0;
                FINNMAKE_UNROLLED(KernelRows)
                for (int tap = 0; tap < KernelRows; ++tap) {
                    FINNMAKE_HLS(unroll)
                    FINNMAKE_UNROLLED(reach - (reach > 1))
                    for (int place = reach - 1; place > 0; --place) {
                        FINNMAKE_HLS(unroll)
                        pixels[tap][place] = pixels[tap][place - 1];
                    }
                    pixels[tap][0] = above[column][(KernelRows - 1 - tap) * DilationDown];
                    FINNMAKE_UNROLLED(KernelColumns)
                    for (int right = 0; right < KernelColumns; ++right) {
                        FINNMAKE_HLS(unroll)
                        finnmake::put_bits<Width>(window, tap * KernelColumns + right,
                                                  pixels[tap][(KernelColumns - 1 - right) * DilationRight]);
                    }
                }
                const int down = row - lines;
                const int across = column - reach + 1;
                if (down >= 0 && across >= 0 && down % StrideDown == 0 && across % StrideRight == 0) out.write(window);
            }
        }
    }
}

#endif
