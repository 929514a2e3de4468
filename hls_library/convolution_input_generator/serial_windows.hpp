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

// How many of the innermost loops move by the same number of words and need all of them still.
template <int... Loops>
constexpr int loops_of_a_run() {
    constexpr int loops = (sizeof...(Loops) - 2) / 3;
    constexpr int pattern[] = {Loops...};
    int count = 0;
    while (count < loops && pattern[1] > 0 && pattern[3 * count + 1] == pattern[1] && pattern[3 * count + 2] == 0) ++count;
    return count;
}

// How many words these loops read one after the other.
template <int... Loops>
constexpr int words_of_a_run() {
    constexpr int pattern[] = {Loops...};
    int words = 1;
    for (int loop = 0; loop < loops_of_a_run<Loops...>(); ++loop) words *= pattern[3 * loop];
    return words;
}

// The place that is read in a circular memory.
template <int Depth, int... Loops>
struct WindowWalk {
    static constexpr int loops = (sizeof...(Loops) - 2) / 3;
    static constexpr int pattern[sizeof...(Loops)] = {Loops...};

    int counts[loops] = {};
    int address = 0;
    // Words by which the last step moved, and words that are needed no more since.
    int distance = 0;
    int freed = 0;

    // A step on a circle, without a division.
    static constexpr int step_of(int words) { return (words % Depth + Depth) % Depth; }

    FINNMAKE_INLINE void move(int step) {
        FINNMAKE_HLS(inline)
        address += step;
        if (address >= Depth) address -= Depth;
    }

    // The step of the loops from First on, at the end of those before them; Ahead: words by which the address is ahead already.
    template <int First, int Ahead>
    FINNMAKE_INLINE void advance() {
        FINNMAKE_HLS(inline)
        distance = pattern[3 * loops];
        freed = pattern[3 * loops + 1];
        int step = step_of(pattern[3 * loops] - Ahead);
        bool carry = true;
        FINNMAKE_UNROLLED(loops - First + (loops == First))
        for (int loop = First; loop < loops; ++loop) {
            FINNMAKE_HLS(unroll)
            if (carry) {
                carry = counts[loop] == pattern[3 * loop] - 1;
                counts[loop] = carry ? 0 : counts[loop] + 1;
                if (!carry) {
                    distance = pattern[3 * loop + 1];
                    freed = pattern[3 * loop + 2];
                    step = step_of(pattern[3 * loop + 1] - Ahead);
                }
            }
        }
        move(step);
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
#if defined(FINNMAKE_BASIC_BLOCKS)
    // Bambu does one thing after the other: words enter until a run of words to leave is there, and at the end of a frame.
    using Walk = finnmake::WindowWalk<Depth, Loops...>;
    constexpr int run = finnmake::words_of_a_run<Loops...>();
    constexpr int stride = run > 1 ? Walk::pattern[1] : 0;
    FINNMAKE_ROLLED
    for (unsigned frame = 0; frame < frames; ++frame) {
        int entered = 0;
        FINNMAKE_ROLLED
        for (int left = 0; left <= WordsOut; left += run) {
            const bool end = left == WordsOut;
            FINNMAKE_ROLLED
            while (end ? entered < WordsIn : waiting <= (run - 1) * stride) {
                words[write_address] = in.read();
                write_address = write_address == Depth - 1 ? 0 : write_address + 1;
                ++entered;
                ++waiting;
            }
            if (!end) {
                FINNMAKE_ROLLED
                for (int word = 0; word < run; ++word) {
                    out.write(words[walk.address]);
                    walk.move(Walk::step_of(stride));
                }
                walk.template advance<finnmake::loops_of_a_run<Loops...>(), stride>();
                waiting -= walk.distance + (run - 1) * stride;
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
                walk.template advance<0, 0>();
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
