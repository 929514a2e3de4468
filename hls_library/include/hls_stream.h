// hls::stream<T> for simulation: an unbounded queue. Reading an empty stream is an error, not a wait.

#ifndef FINNMAKE_HLS_STREAM_H
#define FINNMAKE_HLS_STREAM_H

#include <cstddef>
#include <deque>
#include <stdexcept>
#include <string>
#include <utility>

namespace hls {

template <typename T>
class stream {
    std::deque<T> words;
    std::string name;

  public:
    using value_type = T;

    stream() : name("stream") {}
    explicit stream(const char* stream_name) : name(stream_name) {}
    // A stream is a wire, not a value.
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    T read() {
        if (words.empty()) throw std::runtime_error("read of " + name + ", which is empty");
        T word = std::move(words.front());
        words.pop_front();
        return word;
    }
    void read(T& word) { word = read(); }
    bool read_nb(T& word) {
        if (words.empty()) return false;
        word = read();
        return true;
    }
    void write(const T& word) { words.push_back(word); }
    bool write_nb(const T& word) {
        write(word);
        return true;
    }
    stream& operator>>(T& word) {
        read(word);
        return *this;
    }
    stream& operator<<(const T& word) {
        write(word);
        return *this;
    }
    bool empty() const { return words.empty(); }
    bool full() const { return false; }
    std::size_t size() const { return words.size(); }
};

}  // namespace hls

#endif
