// Offset plus the number of thresholds that each of PE values has reached, modulo the width of the output.
//
// Up to three thresholds are compared at once, more are searched; the memories are those of multi_threshold.v.

#ifndef FINNMAKE_THRESHOLDS_HPP
#define FINNMAKE_THRESHOLDS_HPP

#include "ap_int.h"
#include "datatypes.hpp"

namespace finnmake {

// Bits of a number from 0 to `largest`.
constexpr int bits_of_count(int largest) { return largest == 0 ? 0 : 1 + bits_of_count(largest / 2); }

template <int PE, typename Threshold, typename Output, int NumSteps, int Offset, bool Shared = false>
struct Thresholds {
    static constexpr bool search = NumSteps > 3;
    static constexpr int stages = search ? bits_of_count(NumSteps) : 1;
    static constexpr int channels = Shared ? 1 : PE;
    using Word = ap_uint<channels*(search ? 1 : NumSteps) * Threshold::width>;

    const Word* memories[stages];

    template <typename Value>
    ap_uint<Output::width> count(const Value& value, int fold, int channel) const {
#pragma HLS inline
        if constexpr (search) {
            unsigned bits = 0;
            for (int stage = 0; stage < stages; ++stage) {
#pragma HLS unroll
                const Word word = memories[stage][(static_cast<unsigned>(fold) << stage) | bits];
                bits = 2 * bits + (value >= element<Threshold>(word, channel) ? 1 : 0);
            }
            return ap_uint<Output::width>(bits + Offset);
        } else {
            const Word word = memories[0][fold];
            ap_uint<Output::width> reached = Offset;
            for (int step = 0; step < NumSteps; ++step) {
#pragma HLS unroll
                if (value >= element<Threshold>(word, channel * NumSteps + step)) reached = reached + 1;
            }
            return reached;
        }
    }

    // The output word for PE values of a fold.
    template <typename Value>
    ap_uint<PE * Output::width> operator()(const Value* values, int fold) const {
#pragma HLS inline
        ap_uint<PE * Output::width> result = 0;
        for (int pe = 0; pe < PE; ++pe) {
#pragma HLS unroll
            result.range((pe + 1) * Output::width - 1, pe * Output::width) =
                count(values[pe], Shared ? 0 : fold, Shared ? 0 : pe);
        }
        return result;
    }
};

// In the place of Thresholds where the accumulators are the output.
template <int PE, typename Output>
struct NoActivation {
    template <typename Accumulator>
    ap_uint<PE * Output::width> operator()(const Accumulator* accumulators, int) const {
#pragma HLS inline
        ap_uint<PE * Output::width> result = 0;
        for (int pe = 0; pe < PE; ++pe) {
#pragma HLS unroll
            result.range((pe + 1) * Output::width - 1, pe * Output::width) = ap_uint<Output::width>(accumulators[pe]);
        }
        return result;
    }
};

}  // namespace finnmake

#endif
