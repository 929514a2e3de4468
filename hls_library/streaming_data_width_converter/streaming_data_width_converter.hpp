// Gearbox from words of UnitsIn to words of UnitsOut units, both counts without a common factor.

#ifndef FINNMAKE_STREAMING_DATA_WIDTH_CONVERTER_HPP
#define FINNMAKE_STREAMING_DATA_WIDTH_CONVERTER_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int UnitWidth, int UnitsIn, int UnitsOut, unsigned WordsIn, unsigned WordsOut>
FINNMAKE_INLINE
void streaming_data_width_converter(hls::stream<ap_uint<UnitWidth * UnitsIn>>& in,
                                    hls::stream<ap_uint<UnitWidth * UnitsOut>>& out, unsigned frames) {
    constexpr int capacity = UnitsIn + UnitsOut - 1;
    // The side with more words moves one in every step.
    constexpr unsigned steps = WordsIn > WordsOut ? WordsIn : WordsOut;
    ap_uint<capacity * UnitWidth> units = 0;
    int count = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * steps; ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        if (UnitsIn <= UnitsOut || count < UnitsOut) {
            const ap_uint<capacity * UnitWidth> word = in.read();
            units |= word << (count * UnitWidth);
            count += UnitsIn;
        }
        if (count >= UnitsOut) {
            out.write(ap_uint<UnitWidth * UnitsOut>(units));
            units >>= UnitsOut * UnitWidth;
            count -= UnitsOut;
        }
    }
}

#endif
