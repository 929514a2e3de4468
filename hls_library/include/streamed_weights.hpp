// Weights that come on a stream, in the place of a memory that is read in order.

#ifndef FINNMAKE_STREAMED_WEIGHTS_HPP
#define FINNMAKE_STREAMED_WEIGHTS_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

namespace finnmake {

template <int Width>
struct StreamedWeights {
    Stream<Width>& words;

    // The next word: memories are read once an index, and in order.
    FINNMAKE_INLINE Word<Width> operator[](int) const {
        FINNMAKE_HLS(inline)
        return words.read();
    }
};

}  // namespace finnmake

#endif
