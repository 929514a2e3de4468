// hls::stream whose words come and go outside of what a compiler sees, as those of an HLS tool do.

#ifndef FINNMAKE_TEST_HLS_STREAM_H
#define FINNMAKE_TEST_HLS_STREAM_H

namespace hls {

template <typename T>
struct stream {
    T read();
    void write(const T& word);
};

}  // namespace hls

#endif
