// Matrix-vector product with PE x SIMD multipliers, output-stationary, with thresholds behind the accumulator or without.
//
// A vector is MW/SIMD words in and MH/PE words out. Weights: word fold * MW/SIMD + step, element pe * SIMD + simd.
// In xnor mode inputs and weights are bits for -1 and +1 and the accumulator counts equal ones.

#ifndef FINNMAKE_MATRIX_VECTOR_ACTIVATION_HPP
#define FINNMAKE_MATRIX_VECTOR_ACTIVATION_HPP

#include "ap_int.h"
#include "datatypes.hpp"
#include "hls_stream.h"
#include "read_ahead.hpp"
#include "streamed_weights.hpp"
#include "thresholds.hpp"

namespace finnmake {

// Adds the products of one step to the accumulators of PE outputs.
template <int SIMD, int PE, typename Input, typename Weight, bool Xnor, typename Weights, typename Accumulator>
FINNMAKE_INLINE
void multiply_accumulate(const Word<SIMD * Input::width>& inputs, const Weights& weights,
                         bool first, Accumulator* accumulators) {
    FINNMAKE_HLS(inline)
    FINNMAKE_UNROLLED(PE)
    for (int pe = 0; pe < PE; ++pe) {
        FINNMAKE_HLS(unroll)
        Accumulator sum = first ? Accumulator(0) : accumulators[pe];
        FINNMAKE_UNROLLED(SIMD)
        for (int simd = 0; simd < SIMD; ++simd) {
            FINNMAKE_HLS(unroll)
            if constexpr (Xnor) {
                // Bambu stops at a comparison of single bits that is added.
                const ap_uint<1> differ = bits_of<1>(inputs, simd) ^ bits_of<1>(weights, pe * SIMD + simd);
                sum = Accumulator(sum + 1 - static_cast<int>(differ));
            } else {
                sum = Accumulator(sum + element<Input>(inputs, simd) * element<Weight>(weights, pe * SIMD + simd));
            }
        }
        accumulators[pe] = sum;
    }
}

template <int MW, int MH, int SIMD, int PE, typename Input, typename Weight, typename Accumulator, typename Output,
          bool Xnor, int Vectors, typename Weights, typename Activation>
FINNMAKE_INLINE
void matrix_vector(finnmake::Stream<SIMD * Input::width>& in, finnmake::Stream<PE * Output::width>& out,
                   const Weights& weights, const Activation& activation, unsigned frames) {
    FINNMAKE_HLS(inline)
    constexpr int SF = MW / SIMD;
    constexpr int NF = MH / PE;
    typename Accumulator::Value accumulators[PE];
    FINNMAKE_HLS(array_partition variable = accumulators complete)

#if defined(FINNMAKE_BASIC_BLOCKS)
    // Bambu does not pipeline loops: a loop costs its states per iteration, so each inner loop is one basic block, and one
    // state where the words are not too many.
    RepeatedWords<SF, SIMD * Input::width> kept;
    ReadAhead<NF * SF, Weights> factors(weights);
    FINNMAKE_ROLLED
    for (unsigned vector = 0; vector < frames * Vectors; ++vector) {
        FINNMAKE_ROLLED
        for (int fold = 0; fold < NF; ++fold) {
            FINNMAKE_UNROLLED(PE)
            for (int pe = 0; pe < PE; ++pe) accumulators[pe] = typename Accumulator::Value(0);
            if (fold == 0) {
                FINNMAKE_ROLLED
                for (int step = 0; step < SF; ++step) {
                    const Word<SIMD * Input::width> word = in.read();
                    kept.put(step, word);
                    multiply_accumulate<SIMD, PE, Input, Weight, Xnor>(word, factors.next(), false, accumulators);
                }
            } else {
                FINNMAKE_ROLLED
                for (int step = 0; step < SF; ++step)
                    multiply_accumulate<SIMD, PE, Input, Weight, Xnor>(kept.next(step), factors.next(), false,
                                                                       accumulators);
            }
            out.write(activation(accumulators, fold));
        }
    }
#else
    // One loop over all steps of a frame, perfectly nested in the loop over frames: the tool makes one pipeline of them, and
    // no iteration is lost between folds, vectors or frames.
    Word<SIMD * Input::width> kept[SF];
    int fold = 0;
    int step = 0;
    FINNMAKE_ROLLED
    for (unsigned frame = 0; frame < frames; ++frame) {
        FINNMAKE_ROLLED
        for (int total = 0; total < Vectors * NF * SF; ++total) {
            FINNMAKE_HLS(pipeline II = 1)
            const bool last_step = step == SF - 1;
            Word<SIMD * Input::width> word;
            if (fold == 0) {
                word = in.read();
                kept[step] = word;
            } else {
                word = kept[step];
            }
            multiply_accumulate<SIMD, PE, Input, Weight, Xnor>(word, weights[fold * SF + step], step == 0,
                                                               accumulators);
            if (last_step) out.write(activation(accumulators, fold));
            step = last_step ? 0 : step + 1;
            if (last_step) fold = fold == NF - 1 ? 0 : fold + 1;
        }
    }
#endif
}

}  // namespace finnmake

// With thresholds.
template <int MW, int MH, int SIMD, int PE, typename Input, typename Weight, typename Accumulator, typename Output,
          typename Threshold, int NumSteps, int Offset, bool Xnor, int Vectors>
FINNMAKE_INLINE
void matrix_vector_activation(finnmake::Stream<SIMD * Input::width>& in,
                              finnmake::Stream<PE * Output::width>& out,
                              const finnmake::Memory<PE * SIMD * Weight::width>& weights,
                              const finnmake::Thresholds<PE, Threshold, Output, NumSteps, Offset>& thresholds,
                              unsigned frames) {
    FINNMAKE_HLS(inline)
    finnmake::matrix_vector<MW, MH, SIMD, PE, Input, Weight, Accumulator, Output, Xnor, Vectors>(in, out, weights,
                                                                                                 thresholds, frames);
}

// Without: the accumulators are the output. NumSteps and Offset are 0, Threshold says nothing.
template <int MW, int MH, int SIMD, int PE, typename Input, typename Weight, typename Accumulator, typename Output,
          typename Threshold, int NumSteps, int Offset, bool Xnor, int Vectors>
FINNMAKE_INLINE
void matrix_vector_activation(finnmake::Stream<SIMD * Input::width>& in,
                              finnmake::Stream<PE * Output::width>& out,
                              const finnmake::Memory<PE * SIMD * Weight::width>& weights, unsigned frames) {
    FINNMAKE_HLS(inline)
    static_assert(NumSteps == 0 && Offset == 0, "thresholds are missing");
    const finnmake::NoActivation<PE, Output> activation{};
    finnmake::matrix_vector<MW, MH, SIMD, PE, Input, Weight, Accumulator, Output, Xnor, Vectors>(in, out, weights,
                                                                                                 activation, frames);
}

// The same two with weights from a stream, in the order of the memory, all of them for each vector.
template <int MW, int MH, int SIMD, int PE, typename Input, typename Weight, typename Accumulator, typename Output,
          typename Threshold, int NumSteps, int Offset, bool Xnor, int Vectors>
FINNMAKE_INLINE
void matrix_vector_activation(finnmake::Stream<SIMD * Input::width>& in,
                              finnmake::Stream<PE * SIMD * Weight::width>& weights,
                              finnmake::Stream<PE * Output::width>& out,
                              const finnmake::Thresholds<PE, Threshold, Output, NumSteps, Offset>& thresholds,
                              unsigned frames) {
    FINNMAKE_HLS(inline)
    const finnmake::StreamedWeights<PE * SIMD * Weight::width> words{weights};
    finnmake::matrix_vector<MW, MH, SIMD, PE, Input, Weight, Accumulator, Output, Xnor, Vectors>(in, out, words,
                                                                                                 thresholds, frames);
}

template <int MW, int MH, int SIMD, int PE, typename Input, typename Weight, typename Accumulator, typename Output,
          typename Threshold, int NumSteps, int Offset, bool Xnor, int Vectors>
FINNMAKE_INLINE
void matrix_vector_activation(finnmake::Stream<SIMD * Input::width>& in,
                              finnmake::Stream<PE * SIMD * Weight::width>& weights,
                              finnmake::Stream<PE * Output::width>& out, unsigned frames) {
    FINNMAKE_HLS(inline)
    static_assert(NumSteps == 0 && Offset == 0, "thresholds are missing");
    const finnmake::StreamedWeights<PE * SIMD * Weight::width> words{weights};
    const finnmake::NoActivation<PE, Output> activation{};
    finnmake::matrix_vector<MW, MH, SIMD, PE, Input, Weight, Accumulator, Output, Xnor, Vectors>(in, out, words,
                                                                                                 activation, frames);
}

#endif
