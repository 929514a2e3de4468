// Queue between two layers. In C++ it passes words on: capacity and timing are the Verilog's.

#ifndef FINNMAKE_STREAMING_FIFO_HPP
#define FINNMAKE_STREAMING_FIFO_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

template <int Width, unsigned WordsPerFrame>
FINNMAKE_INLINE
void streaming_fifo(finnmake::Stream<Width>& in, finnmake::Stream<Width>& out, unsigned frames) {
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * WordsPerFrame; ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        out.write(in.read());
    }
}

#endif
