// Drives one Verilated core: whole batches through its AXI4-Stream ports in one call, and single signals for PyVerilator.
//
// Included at the end of the translation unit that build.py writes, which defines the macros of port_symbols.hpp. With
// FINNMAKE_LINKED it is compiled by itself, once, and drives any stitched design: what link.py writes of one is data.

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

// One port of a simulation: where its value is, 1, 2, 4 or 8 bytes, or words of 32 bits.
struct finnmake_port {
    const char* name;
    void* data;
    std::uint32_t width;
    std::uint32_t is_output;
    std::uint32_t is_combinational;  // of an input: an output may follow from it with no register between

    std::size_t bytes() const {
        return width <= 8 ? 1 : width <= 16 ? 2 : width <= 32 ? 4 : width <= 64 ? 8 : (width + 31) / 32 * 4;
    }
};

namespace finnmake {

// What becomes of a core at a falling edge of its clock. Where it only must be seen, by eval(), nothing changes at it.
enum class FallingEdge : std::uint32_t { not_needed, to_be_seen, active };

}  // namespace finnmake

#include "streams.hpp"
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

// The model's own eval() takes a lock and empties queues for what these models do not have, threads and dynamic objects: a
// third of the time of a small core. Its loops ask what has changed: another third. FINNMAKE_DIRECT_REGIONS says that what
// they call can be called instead (evaluation.py). What is evaluated so must have been evaluated once by eval(), which
// initialises it.
#ifdef FINNMAKE_LINKED
inline void settle(Vmodel& design) { design.settle(); }
inline void rise(Vmodel& design) { design.rise(); }
#else
#ifdef FINNMAKE_DIRECT_REGIONS
constexpr FallingEdge falling_edge = FallingEdge::not_needed;
// After a change of inputs.
inline void settle(Vmodel___024root& root) {
    root.__VicoTriggered[0] = 1;
    Vmodel___024root___eval_ico(&root);
    root.__VicoTriggered[0] = 0;
}
// The inputs must have been settled, or be said to be behind.
inline void rise(Vmodel___024root& root, bool is_behind) {
    if (is_behind) settle(root);
    root.__VnbaTriggered[0] = 1;
    Vmodel___024root___eval_nba(&root);
    root.__VnbaTriggered[0] = 0;
}
#else
#ifdef FINNMAKE_RISING_ONLY
constexpr FallingEdge falling_edge = FallingEdge::to_be_seen;
#else
constexpr FallingEdge falling_edge = FallingEdge::active;
#endif
inline void settle(Vmodel___024root& root) {
    root.aclk = 0;
    Vmodel___024root___eval(&root);
}
inline void rise(Vmodel___024root& root, bool) {
    root.aclk = 1;
    Vmodel___024root___eval(&root);
}
#endif
#ifdef FINNMAKE_TRACE
inline void settle(Vmodel& core) {
    core.aclk = 0;
    core.eval();
}
inline void rise(Vmodel& core) {
    core.aclk = 1;
    core.eval();
}
#else
inline void settle(Vmodel& core) { settle(*core.rootp); }
inline void rise(Vmodel& core) { rise(*core.rootp, false); }
#endif
#endif

// Everything that a simulation holds, its ports among it. That of a linked design is its cores'.
struct State {
    char* bytes;
    std::size_t size;
};
#ifdef FINNMAKE_LINKED
inline State state_of(Vmodel& design) { return {reinterpret_cast<char*>(&design.aclk), 0}; }
#else
inline State state_of(Vmodel& core) {
    return {reinterpret_cast<char*>(core.rootp), sizeof(Vmodel___024root)};
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
    void settle() {
        finnmake::settle(*model);
        pass_time();
    }
    void rise() {
        finnmake::rise(*model);
        pass_time();
    }

  private:
    void pass_time() {
#ifdef FINNMAKE_TRACE
        if (trace) trace->dump(context->time());
#endif
        context->timeInc(5);
    }
};

// ---- the streams and the ports of what is driven ---------------------------------------------------------------------

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
inline std::uint32_t is_combinational(const char* name) {
#define X(input) if (std::strcmp(name, #input) == 0) return 1;
    FINNMAKE_COMBINATIONAL_INPUTS(X)
#undef X
    return 0;
}
inline std::vector<finnmake_port> ports(Vmodel& core) {
    return {
#define X(name, width) {#name, &core.name, width, 0, is_combinational(#name)},
        FINNMAKE_INPUTS(X)
#undef X
#define X(name, width) {#name, &core.name, width, 1, 0},
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

// $stop in a core, and what else ends a simulation.
template <typename Function>
int has_stopped(Function function) {
    try {
        function();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%%Error: %s\n", error.what());
        return 1;
    }
}

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
    found.push_back({nullptr, nullptr, 0, 0, 0});
    std::copy_n(found.begin(), std::min(found.size(), count), list);
    return list;
}

#ifndef FINNMAKE_LINKED
// What a linked design calls, with what `finnmake_state` gives.
FINNMAKE_EXPORT extern const finnmake::FallingEdge finnmake_falling_edge = finnmake::falling_edge;
FINNMAKE_EXPORT int finnmake_settle(void* state) {
    return finnmake::has_stopped([&] { finnmake::settle(*static_cast<Vmodel___024root*>(state)); });
}
FINNMAKE_EXPORT int finnmake_rise(void* state, int is_behind) {
    return finnmake::has_stopped([&] { finnmake::rise(*static_cast<Vmodel___024root*>(state), is_behind != 0); });
}
#endif

FINNMAKE_EXPORT void* finnmake_state(void* handle, std::size_t* size) {
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
            simulation.settle();
            simulation.rise();
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
            simulation.settle();
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
            simulation.rise();
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
    const int stopped = finnmake::has_stopped([&] {
        simulation.model->eval();
        simulation.context->timeInc(1);
    });
    if (stopped != 0) simulation.context->gotFinish(true);
    return stopped;
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
