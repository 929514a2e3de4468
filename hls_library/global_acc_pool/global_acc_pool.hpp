// The sum of each channel over Pixels pixels of Folds words.

#ifndef FINNMAKE_GLOBAL_ACC_POOL_HPP
#define FINNMAKE_GLOBAL_ACC_POOL_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"

template <int PE, int Folds, int Pixels, typename Input, typename Output>
FINNMAKE_INLINE
void global_acc_pool(finnmake::Stream<PE * Input::width>& in, finnmake::Stream<PE * Output::width>& out,
                     unsigned frames) {
    FINNMAKE_HLS(inline)
    using Sums = finnmake::Word<PE * Output::width>;
    Sums sums[Folds];
    int pixel = 0;
    int fold = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * (Pixels * Folds); ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<PE * Input::width> word = in.read();
        const Sums before = pixel == 0 ? Sums(0) : sums[fold];
        Sums next = 0;
        FINNMAKE_UNROLLED(PE)
        for (int pe = 0; pe < PE; ++pe) {
            FINNMAKE_HLS(unroll)
            const typename Output::Value sum = typename Output::Value(finnmake::element<Output>(before, pe) +
                                                                      finnmake::element<Input>(word, pe));
            finnmake::put_bits<Output::width>(next, pe, ap_uint<Output::width>(sum));
        }
        sums[fold] = next;
        if (pixel == Pixels - 1) out.write(next);
        const bool last = fold == Folds - 1;
        fold = last ? 0 : fold + 1;
        if (last) pixel = pixel == Pixels - 1 ? 0 : pixel + 1;
    }
}

#endif
