// The same words to several streams.

#ifndef FINNMAKE_DUPLICATE_STREAMS_HPP
#define FINNMAKE_DUPLICATE_STREAMS_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

// Stream: 0, 1, … for each output. Width depends on them in name only, to make as many parameters as there are streams.
template <int Width, unsigned Words, int... Stream>
FINNMAKE_INLINE
void duplicate_streams(finnmake::Stream<Width>& in, finnmake::Stream<Stream >= 0 ? Width : 0>&... out,
                       unsigned frames) {
    FINNMAKE_ROLLED
    for (unsigned word = 0; word < frames * Words; ++word) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<Width> value = in.read();
        (out.write(value), ...);
    }
}

#endif
