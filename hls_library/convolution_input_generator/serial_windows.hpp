// Sliding windows over an image: words are written into a circular memory of Depth words and read as nested loops count.
//
// Loops: for each loop, the innermost first, its size, the words by which the place that is read moves when it counts, and
// the words that are needed no more then; two more numbers, the last of them, are those of the end of a frame.

#ifndef FINNMAKE_SERIAL_WINDOWS_HPP
#define FINNMAKE_SERIAL_WINDOWS_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int Width, int Depth, int WordsIn, int WordsOut, int... Loops>
FINNMAKE_INLINE
void serial_windows(hls::stream<ap_uint<Width>>& in, hls::stream<ap_uint<Width>>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    constexpr int loops = (sizeof...(Loops) - 2) / 3;
    constexpr int pattern[] = {Loops...};
    ap_uint<Width> words[Depth];
    int counts[loops] = {};
    int write_address = 0;
    int read_address = 0;
    int waiting = 0;
    int room = Depth;
    FINNMAKE_ROLLED
    for (unsigned frame = 0; frame < frames; ++frame) {
        int entered = 0;
        int left = 0;
        // A word of this frame enters in each step where there is room for it, and one leaves where it is there.
        FINNMAKE_ROLLED
        while (left < WordsOut || entered < WordsIn) {
            FINNMAKE_HLS(pipeline II = 1)
            const bool leave = waiting > 0 && left < WordsOut;
            int distance = 0;
            int freed = 0;
            if (leave) {
                out.write(words[read_address]);
                ++left;
                distance = pattern[3 * loops];
                freed = pattern[3 * loops + 1];
                bool carry = true;
                FINNMAKE_UNROLLED(loops)
                for (int loop = 0; loop < loops; ++loop) {
                    FINNMAKE_HLS(unroll)
                    if (carry) {
                        carry = counts[loop] == pattern[3 * loop] - 1;
                        counts[loop] = carry ? 0 : counts[loop] + 1;
                        if (!carry) {
                            distance = pattern[3 * loop + 1];
                            freed = pattern[3 * loop + 2];
                        }
                    }
                }
                read_address = (read_address + distance % Depth + Depth) % Depth;
            }
            if (room > 0 && entered < WordsIn) {
                words[write_address] = in.read();
                write_address = write_address == Depth - 1 ? 0 : write_address + 1;
                ++entered;
                ++waiting;
                --room;
            }
            waiting -= distance;
            room += freed;
        }
    }
}

#endif
