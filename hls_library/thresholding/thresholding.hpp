// Thresholds on a stream: Offset plus the number of thresholds that each value has reached.
//
// A vector is NumChannels / PE words. Thresholds: word fold, element pe * NumSteps + step; where they are shared, one word
// of NumSteps elements.

#ifndef FINNMAKE_THRESHOLDING_HPP
#define FINNMAKE_THRESHOLDING_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"

template <int NumChannels, int PE, typename Input, typename Threshold, typename Output, int NumSteps, int Offset,
          bool Shared, int Vectors>
void thresholding(hls::stream<ap_uint<PE * Input::width>>& in, hls::stream<ap_uint<PE * Output::width>>& out,
                  const ap_uint<(Shared ? 1 : PE) * NumSteps * Threshold::width>* thresholds, unsigned frames) {
#pragma HLS inline
    constexpr int NF = NumChannels / PE;
    for (unsigned long long vector = 0; vector < static_cast<unsigned long long>(frames) * Vectors; ++vector) {
        for (int fold = 0; fold < NF; ++fold) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II=1
#endif
            const ap_uint<PE * Input::width> word = in.read();
            const ap_uint<(Shared ? 1 : PE) * NumSteps * Threshold::width> levels = thresholds[Shared ? 0 : fold];
            ap_uint<PE * Output::width> result = 0;
            for (int pe = 0; pe < PE; ++pe) {
#pragma HLS unroll
                result.range((pe + 1) * Output::width - 1, pe * Output::width) =
                    finnmake::count_thresholds<Threshold, Output, NumSteps, Offset>(
                        finnmake::element<Input>(word, pe), levels, Shared ? 0 : pe * NumSteps);
            }
            out.write(result);
        }
    }
}

#endif
