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
void thresholding(hls::stream<ap_uint<PE * Input::width>>& in, hls::stream<ap_uint<PE * Output::width>>& out,
                  const finnmake::Thresholds<PE, Threshold, Output, NumSteps, Offset, Shared>& thresholds, unsigned frames) {
#pragma HLS inline
    constexpr int NF = NumChannels / PE;
    for (unsigned long long vector = 0; vector < static_cast<unsigned long long>(frames) * Vectors; ++vector) {
        for (int fold = 0; fold < NF; ++fold) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II=1
#endif
            const ap_uint<PE * Input::width> word = in.read();
            typename Input::Value values[PE];
            for (int pe = 0; pe < PE; ++pe) {
#pragma HLS unroll
                values[pe] = finnmake::element<Input>(word, pe);
            }
            out.write(thresholds(values, fold));
        }
    }
}

#endif
