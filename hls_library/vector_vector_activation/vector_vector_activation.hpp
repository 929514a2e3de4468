// Each channel of a window by weights of its own, summed over the window's Taps, with thresholds behind the sum or without.
//
// A window is Channels/PE folds of Taps words of PE channels, and Channels/PE words out. Weights: word fold * Taps + tap,
// element pe.

#ifndef FINNMAKE_VECTOR_VECTOR_ACTIVATION_HPP
#define FINNMAKE_VECTOR_VECTOR_ACTIVATION_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"
#include "thresholds.hpp"

namespace finnmake {

template <int Channels, int PE, int Taps, typename Input, typename Weight, typename Accumulator, typename Output,
          int Windows, typename Activation>
void vector_vector(hls::stream<ap_uint<PE * Input::width>>& in, hls::stream<ap_uint<PE * Output::width>>& out,
                   const ap_uint<PE * Weight::width>* weights, const Activation& activation, unsigned frames) {
#pragma HLS inline
    constexpr int NF = Channels / PE;
    typename Accumulator::Value accumulators[PE];
#pragma HLS array_partition variable=accumulators complete
    int fold = 0;
    int tap = 0;
    for (unsigned frame = 0; frame < frames; ++frame) {
        for (int total = 0; total < Windows * NF * Taps; ++total) {
#if !defined(__BAMBU__)
#pragma HLS pipeline II = 1
#endif
            const ap_uint<PE * Input::width> word = in.read();
            const ap_uint<PE * Weight::width> factors = weights[fold * Taps + tap];
            for (int pe = 0; pe < PE; ++pe) {
#pragma HLS unroll
                const typename Accumulator::Value before = tap == 0 ? typename Accumulator::Value(0) : accumulators[pe];
                accumulators[pe] =
                    typename Accumulator::Value(before + element<Input>(word, pe) * element<Weight>(factors, pe));
            }
            const bool last = tap == Taps - 1;
            if (last) out.write(activation(accumulators, fold));
            tap = last ? 0 : tap + 1;
            if (last) fold = fold == NF - 1 ? 0 : fold + 1;
        }
    }
}

// What turns PE sums into an output word where there are no thresholds.
template <int PE, typename Output>
struct SumsAsTheyAre {
    template <typename Accumulator>
    ap_uint<PE * Output::width> operator()(const Accumulator* sums, int) const {
#pragma HLS inline
        ap_uint<PE * Output::width> result = 0;
        for (int pe = 0; pe < PE; ++pe) {
#pragma HLS unroll
            result.range((pe + 1) * Output::width - 1, pe * Output::width) = ap_uint<Output::width>(sums[pe]);
        }
        return result;
    }
};

}  // namespace finnmake

// With thresholds.
template <int Channels, int PE, int Taps, typename Input, typename Weight, typename Accumulator, typename Output,
          typename Threshold, int NumSteps, int Offset, int Windows>
void vector_vector_activation(hls::stream<ap_uint<PE * Input::width>>& in,
                              hls::stream<ap_uint<PE * Output::width>>& out,
                              const ap_uint<PE * Weight::width>* weights,
                              const finnmake::Thresholds<PE, Threshold, Output, NumSteps, Offset>& thresholds,
                              unsigned frames) {
#pragma HLS inline
    finnmake::vector_vector<Channels, PE, Taps, Input, Weight, Accumulator, Output, Windows>(in, out, weights, thresholds,
                                                                                             frames);
}

// Without: the sums are the output. NumSteps and Offset are 0, Threshold says nothing.
template <int Channels, int PE, int Taps, typename Input, typename Weight, typename Accumulator, typename Output,
          typename Threshold, int NumSteps, int Offset, int Windows>
void vector_vector_activation(hls::stream<ap_uint<PE * Input::width>>& in,
                              hls::stream<ap_uint<PE * Output::width>>& out,
                              const ap_uint<PE * Weight::width>* weights, unsigned frames) {
#pragma HLS inline
    static_assert(NumSteps == 0 && Offset == 0, "thresholds are missing");
    const finnmake::SumsAsTheyAre<PE, Output> activation{};
    finnmake::vector_vector<Channels, PE, Taps, Input, Weight, Accumulator, Output, Windows>(in, out, weights, activation,
                                                                                             frames);
}

#endif
