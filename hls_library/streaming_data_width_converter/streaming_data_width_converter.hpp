// Gearbox from words of UnitsIn to words of UnitsOut units, both counts without a common factor.

#ifndef FINNMAKE_STREAMING_DATA_WIDTH_CONVERTER_HPP
#define FINNMAKE_STREAMING_DATA_WIDTH_CONVERTER_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int UnitWidth, int UnitsIn, int UnitsOut, unsigned WordsIn, unsigned WordsOut>
FINNMAKE_INLINE
void streaming_data_width_converter(finnmake::Stream<UnitWidth * UnitsIn>& in,
                                    finnmake::Stream<UnitWidth * UnitsOut>& out, unsigned frames) {
    constexpr int bits = (UnitsIn + UnitsOut - 1) * UnitWidth;
    using Units = std::conditional_t<(bits > 64), finnmake::Word<bits>, ap_uint<bits>>;
    constexpr int stages = finnmake::bits_of_count(UnitsOut - 1);
    // The side with more words moves one in every step.
    constexpr unsigned steps = WordsIn > WordsOut ? WordsIn : WordsOut;
    Units units = 0;
    int count = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * steps; ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        if (UnitsIn <= UnitsOut || count < UnitsOut) {
            // Behind what is there: a constant shift for each bit of the count. Bambu puts what is shifted by a variable into a
            // memory.
            Units word = in.read();
            FINNMAKE_UNROLLED(stages + (stages == 0))
            for (int stage = 0; stage < stages; ++stage) {
                FINNMAKE_HLS(unroll)
                if ((count >> stage & 1) != 0) word = word << (UnitWidth << stage);
            }
            units = units | word;
            count += UnitsIn;
        }
        if (count >= UnitsOut) {
            out.write(finnmake::word_at<UnitWidth * UnitsOut>(units, 0));
            units = units >> (UnitsOut * UnitWidth);
            count -= UnitsOut;
        }
    }
}

#endif
