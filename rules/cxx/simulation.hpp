// Makes a simulation of a generated C++ top: memories loaded from files, whole batches in one call.
//
// The top includes this header under FINNMAKE_SIMULATION and uses two macros; finnmake/runtime/cppsim.py shows a whole top.
//
//   FINNMAKE_MEMORY(name, width, depth)   an array `name` of ap_uint<width>, loaded from a $readmemh file before each run
//   FINNMAKE_SIMULATE(function, finnmake::Inputs<finnmake::Port<width, words_per_frame>…>, finnmake::Outputs<…>)
//                                         exports the driver of void function(in&…, out&…, unsigned frames)

//
// C's files and locks: the headers of C++'s are a quarter of a small core's compile time.

#ifndef FINNMAKE_SIMULATION_HPP
#define FINNMAKE_SIMULATION_HPP

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "ap_int.h"
#include "hls_stream.h"

#define FINNMAKE_EXPORT __attribute__((visibility("default")))

namespace finnmake {

struct LoadedMemory {
    std::string name;
    void (*load)(const std::string& path);
};

inline std::vector<LoadedMemory>& memories() {
    static std::vector<LoadedMemory> all;
    return all;
}

inline unsigned hex_digit(char digit, const std::string& path) {
    if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
    if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a' + 10);
    if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A' + 10);
    throw std::runtime_error(path + ": '" + digit + "' is not a hex digit");
}

// The next word between white space; whether there was one.
inline bool read_word(std::FILE* file, std::string& text) {
    const auto is_space = [](int letter) { return letter == ' ' || (letter >= '\t' && letter <= '\r'); };
    int letter = std::getc(file);
    while (is_space(letter)) letter = std::getc(file);
    for (text.clear(); letter != EOF && !is_space(letter); letter = std::getc(file)) text += static_cast<char>(letter);
    return !text.empty();
}

template <int Width>
void load_memory(const std::string& path, ap_uint<Width>* words, std::size_t depth) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "r"), std::fclose);
    if (!file) throw std::runtime_error(path + ": cannot be read");
    std::string text;
    std::size_t index = 0;
    for (; index < depth && read_word(file.get(), text); ++index) {
        ap_uint<Width> word = 0;
        int bit = 0;
        for (auto digit = text.rbegin(); digit != text.rend(); ++digit, bit += 4) {
            const unsigned value = hex_digit(*digit, path);
            for (int i = 0; i < 4; ++i) {
                if (((value >> i) & 1u) == 0) continue;
                if (bit + i >= Width)
                    throw std::runtime_error(path + ": word " + std::to_string(index) + " has more than " +
                                             std::to_string(Width) + " bits");
                word[bit + i] = true;
            }
        }
        words[index] = word;
    }
    if (index != depth || read_word(file.get(), text))
        throw std::runtime_error(path + ": does not have " + std::to_string(depth) + " words");
}

// Held while it lives.
class Lock {
    pthread_mutex_t& mutex;

  public:
    explicit Lock(pthread_mutex_t& held) : mutex(held) { pthread_mutex_lock(&mutex); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() { pthread_mutex_unlock(&mutex); }
};

struct Registration {
    Registration(const char* name, void (*load)(const std::string&)) { memories().push_back({name, load}); }
};

template <int Width>
ap_uint<Width> from_bytes(const std::uint8_t* bytes) {
    ap_uint<Width> word = 0;
    for (int bit = 0; bit < Width; bit += 8) {
        const int top = bit + 7 < Width ? bit + 7 : Width - 1;
        word.range(top, bit) = bytes[bit / 8];
    }
    return word;
}

template <int Width>
void to_bytes(const ap_uint<Width>& word, std::uint8_t* bytes) {
    for (int bit = 0; bit < Width; bit += 8) {
        const int top = bit + 7 < Width ? bit + 7 : Width - 1;
        bytes[bit / 8] = static_cast<std::uint8_t>(word.range(top, bit).to_uint());
    }
}

// Both mirrored by finnmake.runtime.cppsim.
struct Words {
    std::uint8_t* bytes;
    std::uint64_t count;  // how many there are, or must come
    std::uint64_t moved;  // how many were taken, or came
};
struct RunArguments {
    Words* inputs;
    Words* outputs;
    const char* const* memory_names;
    const char* const* memory_files;
    std::uint64_t memory_count;
    char message[1024];
};

enum Status { done = 0, wrong_words = 1, failed = 2 };

inline void load_memories(const RunArguments& a) {
    for (const LoadedMemory& memory : memories()) {
        bool found = false;
        for (std::uint64_t i = 0; i < a.memory_count; ++i) {
            if (memory.name != a.memory_names[i]) continue;
            memory.load(a.memory_files[i]);
            found = true;
        }
        if (!found) throw std::runtime_error("no file is given for memory " + memory.name);
    }
}

// One stream of a core: a queue that is filled before the core runs, or emptied afterwards.
template <int Width, unsigned WordsPerFrame>
struct Port {
    static constexpr std::uint32_t width = Width;
    static constexpr std::size_t bytes = (Width + 7) / 8;
    using Stream = hls::stream<ap_uint<Width>>;
    Stream stream;

    void fill(const Words& words, std::uint64_t frames) {
        if (words.count != frames * WordsPerFrame)
            throw std::runtime_error(std::to_string(words.count) + " words are no whole number of frames of " +
                                     std::to_string(WordsPerFrame) + " words, or not as many as of the first input");
        for (std::uint64_t i = 0; i < words.count; ++i) stream.write(from_bytes<Width>(words.bytes + i * bytes));
    }
    void count_taken(Words& words) const { words.moved = words.count - stream.size(); }
    void count_made(Words& words) const { words.moved = stream.size(); }
    void empty(const Words& words) {
        for (std::uint64_t i = 0; i < words.count; ++i) to_bytes(stream.read(), words.bytes + i * bytes);
    }
    static std::uint64_t frames(const Words& words) { return words.count / WordsPerFrame; }
};

template <typename... Ports>
struct Inputs;
template <typename... Ports>
struct Outputs;
template <typename Inputs, typename Outputs>
struct Simulation;

template <typename FirstInput, typename... MoreInputs, typename... OutputPorts>
struct Simulation<Inputs<FirstInput, MoreInputs...>, Outputs<OutputPorts...>> {
    // A zero ends each.
    static constexpr std::uint32_t input_widths[] = {FirstInput::width, MoreInputs::width..., 0};
    static constexpr std::uint32_t output_widths[] = {OutputPorts::width..., 0};

    using Top = void (*)(typename FirstInput::Stream&, typename MoreInputs::Stream&..., typename OutputPorts::Stream&...,
                         unsigned);

    static int run(Top top, RunArguments& a) {
        // The memories belong to the shared object, not to a caller: one run at a time.
        static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
        const Lock lock(one_at_a_time);
        try {
            load_memories(a);
            std::tuple<FirstInput, MoreInputs...> inputs;
            std::tuple<OutputPorts...> outputs;
            const std::uint64_t frames = FirstInput::frames(a.inputs[0]);
            Words* words = a.inputs;
            std::apply([&](auto&... port) { (port.fill(*words++, frames), ...); }, inputs);
            std::apply(
                [&](auto&... in) {
                    std::apply([&](auto&... out) { top(in.stream..., out.stream..., static_cast<unsigned>(frames)); },
                               outputs);
                },
                inputs);
            words = a.inputs;
            std::apply([&](const auto&... port) { (port.count_taken(*words++), ...); }, inputs);
            words = a.outputs;
            std::apply([&](const auto&... port) { (port.count_made(*words++), ...); }, outputs);
            for (std::size_t i = 0; i < 1 + sizeof...(MoreInputs); ++i)
                if (a.inputs[i].moved != a.inputs[i].count) return wrong_words;
            for (std::size_t i = 0; i < sizeof...(OutputPorts); ++i)
                if (a.outputs[i].moved != a.outputs[i].count) return wrong_words;
            words = a.outputs;
            std::apply([&](auto&... port) { (port.empty(*words++), ...); }, outputs);
            return done;
        } catch (const std::exception& error) {
            std::snprintf(a.message, sizeof a.message, "%s", error.what());
            return failed;
        }
    }
};

}  // namespace finnmake

#define FINNMAKE_MEMORY(NAME, WIDTH, DEPTH)                                         \
    static ap_uint<WIDTH> NAME[DEPTH];                                              \
    static const finnmake::Registration finnmake_load_##NAME(                       \
        #NAME, [](const std::string& path) { finnmake::load_memory<WIDTH>(path, NAME, DEPTH); });

#define FINNMAKE_SIMULATE(FUNCTION, ...)                                                                     \
    extern "C" {                                                                                             \
    FINNMAKE_EXPORT const std::uint32_t* finnmake_input_widths() {                                           \
        return finnmake::Simulation<__VA_ARGS__>::input_widths;                                              \
    }                                                                                                        \
    FINNMAKE_EXPORT const std::uint32_t* finnmake_output_widths() {                                          \
        return finnmake::Simulation<__VA_ARGS__>::output_widths;                                             \
    }                                                                                                        \
    FINNMAKE_EXPORT int finnmake_cpp_run(finnmake::RunArguments* arguments) {                                \
        return finnmake::Simulation<__VA_ARGS__>::run(FUNCTION, *arguments);                                 \
    }                                                                                                        \
    }

#endif
