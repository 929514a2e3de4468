// Makes a simulation of a generated C++ top: memories loaded from files, whole batches in one call.
//
// The top includes this header under FINNMAKE_SIMULATION and uses two macros; finnmake/runtime/cppsim.py shows a whole top.
//
//   FINNMAKE_MEMORY(name, width, depth)   an array `name` of ap_uint<width>, loaded from a $readmemh file before each run
//   FINNMAKE_SIMULATE(function, input_width, input_words_per_frame, output_width)
//                                         exports the driver of void function(in&, out&, unsigned frames)

#ifndef FINNMAKE_SIMULATION_HPP
#define FINNMAKE_SIMULATION_HPP

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "ap_int.h"
#include "hls_stream.h"

#define FINNMAKE_EXPORT __attribute__((visibility("default")))

namespace finnmake {

struct Memory {
    std::string name;
    void (*load)(const std::string& path);
};

inline std::vector<Memory>& memories() {
    static std::vector<Memory> all;
    return all;
}

inline unsigned hex_digit(char digit, const std::string& path) {
    if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
    if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a' + 10);
    if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A' + 10);
    throw std::runtime_error(path + ": '" + digit + "' is not a hex digit");
}

template <int Width>
void load_memory(const std::string& path, ap_uint<Width>* words, std::size_t depth) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path + ": cannot be read");
    std::string text;
    std::size_t index = 0;
    for (; index < depth && file >> text; ++index) {
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
    if (index != depth || file >> text)
        throw std::runtime_error(path + ": does not have " + std::to_string(depth) + " words");
}

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

// Mirrored by finnmake.runtime.cppsim.
struct RunArguments {
    const std::uint8_t* inputs;
    std::uint8_t* outputs;
    const char* const* memory_names;
    const char* const* memory_files;
    std::uint64_t memory_count;
    std::uint64_t input_words;
    std::uint64_t output_words;
    std::uint64_t outputs_made;
    std::uint64_t inputs_left;
    char message[1024];
};

enum Status { done = 0, wrong_words = 1, failed = 2 };

template <int InputWidth, int InputWordsPerFrame, int OutputWidth>
int run(void (*top)(hls::stream<ap_uint<InputWidth>>&, hls::stream<ap_uint<OutputWidth>>&, unsigned), RunArguments& a) {
    constexpr std::size_t input_bytes = (InputWidth + 7) / 8, output_bytes = (OutputWidth + 7) / 8;
    // The memories belong to the shared object, not to a caller: one run at a time.
    static std::mutex one_at_a_time;
    const std::lock_guard<std::mutex> lock(one_at_a_time);
    try {
        for (const Memory& memory : memories()) {
            bool found = false;
            for (std::uint64_t i = 0; i < a.memory_count; ++i) {
                if (memory.name != a.memory_names[i]) continue;
                memory.load(a.memory_files[i]);
                found = true;
            }
            if (!found) throw std::runtime_error("no file is given for memory " + memory.name);
        }
        if (a.input_words % InputWordsPerFrame != 0)
            throw std::runtime_error(std::to_string(a.input_words) + " words are no whole number of frames of " +
                                     std::to_string(InputWordsPerFrame) + " words");
        hls::stream<ap_uint<InputWidth>> input("s_axis");
        hls::stream<ap_uint<OutputWidth>> output("m_axis");
        for (std::uint64_t i = 0; i < a.input_words; ++i) input.write(from_bytes<InputWidth>(a.inputs + i * input_bytes));
        top(input, output, static_cast<unsigned>(a.input_words / InputWordsPerFrame));
        a.outputs_made = output.size();
        a.inputs_left = input.size();
        if (a.outputs_made != a.output_words || a.inputs_left != 0) return wrong_words;
        for (std::uint64_t i = 0; i < a.output_words; ++i) to_bytes(output.read(), a.outputs + i * output_bytes);
        return done;
    } catch (const std::exception& error) {
        std::snprintf(a.message, sizeof a.message, "%s", error.what());
        return failed;
    }
}

}  // namespace finnmake

#define FINNMAKE_MEMORY(NAME, WIDTH, DEPTH)                                         \
    static ap_uint<WIDTH> NAME[DEPTH];                                              \
    static const finnmake::Registration finnmake_load_##NAME(                       \
        #NAME, [](const std::string& path) { finnmake::load_memory<WIDTH>(path, NAME, DEPTH); });

#define FINNMAKE_SIMULATE(FUNCTION, INPUT_WIDTH, INPUT_WORDS_PER_FRAME, OUTPUT_WIDTH)                   \
    extern "C" {                                                                                        \
    FINNMAKE_EXPORT extern const std::uint32_t finnmake_input_width = INPUT_WIDTH;                      \
    FINNMAKE_EXPORT extern const std::uint32_t finnmake_output_width = OUTPUT_WIDTH;                    \
    FINNMAKE_EXPORT int finnmake_cpp_run(finnmake::RunArguments* arguments) {                           \
        return finnmake::run<INPUT_WIDTH, INPUT_WORDS_PER_FRAME, OUTPUT_WIDTH>(FUNCTION, *arguments);   \
    }                                                                                                   \
    }

#endif
