// Drives one Verilated core: whole batches through its AXI4-Stream ports in one call, and single signals for PyVerilator.
//
// Included at the end of the translation unit that build.py writes, which defines the macros of port_symbols.hpp. With
// FINNMAKE_LINKED it is compiled by itself, once, and drives any stitched design: what link.py writes of one is data.

#include <algorithm>
#include <array>
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

// One port of a simulation: where its value is, 1, 2, 4 or 8 bytes, or words of 32 bits.
struct finnmake_port {
    const char* name;
    void* data;
    std::uint32_t width;
    std::uint32_t is_output;

    std::size_t bytes() const {
        return width <= 8 ? 1 : width <= 16 ? 2 : width <= 32 ? 4 : width <= 64 ? 8 : (width + 31) / 32 * 4;
    }
};

#include "verilated.h"
#ifdef FINNMAKE_LINKED
#include "linked_design.hpp"
#else
#include "Vmodel.h"
#include "Vmodel___024root.h"
#endif
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

// Everything that a simulation holds, its ports among it. That of a linked design is its cores'.
struct State {
    const char* bytes;
    std::size_t size;
};
#ifdef FINNMAKE_LINKED
inline State state_of(const Vmodel&) { return {"", 0}; }
#else
inline State state_of(const Vmodel& model) {
    return {reinterpret_cast<const char*>(model.rootp), sizeof(Vmodel___024root)};
}
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

// A stream's tdata of any width. The compiler knows that of a core.
template <int Width, typename Port>
struct CoreData {
    using Word = std::array<std::uint8_t, (Width + 7) / 8>;
    static constexpr std::size_t width = Width, size = sizeof(Port);
    Port* port;
    static Word word() { return {}; }
};
struct LinkedData {
    using Word = std::vector<std::uint8_t>;
    std::size_t width, size;
    void* port;
    Word word() const { return Word((width + 7) / 8); }
};

template <typename Data>
class Stream {
    Random random;
    std::uint64_t stall;

  protected:
    Data tdata;
    Words& words;
    bool taken = false;

    std::size_t bytes() const { return (tdata.width + 7) / 8; }
    bool may_move_now(bool may_move) { return !finished() && may_move && !random.below(stall); }

  public:
    Stream(Data data, Words& list, std::uint64_t seed, std::uint64_t threshold)
        : random(seed), stall(threshold), tdata(data), words(list) {
        words.moved = 0;
    }
    bool finished() const { return words.moved == words.count; }
    bool is_taken() const { return taken; }
};

// Offers words; one that was offered stays until it is taken.
template <typename Data>
class Source : public Stream<Data> {
    CData& tvalid;
    const CData& tready;

    void write(const std::uint8_t* word) {
        const std::size_t width = this->tdata.width;
        auto* const target = reinterpret_cast<std::uint8_t*>(this->tdata.port);
        std::memset(target, 0, this->tdata.size);
        std::memcpy(target, word, this->bytes());
        if (width % 8 != 0) target[width / 8] &= (1u << (width % 8)) - 1u;
    }

  public:
    Source(Data data, CData& valid, const CData& ready, Words& input, std::uint64_t seed, std::uint64_t threshold)
        : Stream<Data>(data, input, seed, threshold), tvalid(valid), tready(ready) {
        tvalid = 0;
    }
    void before_edge(bool may_move) {
        if (tvalid == 0 && this->may_move_now(may_move)) {
            tvalid = 1;
            write(this->words.bytes + this->words.moved * this->bytes());
        }
    }
    // Whether a word moves is known before the edge, which changes the core's outputs.
    void note() { this->taken = tvalid != 0 && tready != 0; }
    void take(std::uint64_t cycle) {
        this->words.cycles[this->words.moved++] = static_cast<std::int64_t>(cycle);
        tvalid = 0;
    }
};

// Takes words until all have come; looks that none is taken back.
template <typename Data>
class Sink : public Stream<Data> {
    const char* name;
    const CData& tvalid;
    CData& tready;
    typename Data::Word word, held_word;
    bool held = false;  // a word was offered and not taken: it must stay

  public:
    Sink(const char* port, Data data, const CData& valid, CData& ready, Words& output, std::uint64_t seed,
         std::uint64_t threshold)
        : Stream<Data>(data, output, seed, threshold), name(port), tvalid(valid), tready(ready), word(data.word()),
          held_word(data.word()) {
        tready = 0;
    }
    void before_edge(bool may_move) { tready = this->may_move_now(may_move); }
    // What is wrong with what the core offers; nullptr: nothing.
    const char* look() {
        if (tvalid != 0) std::memcpy(word.data(), this->tdata.port, this->bytes());
        if (held && (tvalid == 0 || std::memcmp(word.data(), held_word.data(), this->bytes()) != 0))
            return tvalid != 0 ? "tdata changed" : "tvalid fell";
        held = tvalid != 0 && tready == 0;
        if (held) held_word = word;
        return nullptr;
    }
    const char* port_name() const { return name; }
    bool is_surplus() const { return tvalid != 0 && this->finished(); }
    void note() { this->taken = tvalid != 0 && tready != 0; }
    void take(std::uint64_t cycle) {
        std::memcpy(this->words.bytes + this->words.moved * this->bytes(), word.data(), this->bytes());
        this->words.cycles[this->words.moved++] = static_cast<std::int64_t>(cycle);
    }
};

// The streams of a core are of different types, those of a linked design as many as it has.
template <typename... Streams, typename Function>
void for_each(std::tuple<Streams...>& streams, Function function) {
    std::apply([&](auto&... each) { (function(each), ...); }, streams);
}
template <typename Each, typename Function>
void for_each(std::vector<Each>& streams, Function function) {
    for (Each& each : streams) function(each);
}

// Their stalls are independent of each other.
class Seeds {
    std::uint64_t seed;

  public:
    explicit Seeds(std::uint64_t first) : seed(first) {}
    std::uint64_t next() { return seed += std::uint64_t{1} << 32; }
};

#ifdef FINNMAKE_LINKED
inline auto sources(Vmodel& design, Words* input, Seeds seeds, std::uint64_t stall) {
    std::vector<Source<LinkedData>> made;
    for (const Vmodel::Stream& port : design.input_streams())
        made.emplace_back(LinkedData{port.width, port.size, port.tdata}, *port.tvalid, *port.tready, *input++,
                          seeds.next(), stall);
    return made;
}
inline auto sinks(Vmodel& design, Words* output, Seeds seeds, std::uint64_t stall) {
    std::vector<Sink<LinkedData>> made;
    for (const Vmodel::Stream& port : design.output_streams())
        made.emplace_back(port.name, LinkedData{port.width, port.size, port.tdata}, *port.tvalid, *port.tready, *output++,
                          seeds.next(), stall);
    return made;
}
inline std::vector<finnmake_port> ports(Vmodel& design) { return design.ports(); }
#else
template <int Width, typename Port>
Source<CoreData<Width, Port>> source(Port& data, CData& valid, const CData& ready, Words& words, std::uint64_t seed,
                                     std::uint64_t stall) {
    return {{&data}, valid, ready, words, seed, stall};
}
template <int Width, typename Port>
Sink<CoreData<Width, Port>> sink(const char* name, Port& data, const CData& valid, CData& ready, Words& words,
                                 std::uint64_t seed, std::uint64_t stall) {
    return {name, {&data}, valid, ready, words, seed, stall};
}
inline auto sources(Vmodel& core, Words* input, Seeds seeds, std::uint64_t stall) {
#define X(name, width) \
    source<width>(core.name##_tdata, core.name##_tvalid, core.name##_tready, *input++, seeds.next(), stall)
    return std::tuple{FINNMAKE_INPUT_STREAMS(X)};
#undef X
}
inline auto sinks(Vmodel& core, Words* output, Seeds seeds, std::uint64_t stall) {
#define X(name, width) \
    sink<width>(#name, core.name##_tdata, core.name##_tvalid, core.name##_tready, *output++, seeds.next(), stall)
    return std::tuple{FINNMAKE_OUTPUT_STREAMS(X)};
#undef X
}
inline std::vector<finnmake_port> ports(Vmodel& core) {
    return {
#define X(name, width) {#name, &core.name, width, 0},
        FINNMAKE_INPUTS(X)
#undef X
#define X(name, width) {#name, &core.name, width, 1},
            FINNMAKE_OUTPUTS(X)
#undef X
    };
}
#endif

// Sees when a core does nothing any more: nothing moves, and its state is what it was a cycle before. A state may hold large
// memories: where it differed last, most often a counter, is looked at first.
class Stillness {
    static constexpr std::size_t window = 64;
    const State state;
    std::vector<char> before;
    char there[window] = {};  // what stood where the state differed last, a cycle ago
    std::size_t place = 0;
    bool compared = false;

    std::size_t length() const { return std::min(window, before.size() - place); }

  public:
    explicit Stillness(const Simulation& simulation) : state(state_of(*simulation.model)), before(state.size) {}
    // To be asked in every cycle, at the same place of it.
    bool look(bool moved) {
        if (moved) return compared = false;
        if (std::memcmp(there, state.bytes + place, length()) != 0) {
            std::memcpy(there, state.bytes + place, length());
            return compared = false;
        }
        if (compared) {
            if (std::memcmp(before.data(), state.bytes, before.size()) == 0) return true;
            place = 0;
            while (std::memcmp(before.data() + place, state.bytes + place, length()) == 0) place += window;
            std::memcpy(there, state.bytes + place, length());
        }
        std::memcpy(before.data(), state.bytes, before.size());
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
        for (const finnmake_port& port : finnmake::ports(*simulation->model))
            if (port.is_output == 0) std::memset(port.data, 0, port.bytes());
        simulation->model->eval();
        result = simulation.release();
    } catch (const std::exception& error) {
        std::snprintf(message, size, "%s", error.what());
    }
    finnmake::memory_prefix = nullptr;
    return result;
}

// The ports of a simulation, and where their values are; one without a name ends them.
FINNMAKE_EXPORT const finnmake_port* finnmake_ports(void* handle, finnmake_port* list, std::size_t count) {
    std::vector<finnmake_port> found = finnmake::ports(*static_cast<finnmake::Simulation*>(handle)->model);
    found.push_back({nullptr, nullptr, 0, 0});
    std::copy_n(found.begin(), std::min(found.size(), count), list);
    return list;
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

FINNMAKE_EXPORT const void* finnmake_state(void* handle, std::size_t* size) {
    const finnmake::State state = finnmake::state_of(*static_cast<finnmake::Simulation*>(handle)->model);
    *size = state.size;
    return state.bytes;
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
        auto sources = finnmake::sources(core, a.inputs, Seeds(2 * a.seed), a.input_stall);
        auto sinks = finnmake::sinks(core, a.outputs, Seeds(2 * a.seed + 1), a.output_stall);
        bool all_finished = false;
        const auto note_unfinished = [&](const auto& stream) { all_finished &= stream.finished(); };
        std::uint64_t number = 0, burst_left = 0;
        const auto before_edge = [&](auto& stream) { stream.before_edge(++number != a.throttled || burst_left != 0); };
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
            all_finished = true;
            for_each(sources, note_unfinished);
            for_each(sinks, note_unfinished);
            if (all_finished && settled++ == a.surplus_cycles) break;
            // Inputs change after the rising edge.
            number = 0;
            for_each(sources, before_edge);
            for_each(sinks, before_edge);
            core.aclk = 0;
            simulation.eval();
            for_each(sinks, [&](auto& port) {
                if (const char* wrong = port.look()) {
                    std::snprintf(a.message, sizeof a.message, "%s_%s before it was taken, in cycle %llu",
                                  port.port_name(), wrong, static_cast<unsigned long long>(a.cycles));
                    status = protocol;
                } else if (port.is_surplus() && a.surplus_cycles != 0 && status == done) {
                    std::snprintf(a.message, sizeof a.message, "%s", port.port_name());
                    status = surplus;
                }
            });
            if (status != done) break;
            const auto note = [](auto& stream) { stream.note(); };
            for_each(sources, note);
            for_each(sinks, note);
            core.aclk = 1;
            simulation.eval();
            ++idle;
            number = 0;
            const auto take = [&](auto& stream) {
                ++number;
                if (!stream.is_taken()) return;
                stream.take(a.cycles);
                idle = 0;
                if (number == a.throttled) --burst_left;
            };
            for_each(sources, take);
            for_each(sinks, take);
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

// ---- PyVerilator's symbol convention; what depends on the ports is in port_symbols.hpp ----------------------------------------------------------------------------------

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

}  // extern "C"

#ifdef FINNMAKE_LINKED
void* finnmake::linked_port(void* simulation, std::uint32_t number) {
    return static_cast<Simulation*>(simulation)->model->port(number);
}
#else
#define FINNMAKE_PORT(handle, name) &static_cast<finnmake::Simulation*>(handle)->model->name
#include "port_symbols.hpp"
#endif
