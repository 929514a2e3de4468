// Thresholds on a stream: Offset plus the number of thresholds that each value has reached.
//
// A vector is NumChannels / PE words.

#ifndef FINNMAKE_THRESHOLDING_HPP
#define FINNMAKE_THRESHOLDING_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"
#include "thresholds.hpp"

template <int NumChannels, int PE, typename Input, typename Threshold, typename Output, int NumSteps, int Offset,
          bool Shared, int Vectors>
FINNMAKE_INLINE
void thresholding(finnmake::Stream<PE * Input::width>& in, finnmake::Stream<PE * Output::width>& out,
                  const finnmake::Thresholds<PE, Threshold, Output, NumSteps, Offset, Shared>& thresholds, unsigned frames) {
    FINNMAKE_HLS(inline)
    constexpr int NF = NumChannels / PE;
    int fold = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * (Vectors * NF); ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<PE * Input::width> word = in.read();
        typename Input::Value values[PE];
        FINNMAKE_UNROLLED(PE)
        for (int pe = 0; pe < PE; ++pe) {
            FINNMAKE_HLS(unroll)
            values[pe] = finnmake::element<Input>(word, pe);
        }
        out.write(thresholds(values, fold));
        fold = fold == NF - 1 ? 0 : fold + 1;
    }
}

#endif
