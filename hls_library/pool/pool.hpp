// The largest of a window's Taps words, channel by channel, or with Sum their sum without its Shift lowest bits.

#ifndef FINNMAKE_POOL_HPP
#define FINNMAKE_POOL_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"

template <int PE, int Taps, bool Sum, typename Input, typename Accumulator, int Shift, int OutputWidth, unsigned Results>
FINNMAKE_INLINE
void pool(finnmake::Stream<PE * Input::width>& in, finnmake::Stream<PE * OutputWidth>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    using Value = typename Accumulator::Value;
    Value held[PE];
    FINNMAKE_HLS(array_partition variable = held complete)
    int tap = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * (Results * Taps); ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<PE * Input::width> word = in.read();
        finnmake::Word<PE * OutputWidth> result = 0;
        FINNMAKE_UNROLLED(PE)
        for (int pe = 0; pe < PE; ++pe) {
            FINNMAKE_HLS(unroll)
            const Value value = Value(finnmake::element<Input>(word, pe));
            const Value before = tap == 0 ? (Sum ? Value(0) : Accumulator::smallest()) : Value(held[pe]);
            held[pe] = Sum ? Value(before + value) : value > before ? Value(value) : Value(before);
            const Value shifted = Value(held[pe] >> Shift);
            finnmake::put_bits<OutputWidth>(result, pe, ap_uint<OutputWidth>(shifted));
        }
        if (tap == Taps - 1) out.write(result);
        tap = tap == Taps - 1 ? 0 : tap + 1;
    }
}

#endif
