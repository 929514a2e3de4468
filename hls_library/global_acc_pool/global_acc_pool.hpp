// The sum of each channel over Pixels pixels of Folds words.

#ifndef FINNMAKE_GLOBAL_ACC_POOL_HPP
#define FINNMAKE_GLOBAL_ACC_POOL_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"

template <int PE, int Folds, int Pixels, typename Input, typename Output>
FINNMAKE_INLINE
void global_acc_pool(hls::stream<ap_uint<PE * Input::width>>& in, hls::stream<ap_uint<PE * Output::width>>& out,
                     unsigned frames) {
    FINNMAKE_HLS(inline)
    ap_uint<PE * Output::width> sums[Folds];
    FINNMAKE_ROLLED
    for (unsigned frame = 0; frame < frames; ++frame) {
        FINNMAKE_ROLLED
        for (int pixel = 0; pixel < Pixels; ++pixel) {
            FINNMAKE_ROLLED
            for (int fold = 0; fold < Folds; ++fold) {
                FINNMAKE_HLS(pipeline II = 1)
                const ap_uint<PE * Input::width> word = in.read();
                const ap_uint<PE * Output::width> before = pixel == 0 ? ap_uint<PE * Output::width>(0) : sums[fold];
                ap_uint<PE * Output::width> next = 0;
                FINNMAKE_UNROLLED(PE)
                for (int pe = 0; pe < PE; ++pe) {
                    FINNMAKE_HLS(unroll)
                    const typename Output::Value sum = typename Output::Value(finnmake::element<Output>(before, pe) +
                                                                              finnmake::element<Input>(word, pe));
                    finnmake::put_bits<Output::width>(next, pe, ap_uint<Output::width>(sum));
                }
                sums[fold] = next;
                if (pixel == Pixels - 1) out.write(next);
            }
        }
    }
}

#endif
