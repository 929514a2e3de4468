// The words of a vector to several streams: the first Words[0] words to the first, the next Words[1] to the second, and so on.

#ifndef FINNMAKE_STREAMING_SPLIT_HPP
#define FINNMAKE_STREAMING_SPLIT_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

// Words: of a vector, one number a stream. Width depends on them in name only, to make as many parameters as there are streams.
template <int Width, unsigned Vectors, unsigned... Words>
FINNMAKE_INLINE
void streaming_split(finnmake::Stream<Width>& in, finnmake::Stream<Words != 0 ? Width : 0>&... out,
                     unsigned frames) {
    FINNMAKE_HLS(inline)
    constexpr unsigned words = (Words + ...);
    // One loop: an inner one of a few words could be unrolled.
    unsigned word = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * Vectors * words; ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        const finnmake::Word<Width> value = in.read();
        unsigned end = 0;
        bool found = false;
        // The stream that this word is of: the first whose words end behind it.
        ((end += Words, !found && word < end ? void((out.write(value), found = true)) : void()), ...);
        word = word == words - 1 ? 0 : word + 1;
    }
}

#endif
