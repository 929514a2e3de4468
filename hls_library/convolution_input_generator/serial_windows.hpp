// Sliding windows over an image: words are written into a circular memory of Depth words and read as nested loops count.
//
// Loops: for each loop, the innermost first, its size, the words by which the place that is read moves when it counts, and
// the words that are needed no more then; two more numbers, the last of them, are those of the end of a frame.

#ifndef FINNMAKE_SERIAL_WINDOWS_HPP
#define FINNMAKE_SERIAL_WINDOWS_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

namespace finnmake {

// The place that is read in a circular memory.
template <int Depth, int... Loops>
struct WindowWalk {
    static constexpr int loops = (sizeof...(Loops) - 2) / 3;
    static constexpr int pattern[] = {Loops...};

    int counts[loops] = {};
    int address = 0;
    // Words by which the last step moved, and words that are needed no more since.
    int distance = 0;
    int freed = 0;

    // A step on a circle, without a division.
    static constexpr int step_of(int words) { return (words % Depth + Depth) % Depth; }

    FINNMAKE_INLINE void advance() {
        FINNMAKE_HLS(inline)
        distance = pattern[3 * loops];
        freed = pattern[3 * loops + 1];
        int step = step_of(pattern[3 * loops]);
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
                    step = step_of(pattern[3 * loop + 1]);
                }
            }
        }
        address += step;
        if (address >= Depth) address -= Depth;
    }
};

}  // namespace finnmake

template <int Width, int Depth, int WordsIn, int WordsOut, int... Loops>
FINNMAKE_INLINE
void serial_windows(finnmake::Stream<Width>& in, finnmake::Stream<Width>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    finnmake::Word<Width> words[Depth];
    finnmake::WindowWalk<Depth, Loops...> walk;
    int write_address = 0;
    int waiting = 0;
#if defined(__BAMBU__)
    // Bambu does one thing after the other: words enter where the one to leave is not there yet, and at the end of a frame.
    FINNMAKE_ROLLED
    for (unsigned frame = 0; frame < frames; ++frame) {
        int entered = 0;
        FINNMAKE_ROLLED
        for (int left = 0; left <= WordsOut; ++left) {
            const bool end = left == WordsOut;
            FINNMAKE_ROLLED
            while (end ? entered < WordsIn : waiting <= 0) {
                words[write_address] = in.read();
                write_address = write_address == Depth - 1 ? 0 : write_address + 1;
                ++entered;
                ++waiting;
            }
            if (!end) {
                out.write(words[walk.address]);
                walk.advance();
                waiting -= walk.distance;
            }
        }
    }
#else
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
            if (leave) {
                out.write(words[walk.address]);
                walk.advance();
                ++left;
            }
            if (room > 0 && entered < WordsIn) {
                words[write_address] = in.read();
                write_address = write_address == Depth - 1 ? 0 : write_address + 1;
                ++entered;
                ++waiting;
                --room;
            }
            if (leave) {
                waiting -= walk.distance;
                room += walk.freed;
            }
        }
    }
#endif
}

#endif
