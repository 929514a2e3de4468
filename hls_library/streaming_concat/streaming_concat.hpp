// Vectors of several streams one behind the other: Words[0] words of the first, Words[1] of the second, and so on.

#ifndef FINNMAKE_STREAMING_CONCAT_HPP
#define FINNMAKE_STREAMING_CONCAT_HPP

#include "ap_int.h"
#include "hls_stream.h"
#include "synthesis.hpp"

// Words: of a vector, one number a stream. Width depends on them in name only, to make as many parameters as there are streams.
template <int Width, unsigned Vectors, unsigned... Words>
FINNMAKE_INLINE
void streaming_concat(finnmake::Stream<Words != 0 ? Width : 0>&... in, finnmake::Stream<Width>& out,
                      unsigned frames) {
    FINNMAKE_HLS(inline)
    constexpr unsigned words = (Words + ...);
    // One loop: an inner one of a few words could be unrolled.
    unsigned word = 0;
    FINNMAKE_ROLLED
    for (unsigned step = 0; step < frames * Vectors * words; ++step) {
        FINNMAKE_HLS(pipeline II = 1)
        finnmake::Word<Width> value = 0;
        unsigned end = 0;
        bool found = false;
        // The stream that this word is of: the first whose words end behind it.
        ((end += Words, !found && word < end ? void((value = in.read(), found = true)) : void()), ...);
        out.write(value);
        word = word == words - 1 ? 0 : word + 1;
    }
}

#endif
