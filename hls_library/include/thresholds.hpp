// Offset plus the number of thresholds that each of PE values has reached, modulo the width of the output.
//
// Up to three thresholds are compared at once, more are searched; the memories are those of multi_threshold.v.

#ifndef FINNMAKE_THRESHOLDS_HPP
#define FINNMAKE_THRESHOLDS_HPP

#include "ap_int.h"
#include "datatypes.hpp"

namespace finnmake {

template <int PE, typename Threshold, typename Output, int NumSteps, int Offset, bool Shared = false>
struct Thresholds {
    static constexpr bool search = NumSteps > 3;
    static constexpr int stages = search ? bits_of_count(NumSteps) : 1;
    static constexpr int channels = Shared ? 1 : PE;
    static constexpr int word_width = channels * (search ? 1 : NumSteps) * Threshold::width;

    Memory<word_width, search ? Threshold::width : 32> memories[stages];

    template <typename Value>
    FINNMAKE_INLINE ap_uint<Output::width> search_count(const Value& value, int fold, int channel) const {
        FINNMAKE_HLS(inline)
        unsigned bits = 0;
        FINNMAKE_UNROLLED(stages)
        for (int stage = 0; stage < stages; ++stage) {
            FINNMAKE_HLS(unroll)
            const unsigned address = (static_cast<unsigned>(fold) << stage) | bits;
            const auto threshold = Threshold::decode(bits_at<Threshold::width>(memories[stage], address, channel));
            bits = 2 * bits + (value >= threshold ? 1 : 0);
        }
        return ap_uint<Output::width>(bits + Offset);
    }

    template <typename Value, typename Word>
    FINNMAKE_INLINE ap_uint<Output::width> compare_all(const Value& value, const Word& word, int channel) const {
        FINNMAKE_HLS(inline)
        unsigned reached = Offset;
        FINNMAKE_UNROLLED(NumSteps)
        for (int step = 0; step < NumSteps; ++step) {
            FINNMAKE_HLS(unroll)
            reached += value >= element<Threshold>(word, channel * NumSteps + step) ? 1 : 0;
        }
        return ap_uint<Output::width>(reached);
    }

    // The output word for PE values of a fold.
    template <typename Value>
    FINNMAKE_INLINE Word<PE * Output::width> operator()(const Value* values, int fold) const {
        FINNMAKE_HLS(inline)
        const int address = Shared ? 0 : fold;
        Word<PE * Output::width> result = 0;
        if constexpr (search) {
            FINNMAKE_UNROLLED(PE)
            for (int pe = 0; pe < PE; ++pe) {
                FINNMAKE_HLS(unroll)
                put_bits<Output::width>(result, pe, search_count(values[pe], address, Shared ? 0 : pe));
            }
        } else {
            const auto& word = memories[0][static_cast<unsigned>(address)];
            FINNMAKE_UNROLLED(PE)
            for (int pe = 0; pe < PE; ++pe) {
                FINNMAKE_HLS(unroll)
                put_bits<Output::width>(result, pe, compare_all(values[pe], word, Shared ? 0 : pe));
            }
        }
        return result;
    }
};

// In the place of Thresholds where the accumulators are the output.
template <int PE, typename Output>
struct NoActivation {
    template <typename Accumulator>
    FINNMAKE_INLINE Word<PE * Output::width> operator()(const Accumulator* accumulators, int) const {
        FINNMAKE_HLS(inline)
        Word<PE * Output::width> result = 0;
        FINNMAKE_UNROLLED(PE)
        for (int pe = 0; pe < PE; ++pe) {
            FINNMAKE_HLS(unroll)
            put_bits<Output::width>(result, pe, ap_uint<Output::width>(accumulators[pe]));
        }
        return result;
    }
};

}  // namespace finnmake

#endif
