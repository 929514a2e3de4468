// The largest of a window's Taps words, channel by channel, or with Sum their sum without its Shift lowest bits.

#ifndef FINNMAKE_POOL_HPP
#define FINNMAKE_POOL_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"

template <int PE, int Taps, bool Sum, typename Input, typename Accumulator, int Shift, int OutputWidth, unsigned Results>
void pool(hls::stream<ap_uint<PE * Input::width>>& in, hls::stream<ap_uint<PE * OutputWidth>>& out, unsigned frames) {
#pragma HLS inline
    typename Accumulator::Value held[PE];
#pragma HLS array_partition variable=held complete
    for (unsigned long long count = 0; count < static_cast<unsigned long long>(frames) * Results; ++count) {
        for (int tap = 0; tap < Taps; ++tap) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II = 1
#endif
            const ap_uint<PE * Input::width> word = in.read();
            ap_uint<PE * OutputWidth> result = 0;
            for (int pe = 0; pe < PE; ++pe) {
#pragma HLS unroll
                const typename Accumulator::Value value = typename Accumulator::Value(finnmake::element<Input>(word, pe));
                if (tap == 0) {
                    held[pe] = value;
                } else if (Sum) {
                    held[pe] = typename Accumulator::Value(held[pe] + value);
                } else if (value > held[pe]) {
                    held[pe] = value;
                }
                const typename Accumulator::Value shifted = held[pe] >> Shift;
                result.range((pe + 1) * OutputWidth - 1, pe * OutputWidth) = ap_uint<OutputWidth>(shifted);
            }
            if (tap == Taps - 1) out.write(result);
        }
    }
}

#endif
