// Drives one Verilated core: whole batches through its AXI4-Stream ports in one call, and single signals for PyVerilator.
//
// Included at the end of the translation unit that build.py writes, which defines FINNMAKE_TOP, FINNMAKE_INPUTS(X),
// FINNMAKE_OUTPUTS(X) (X(name, width) for every port), FINNMAKE_INPUT_STREAMS(X) and FINNMAKE_OUTPUT_STREAMS(X) (X(name,
// width of tdata) for every AXI4-Stream, with commas between them).

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// One port of a simulation: where its value is, and how wide it is.
struct finnmake_port {
    const char* name;
    void* data;
    std::uint32_t width;
    std::uint32_t is_output;
};

#include "Vmodel.h"
#include "Vmodel___024root.h"
#include "verilated.h"
#ifdef FINNMAKE_TRACE
#include "verilated_vcd_c.h"
#endif

#define FINNMAKE_EXPORT __attribute__((visibility("default")))

// ---- what Verilator's runtime calls ---------------------------------------------------------------------------------

namespace finnmake {

using FinishCallback = void (*)(const char* filename, int line, const char* hierarchy);
FinishCallback finish_callback = nullptr;
thread_local const char* memory_prefix = nullptr;

[[noreturn]] void fail(const char* filename, int line, const char* message) {
    throw std::runtime_error(std::string(filename) + ":" + std::to_string(line) + ": " + message);
}

}  // namespace finnmake

void vl_finish(const char* filename, int line, const char* hierarchy) {
    if (finnmake::finish_callback != nullptr) finnmake::finish_callback(filename, line, hierarchy);
    Verilated::threadContextp()->gotFinish(true);
}
void vl_stop(const char* filename, int line, const char*) { finnmake::fail(filename, line, "$stop"); }
void vl_fatal(const char* filename, int line, const char*, const char* message) {
    finnmake::fail(filename, line, message);
}
// The one warning that matters: $readmemh of a file that is not there must not leave a memory of zeros.
void vl_warn(const char* filename, int line, const char*, const char* message) {
    finnmake::fail(filename, line, message);
}

// $readmemh opens its file with fopen. A relative name goes behind what the caller gives, a folder with its slash or the
// beginning of the files' names; the working directory of the process is not ours to change.
extern "C" std::FILE* __real_fopen(const char* name, const char* mode);
extern "C" std::FILE* __wrap_fopen(const char* name, const char* mode) {
    if (finnmake::memory_prefix == nullptr || name[0] == '/') return __real_fopen(name, mode);
    return __real_fopen((std::string(finnmake::memory_prefix) + name).c_str(), mode);
}

// Verilator's runtime has thread-local objects. Registering their destructors would keep the shared object loaded until the
// thread ends; without it they are not destroyed (some bytes), and the simulation can be unloaded.
extern "C" int __wrap___cxa_thread_atexit(void (*)(void*), void*, void*) { return 0; }

namespace finnmake {

// ---- ports of any width ---------------------------------------------------------------------------------------------

template <int Width, typename Port>
void write_port(Port& port, const std::uint8_t* bytes) {
    std::memset(&port, 0, sizeof(Port));
    std::memcpy(&port, bytes, (Width + 7) / 8);
    if constexpr (Width % 8 != 0) reinterpret_cast<std::uint8_t*>(&port)[Width / 8] &= (1u << (Width % 8)) - 1u;
}

template <int Width, typename Port>
void read_port(const Port& port, std::uint8_t* bytes) {
    std::memcpy(bytes, &port, (Width + 7) / 8);
}

template <typename Port>
std::uint64_t get_signal(const Port& port, std::uint32_t) {
    return port;
}
template <std::size_t Words>
std::uint64_t get_signal(const VlWide<Words>& port, std::uint32_t word) {
    return port[word];
}
template <typename Port>
void set_signal(Port& port, std::uint64_t value, std::uint32_t) {
    port = static_cast<Port>(value);
}
template <std::size_t Words>
void set_signal(VlWide<Words>& port, std::uint64_t word, std::uint32_t value) {
    port[word] = value;
}

// ---- the simulation -------------------------------------------------------------------------------------------------

// xorshift64*: the same stalls on every machine.
class Random {
    std::uint64_t state;

  public:
    explicit Random(std::uint64_t seed) : state(seed * 0x9E3779B97F4A7C15u + 0xD1B54A32D192ED03u) {
        if (state == 0) state = 1;
    }
    bool below(std::uint64_t threshold) {  // true with probability threshold / 2^32
        if (threshold == 0) return false;
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return ((state * 0x2545F4914F6CDD1Du) >> 32) < threshold;
    }
};

// The model's own eval() takes a lock and empties queues for what these models do not have, threads and dynamic objects: a
// third of the time of a small core. What is evaluated directly must have been so once by eval(), which initialises it.
#if defined(FINNMAKE_DIRECT_EVAL) && !defined(FINNMAKE_TRACE)
inline void evaluate(Vmodel& model) { Vmodel___024root___eval(model.rootp); }
#else
inline void evaluate(Vmodel& model) { model.eval(); }
#endif

struct Simulation {
    std::unique_ptr<VerilatedContext> context;
    std::unique_ptr<Vmodel> model;
#ifdef FINNMAKE_TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif
    bool finished = false;

    // random_state: registers start with random contents, so that a missing reset shows.
    explicit Simulation(int random_seed) : context(std::make_unique<VerilatedContext>()) {
        context->randReset(random_seed == 0 ? 0 : 2);
        if (random_seed != 0) context->randSeed(random_seed);
#ifdef FINNMAKE_TRACE
        context->traceEverOn(true);
#endif
        model = std::make_unique<Vmodel>(context.get(), "TOP");
    }
    void eval() {
        evaluate(*model);
#ifdef FINNMAKE_TRACE
        if (trace) trace->dump(context->time());
#endif
        context->timeInc(5);
    }
};

// ---- streams: one object for each port of the core, alive for one run -----------------------------------------------

// Mirrored by finnmake.runtime.rtlsim.
struct Words {
    std::uint8_t* bytes;
    std::int64_t* cycles;
    std::uint64_t count;
    std::uint64_t moved;
};

// Offers words; one that was offered stays until it is taken.
template <int Width, typename Data>
class Source {
    Data& tdata;
    CData& tvalid;
    const CData& tready;
    Words& words;
    Random random;
    std::uint64_t stall;

  public:
    Source(Data& data, CData& valid, const CData& ready, Words& input, std::uint64_t seed, std::uint64_t threshold)
        : tdata(data), tvalid(valid), tready(ready), words(input), random(seed), stall(threshold) {
        tvalid = 0;
        words.moved = 0;
    }
    bool finished() const { return words.moved == words.count; }
    void before_edge(bool may_move) {
        if (tvalid == 0 && !finished() && may_move && !random.below(stall)) {
            tvalid = 1;
            write_port<Width>(tdata, words.bytes + words.moved * ((Width + 7) / 8));
        }
    }
    bool is_taken() const { return tvalid != 0 && tready != 0; }
    void take(std::uint64_t cycle) {
        words.cycles[words.moved++] = static_cast<std::int64_t>(cycle);
        tvalid = 0;
    }
};

// Takes words until all have come; looks that none is taken back.
template <int Width, typename Data>
class Sink {
    static constexpr std::size_t bytes = (Width + 7) / 8;
    const char* name;
    const Data& tdata;
    const CData& tvalid;
    CData& tready;
    Words& words;
    Random random;
    std::uint64_t stall;
    std::uint8_t word[bytes], held_word[bytes];
    bool held = false;  // a word was offered and not taken: it must stay

  public:
    Sink(const char* port, const Data& data, const CData& valid, CData& ready, Words& output, std::uint64_t seed,
         std::uint64_t threshold)
        : name(port), tdata(data), tvalid(valid), tready(ready), words(output), random(seed), stall(threshold) {
        tready = 0;
        words.moved = 0;
    }
    bool finished() const { return words.moved == words.count; }
    void before_edge(bool may_move) { tready = !finished() && may_move && !random.below(stall); }
    // What is wrong with what the core offers; nullptr: nothing.
    const char* look() {
        if (tvalid != 0) read_port<Width>(tdata, word);
        if (held && (tvalid == 0 || std::memcmp(word, held_word, bytes) != 0))
            return tvalid != 0 ? "tdata changed" : "tvalid fell";
        held = tvalid != 0 && !is_taken();
        if (held) std::memcpy(held_word, word, bytes);
        return nullptr;
    }
    const char* port_name() const { return name; }
    bool is_surplus() const { return tvalid != 0 && finished(); }
    bool is_taken() const { return tvalid != 0 && tready != 0; }
    void take(std::uint64_t cycle) {
        std::memcpy(words.bytes + words.moved * bytes, word, bytes);
        words.cycles[words.moved++] = static_cast<std::int64_t>(cycle);
    }
};

template <int Width, typename Data>
Source<Width, Data> source(Data& data, CData& valid, const CData& ready, Words& words, std::uint64_t seed,
                           std::uint64_t stall) {
    return {data, valid, ready, words, seed, stall};
}
template <int Width, typename Data>
Sink<Width, Data> sink(const char* name, const Data& data, const CData& valid, CData& ready, Words& words,
                       std::uint64_t seed, std::uint64_t stall) {
    return {name, data, valid, ready, words, seed, stall};
}

// Sees when a core does nothing any more: nothing moves, and its state is what it was a cycle before. A state may hold large
// memories: where it differed last, most often a counter, is looked at first.
class Stillness {
    static constexpr std::size_t window = 64;
    const char* state;
    std::vector<char> before;
    char there[window] = {};  // what stood where the state differed last, a cycle ago
    std::size_t place = 0;
    bool compared = false;

    std::size_t length() const { return std::min(window, before.size() - place); }

  public:
    explicit Stillness(const Simulation& simulation)
        : state(reinterpret_cast<const char*>(simulation.model->rootp)), before(sizeof(Vmodel___024root)) {}
    // To be asked in every cycle, at the same place of it.
    bool look(bool moved) {
        if (moved) return compared = false;
        if (std::memcmp(there, state + place, length()) != 0) {
            std::memcpy(there, state + place, length());
            return compared = false;
        }
        if (compared) {
            if (std::memcmp(before.data(), state, before.size()) == 0) return true;
            place = 0;
            while (std::memcmp(before.data() + place, state + place, length()) == 0) place += window;
            std::memcpy(there, state + place, length());
        }
        std::memcpy(before.data(), state, before.size());
        compared = true;
        return false;
    }
};

enum Status { done = 0, deadlock = 1, protocol = 2, surplus = 3, failed = 4 };

}  // namespace finnmake

extern "C" {

// Mirrored by finnmake.runtime.rtlsim. Probabilities are times 2^32.
struct finnmake_run_arguments {
    finnmake::Words* inputs;
    finnmake::Words* outputs;
    const char* trace_file;
    std::uint64_t input_stall;
    std::uint64_t output_stall;
    std::uint64_t seed;
    std::uint64_t max_idle_cycles;
    std::uint64_t surplus_cycles;
    std::uint64_t reset_cycles;
    // Number of a stream from 1 on, inputs first, that moves only when the core does nothing any more, and then so many words;
    // 0 is none.
    std::uint64_t throttled;
    std::uint64_t burst;
    std::uint64_t cycles;
    char message[1024];
};

// Widths of tdata in the order of the streams; a zero ends each.
#define X(name, width) width
FINNMAKE_EXPORT extern const std::uint32_t finnmake_input_widths[] = {FINNMAKE_INPUT_STREAMS(X), 0};
FINNMAKE_EXPORT extern const std::uint32_t finnmake_output_widths[] = {FINNMAKE_OUTPUT_STREAMS(X), 0};
#undef X
#ifdef FINNMAKE_TRACE
FINNMAKE_EXPORT extern const std::uint32_t finnmake_has_trace = 1;
#else
FINNMAKE_EXPORT extern const std::uint32_t finnmake_has_trace = 0;
#endif

// A new simulation whose memories are loaded from the files `prefix` + name; null and a message where one is missing.
FINNMAKE_EXPORT void* finnmake_construct(const char* prefix, int random_seed, char* message, std::size_t size) {
    finnmake::memory_prefix = prefix;
    void* result = nullptr;
    try {
        auto simulation = std::make_unique<finnmake::Simulation>(random_seed);
#define X(name, width) std::memset(&simulation->model->name, 0, sizeof(simulation->model->name));
        FINNMAKE_INPUTS(X)
#undef X
        simulation->model->eval();
        result = simulation.release();
    } catch (const std::exception& error) {
        std::snprintf(message, size, "%s", error.what());
    }
    finnmake::memory_prefix = nullptr;
    return result;
}

// The ports of a simulation, and where their values are; one without a name ends them.
FINNMAKE_EXPORT const finnmake_port* finnmake_ports(void* handle, finnmake_port* ports, std::size_t count) {
    Vmodel& model = *static_cast<finnmake::Simulation*>(handle)->model;
    const finnmake_port found[] = {
#define X(name, width) {#name, &model.name, width, 0},
        FINNMAKE_INPUTS(X)
#undef X
#define X(name, width) {#name, &model.name, width, 1},
            FINNMAKE_OUTPUTS(X)
#undef X
                {nullptr, nullptr, 0, 0}};
    std::memcpy(ports, found, std::min(sizeof found, count * sizeof *ports));
    return ports;
}

// What a linked design calls: see `evaluate`.
FINNMAKE_EXPORT int finnmake_eval(void* handle) {
    try {
        finnmake::evaluate(*static_cast<finnmake::Simulation*>(handle)->model);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%%Error: %s\n", error.what());
        return 1;
    }
}

// Everything that a simulation holds, its ports among it.
FINNMAKE_EXPORT const void* finnmake_state(void* handle, std::size_t* size) {
    *size = sizeof(Vmodel___024root);
    return static_cast<finnmake::Simulation*>(handle)->model->rootp;
}

// Resets the core, offers the input words in order and takes output words until all have come.
FINNMAKE_EXPORT int finnmake_run(void* handle, finnmake_run_arguments* arguments) {
    using namespace finnmake;
    auto& simulation = *static_cast<Simulation*>(handle);
    Vmodel& core = *simulation.model;
    finnmake_run_arguments& a = *arguments;
    a.cycles = 0;
    a.message[0] = '\0';
    Status status = done;
    try {
#ifdef FINNMAKE_TRACE
        if (a.trace_file != nullptr) {
            simulation.trace = std::make_unique<VerilatedVcdC>();
            core.trace(simulation.trace.get(), 99);
            simulation.trace->open(a.trace_file);
            if (!simulation.trace->isOpen()) throw std::runtime_error(std::string(a.trace_file) + ": cannot be written");
        }
#endif
        // The streams' stalls are independent of each other.
        Words *input = a.inputs, *output = a.outputs;
        std::uint64_t input_seed = 2 * a.seed, output_seed = 2 * a.seed + 1;
        constexpr std::uint64_t next_seed = std::uint64_t{1} << 32;
#define X(name, width)                                                                                          \
    source<width>(core.name##_tdata, core.name##_tvalid, core.name##_tready, *input++, input_seed += next_seed, \
                  a.input_stall)
        std::tuple sources{FINNMAKE_INPUT_STREAMS(X)};
#undef X
#define X(name, width)                                                                                                 \
    sink<width>(#name, core.name##_tdata, core.name##_tvalid, core.name##_tready, *output++, output_seed += next_seed, \
                a.output_stall)
        std::tuple sinks{FINNMAKE_OUTPUT_STREAMS(X)};
#undef X
        const auto all_finished = [](const auto&... streams) { return (streams.finished() && ...); };
        std::uint64_t number = 0, burst_left = 0;
        const auto before_edge = [&](auto&... streams) {
            (streams.before_edge(++number != a.throttled || burst_left != 0), ...);
        };
        Stillness stillness(simulation);
        core.aresetn = 0;
        for (std::uint64_t cycle = 0; cycle < a.reset_cycles; ++cycle) {
            core.aclk = 0;
            simulation.eval();
            core.aclk = 1;
            simulation.eval();
        }
        core.aresetn = 1;
        std::uint64_t idle = 0, settled = 0;
        for (;; ++a.cycles) {
            if (std::apply(all_finished, sources) && std::apply(all_finished, sinks) && settled++ == a.surplus_cycles)
                break;
            // Inputs change after the rising edge.
            number = 0;
            std::apply(before_edge, sources);
            std::apply(before_edge, sinks);
            core.aclk = 0;
            simulation.eval();
            const auto look = [&](auto& port) {
                if (const char* wrong = port.look()) {
                    std::snprintf(a.message, sizeof a.message, "%s_%s before it was taken, in cycle %llu",
                                  port.port_name(), wrong, static_cast<unsigned long long>(a.cycles));
                    status = protocol;
                } else if (port.is_surplus() && a.surplus_cycles != 0 && status == done) {
                    std::snprintf(a.message, sizeof a.message, "%s", port.port_name());
                    status = surplus;
                }
            };
            std::apply([&](auto&... ports) { (look(ports), ...); }, sinks);
            if (status != done) break;
            // The transfers are known before the edge, which changes the core's outputs.
            bool taken[std::tuple_size_v<decltype(sources)> + std::tuple_size_v<decltype(sinks)>], *next = taken;
            const auto note = [&](const auto&... streams) { ((*next++ = streams.is_taken()), ...); };
            std::apply(note, sources);
            std::apply(note, sinks);
            core.aclk = 1;
            simulation.eval();
            ++idle;
            next = taken;
            number = 0;
            const auto take = [&](auto& stream) {
                ++number;
                if (!*next++) return;
                stream.take(a.cycles);
                idle = 0;
                if (number == a.throttled) --burst_left;
            };
            std::apply([&](auto&... streams) { (take(streams), ...); }, sources);
            std::apply([&](auto&... streams) { (take(streams), ...); }, sinks);
            if (a.throttled != 0 && stillness.look(idle == 0)) burst_left = a.burst;
            if (idle > a.max_idle_cycles) {
                status = deadlock;
                break;
            }
        }
    } catch (const std::exception& error) {
        std::snprintf(a.message, sizeof a.message, "%s", error.what());
        status = failed;
    }
#ifdef FINNMAKE_TRACE
    if (simulation.trace) simulation.trace->close();
    simulation.trace.reset();
#endif
    return status;
}

// ---- PyVerilator's symbol convention ----------------------------------------------------------------------------------

#define X(name, width) #name,
FINNMAKE_EXPORT extern const char* _pyverilator_module_name;
const char* _pyverilator_module_name = FINNMAKE_TOP;
FINNMAKE_EXPORT extern const char* _pyverilator_inputs[];
const char* _pyverilator_inputs[] = {FINNMAKE_INPUTS(X)};
FINNMAKE_EXPORT extern const char* _pyverilator_outputs[];
const char* _pyverilator_outputs[] = {FINNMAKE_OUTPUTS(X)};
#undef X
#define X(name, width) width,
FINNMAKE_EXPORT extern const std::uint32_t _pyverilator_input_widths[] = {FINNMAKE_INPUTS(X)};
FINNMAKE_EXPORT extern const std::uint32_t _pyverilator_output_widths[] = {FINNMAKE_OUTPUTS(X)};
#undef X
FINNMAKE_EXPORT extern const std::uint32_t _pyverilator_num_inputs =
    sizeof _pyverilator_input_widths / sizeof(std::uint32_t);
FINNMAKE_EXPORT extern const std::uint32_t _pyverilator_num_outputs =
    sizeof _pyverilator_output_widths / sizeof(std::uint32_t);
FINNMAKE_EXPORT extern const std::uint32_t _pyverilator_num_internal_signals = 0;
FINNMAKE_EXPORT extern const char* _pyverilator_internal_signals[];
const char* _pyverilator_internal_signals[] = {nullptr};
FINNMAKE_EXPORT extern const std::uint32_t _pyverilator_internal_signal_widths[] = {0};
FINNMAKE_EXPORT extern const std::uint32_t _pyverilator_num_rules = 0;
FINNMAKE_EXPORT extern const char* _pyverilator_rules[];
const char* _pyverilator_rules[] = {nullptr};
FINNMAKE_EXPORT extern const char* _pyverilator_json_data;
const char* _pyverilator_json_data = "null";

FINNMAKE_EXPORT void* construct() { return new finnmake::Simulation(0); }
FINNMAKE_EXPORT int destruct(void* handle) {
    delete static_cast<finnmake::Simulation*>(handle);
    return 0;
}
FINNMAKE_EXPORT int eval(void* handle) {
    auto& simulation = *static_cast<finnmake::Simulation*>(handle);
    try {
        simulation.model->eval();
        simulation.context->timeInc(1);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%%Error: %s\n", error.what());
        simulation.context->gotFinish(true);
        return 1;
    }
}
#ifdef FINNMAKE_TRACE
FINNMAKE_EXPORT void* start_vcd_trace(void* handle, const char* filename) {
    auto* trace = new VerilatedVcdC;
    static_cast<finnmake::Simulation*>(handle)->model->trace(trace, 99);
    trace->open(filename);
    return trace;
}
FINNMAKE_EXPORT int add_to_vcd_trace(void* trace, int time) {
    static_cast<VerilatedVcdC*>(trace)->dump(static_cast<std::uint64_t>(time));
    return 0;
}
FINNMAKE_EXPORT int flush_vcd_trace(void* trace) {
    static_cast<VerilatedVcdC*>(trace)->flush();
    return 0;
}
FINNMAKE_EXPORT int stop_vcd_trace(void* trace) {
    static_cast<VerilatedVcdC*>(trace)->close();
    delete static_cast<VerilatedVcdC*>(trace);
    return 0;
}
#endif
FINNMAKE_EXPORT bool get_finished() { return Verilated::threadContextp()->gotFinish(); }
FINNMAKE_EXPORT void set_finished(bool finished) { Verilated::threadContextp()->gotFinish(finished); }
FINNMAKE_EXPORT void set_vl_finish_callback(finnmake::FinishCallback callback) { finnmake::finish_callback = callback; }
FINNMAKE_EXPORT void set_command_args(int count, char** values) {
    Verilated::threadContextp()->commandArgs(count, values);
}

// Ports wider than 64 bits are read and written in words of 32 bits, as PyVerilator does. A caller of a narrow port passes
// one argument less; what the calling convention leaves in its place is not looked at.
#define X(name, width)                                                                                             \
    FINNMAKE_EXPORT std::uint64_t get_##name(void* handle, std::uint32_t word) {                                   \
        return finnmake::get_signal(static_cast<finnmake::Simulation*>(handle)->model->name, word);                \
    }
FINNMAKE_INPUTS(X)
FINNMAKE_OUTPUTS(X)
#undef X
#define X(name, width)                                                                                             \
    FINNMAKE_EXPORT int set_##name(void* handle, std::uint64_t value, std::uint32_t word_value) {                  \
        finnmake::set_signal(static_cast<finnmake::Simulation*>(handle)->model->name, value, word_value);          \
        return 0;                                                                                                  \
    }
FINNMAKE_INPUTS(X)
#undef X

}  // extern "C"
