// Sliding windows over an image: word by word (serial_windows.hpp), or each window in one word (parallel_windows.hpp). Numbers
// are the template arguments of these, behind the width.

#ifndef FINNMAKE_CONVOLUTION_INPUT_GENERATOR_HPP
#define FINNMAKE_CONVOLUTION_INPUT_GENERATOR_HPP

#include "parallel_windows.hpp"
#include "serial_windows.hpp"

template <bool Parallel, int Width, int OutputWidth, int... Numbers>
FINNMAKE_INLINE
void convolution_input_generator(finnmake::Stream<Width>& in, finnmake::Stream<OutputWidth>& out,
                                 unsigned frames) {
    FINNMAKE_HLS(inline)
    if constexpr (Parallel) {
        parallel_windows<Width, Numbers...>(in, out, frames);
    } else {
        serial_windows<Width, Numbers...>(in, out, frames);
    }
}

#endif
