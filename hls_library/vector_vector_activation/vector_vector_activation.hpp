// Each channel of a window by weights of its own, summed over the window's Taps, with thresholds behind the sum or without.
//
// A window is Channels/PE folds of Taps/SIMD words of SIMD taps of PE channels, element simd * PE + pe, and Channels/PE words
// out. Weights: word fold * Taps/SIMD + step, element pe * SIMD + simd.

#ifndef FINNMAKE_VECTOR_VECTOR_ACTIVATION_HPP
#define FINNMAKE_VECTOR_VECTOR_ACTIVATION_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"
#include "thresholds.hpp"

namespace finnmake {

template <int Channels, int PE, int SIMD, int Taps, typename Input, typename Weight, typename Accumulator, typename Output,
          int Windows, typename Activation>
FINNMAKE_INLINE
void vector_vector(finnmake::Stream<PE * SIMD * Input::width>& in, finnmake::Stream<PE * Output::width>& out,
                   const finnmake::Memory<PE * SIMD * Weight::width>& weights, const Activation& activation, unsigned frames) {
    FINNMAKE_HLS(inline)
    constexpr int NF = Channels / PE;
    constexpr int SF = Taps / SIMD;
    typename Accumulator::Value accumulators[PE];
    FINNMAKE_HLS(array_partition variable = accumulators complete)
    int fold = 0;
    int step = 0;
    FINNMAKE_ROLLED
    for (unsigned total = 0; total < frames * (Windows * NF * SF); ++total) {
        FINNMAKE_HLS(pipeline II = 1)
        const Word<PE * SIMD * Input::width> word = in.read();
        const auto& factors = weights[fold * SF + step];
        FINNMAKE_UNROLLED(PE)
        for (int pe = 0; pe < PE; ++pe) {
            FINNMAKE_HLS(unroll)
            typename Accumulator::Value sum = step == 0 ? typename Accumulator::Value(0) : accumulators[pe];
            FINNMAKE_UNROLLED(SIMD)
            for (int simd = 0; simd < SIMD; ++simd) {
                FINNMAKE_HLS(unroll)
                sum = typename Accumulator::Value(sum + element<Input>(word, simd * PE + pe) *
                                                            element<Weight>(factors, pe * SIMD + simd));
            }
            accumulators[pe] = sum;
        }
        const bool last = step == SF - 1;
        if (last) out.write(activation(accumulators, fold));
        step = last ? 0 : step + 1;
        if (last) fold = fold == NF - 1 ? 0 : fold + 1;
    }
}

}  // namespace finnmake

// With thresholds.
template <int Channels, int PE, int SIMD, int Taps, typename Input, typename Weight, typename Accumulator, typename Output,
          typename Threshold, int NumSteps, int Offset, int Windows>
FINNMAKE_INLINE
void vector_vector_activation(finnmake::Stream<PE * SIMD * Input::width>& in,
                              finnmake::Stream<PE * Output::width>& out,
                              const finnmake::Memory<PE * SIMD * Weight::width>& weights,
                              const finnmake::Thresholds<PE, Threshold, Output, NumSteps, Offset>& thresholds,
                              unsigned frames) {
    FINNMAKE_HLS(inline)
    finnmake::vector_vector<Channels, PE, SIMD, Taps, Input, Weight, Accumulator, Output, Windows>(in, out, weights, thresholds,
                                                                                             frames);
}

// Without: the sums are the output. NumSteps and Offset are 0, Threshold says nothing.
template <int Channels, int PE, int SIMD, int Taps, typename Input, typename Weight, typename Accumulator, typename Output,
          typename Threshold, int NumSteps, int Offset, int Windows>
FINNMAKE_INLINE
void vector_vector_activation(finnmake::Stream<PE * SIMD * Input::width>& in,
                              finnmake::Stream<PE * Output::width>& out,
                              const finnmake::Memory<PE * SIMD * Weight::width>& weights, unsigned frames) {
    FINNMAKE_HLS(inline)
    static_assert(NumSteps == 0 && Offset == 0, "thresholds are missing");
    const finnmake::NoActivation<PE, Output> activation{};
    finnmake::vector_vector<Channels, PE, SIMD, Taps, Input, Weight, Accumulator, Output, Windows>(in, out, weights, activation,
                                                                                             frames);
}

#endif
