// (value * multiplier + bias) / 2**Shift per channel, rounded and clipped to the output's range.
//
// Rounding: 0 towards minus infinity, 1 to the nearest and halves up, 2 to the nearest and halves to the even number.

#ifndef FINNMAKE_REQUANT_HPP
#define FINNMAKE_REQUANT_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"

template <int PE, int Folds, int Vectors, typename Input, typename Multiplier, typename Bias, int AccWidth, int Shift,
          int Rounding, typename Output, bool OutputSigned>
FINNMAKE_INLINE
void requant(finnmake::Stream<PE * Input::width>& in, finnmake::Stream<PE * Output::width>& out,
             const finnmake::Memory<PE * Multiplier::width>& multipliers, const finnmake::Memory<PE * Bias::width>& biases,
             unsigned frames) {
    FINNMAKE_HLS(inline)
    constexpr int wide = (AccWidth > Output::width ? AccWidth : Output::width) + 1;
    using Wide = ap_int<wide>;
    const Wide one = 1;
    const Wide half = Rounding != 0 && Shift > 0 ? Wide(one << (Shift > 0 ? Shift - 1 : 0)) : Wide(0);
    const Wide largest = Wide(one << (Output::width - OutputSigned)) - one;
    const Wide smallest = OutputSigned ? Wide(Wide(0) - largest - one) : Wide(0);
    int fold = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * (Vectors * Folds); ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<PE * Input::width> word = in.read();
        finnmake::Word<PE * Output::width> results = 0;
        FINNMAKE_UNROLLED(PE)
        for (int pe = 0; pe < PE; ++pe) {
            FINNMAKE_HLS(unroll)
            const ap_int<Input::width + 1> value = finnmake::element<Input>(word, pe);
            const ap_int<Multiplier::width> multiplier = finnmake::element<Multiplier>(multipliers[fold], pe);
            const Wide bias = finnmake::element<Bias>(biases[fold], pe);
            const Wide product = Wide(value * multiplier) + bias;
            Wide result = Wide(product + half) >> Shift;
            // Halves went up; of those that came from a half, odd ones are one too large.
            if (Rounding == 2 && Shift > 0 && Wide(result << Shift) == Wide(product + half) && result[0] == 1)
                result = result - one;
            if (result > largest) result = largest;
            if (result < smallest) result = smallest;
            finnmake::put_bits<Output::width>(results, pe, ap_uint<Output::width>(result));
        }
        out.write(results);
        fold = fold == Folds - 1 ? 0 : fold + 1;
    }
}

#endif
