// Drives one Verilated core: whole batches through its AXI4-Stream ports in one call, and single signals for PyVerilator.
//
// Included at the end of the translation unit that build.py writes, which defines FINNMAKE_TOP, FINNMAKE_INPUTS(X),
// FINNMAKE_OUTPUTS(X) (X(name, width) for every port) and FINNMAKE_{S,M}_AXIS_TDATA_WIDTH.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "Vmodel.h"
#include "verilated.h"
#ifdef FINNMAKE_TRACE
#include "verilated_vcd_c.h"
#endif

#define FINNMAKE_EXPORT __attribute__((visibility("default")))

// ---- what Verilator's runtime calls ---------------------------------------------------------------------------------

namespace finnmake {

using FinishCallback = void (*)(const char* filename, int line, const char* hierarchy);
FinishCallback finish_callback = nullptr;
thread_local const char* memory_directory = nullptr;

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

// $readmemh opens its file with fopen. A relative name is meant relative to the folder that the caller names; the working
// directory of the process is not ours to change.
extern "C" std::FILE* __real_fopen(const char* name, const char* mode);
extern "C" std::FILE* __wrap_fopen(const char* name, const char* mode) {
    if (finnmake::memory_directory == nullptr || name[0] == '/') return __real_fopen(name, mode);
    return __real_fopen((std::string(finnmake::memory_directory) + "/" + name).c_str(), mode);
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

constexpr int input_bytes = (FINNMAKE_S_AXIS_TDATA_WIDTH + 7) / 8;
constexpr int output_bytes = (FINNMAKE_M_AXIS_TDATA_WIDTH + 7) / 8;

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
        model->eval();
#ifdef FINNMAKE_TRACE
        if (trace) trace->dump(context->time());
#endif
        context->timeInc(5);
    }
};

enum Status { done = 0, deadlock = 1, protocol = 2, surplus = 3, failed = 4 };

}  // namespace finnmake

extern "C" {

// Mirrored by finnmake.runtime.rtlsim. Probabilities are times 2^32.
struct finnmake_run_arguments {
    const std::uint8_t* inputs;
    std::uint8_t* outputs;
    std::int64_t* input_cycles;
    std::int64_t* output_cycles;
    const char* trace_file;
    std::uint64_t input_words;
    std::uint64_t output_words;
    std::uint64_t input_stall;
    std::uint64_t output_stall;
    std::uint64_t seed;
    std::uint64_t max_idle_cycles;
    std::uint64_t surplus_cycles;
    std::uint64_t reset_cycles;
    std::uint64_t inputs_taken;
    std::uint64_t outputs_taken;
    std::uint64_t cycles;
    char message[1024];
};

FINNMAKE_EXPORT extern const std::uint32_t finnmake_input_width = FINNMAKE_S_AXIS_TDATA_WIDTH;
FINNMAKE_EXPORT extern const std::uint32_t finnmake_output_width = FINNMAKE_M_AXIS_TDATA_WIDTH;
#ifdef FINNMAKE_TRACE
FINNMAKE_EXPORT extern const std::uint32_t finnmake_has_trace = 1;
#else
FINNMAKE_EXPORT extern const std::uint32_t finnmake_has_trace = 0;
#endif

// A new simulation whose memories are loaded from `directory`; null and a message where a file is missing.
FINNMAKE_EXPORT void* finnmake_construct(const char* directory, int random_seed, char* message, std::size_t size) {
    finnmake::memory_directory = directory;
    void* result = nullptr;
    try {
        auto simulation = std::make_unique<finnmake::Simulation>(random_seed);
#define X(name, width) std::memset(&simulation->model->name, 0, sizeof(simulation->model->name));
        FINNMAKE_INPUTS(X)
#undef X
        simulation->eval();
        result = simulation.release();
    } catch (const std::exception& error) {
        std::snprintf(message, size, "%s", error.what());
    }
    finnmake::memory_directory = nullptr;
    return result;
}

// Resets the core, offers the input words in order and takes output words until all have come.
FINNMAKE_EXPORT int finnmake_run(void* handle, finnmake_run_arguments* arguments) {
    using namespace finnmake;
    auto& simulation = *static_cast<Simulation*>(handle);
    Vmodel& core = *simulation.model;
    finnmake_run_arguments& a = *arguments;
    a.inputs_taken = a.outputs_taken = a.cycles = 0;
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
        Random input_random(2 * a.seed), output_random(2 * a.seed + 1);
        core.s_axis_tvalid = 0;
        core.m_axis_tready = 0;
        core.aresetn = 0;
        for (std::uint64_t cycle = 0; cycle < a.reset_cycles; ++cycle) {
            core.aclk = 0;
            simulation.eval();
            core.aclk = 1;
            simulation.eval();
        }
        core.aresetn = 1;
        std::uint64_t idle = 0, settled = 0;
        std::uint8_t word[output_bytes], held_word[output_bytes];
        bool held = false;  // a word was offered and not taken: it must stay
        for (;; ++a.cycles) {
            const bool all_in = a.inputs_taken == a.input_words, all_out = a.outputs_taken == a.output_words;
            if (all_in && all_out && settled++ == a.surplus_cycles) break;
            // Inputs change after the rising edge; a word once offered stays until it is taken.
            if (core.s_axis_tvalid == 0 && !all_in && !input_random.below(a.input_stall)) {
                core.s_axis_tvalid = 1;
                write_port<FINNMAKE_S_AXIS_TDATA_WIDTH>(core.s_axis_tdata, a.inputs + a.inputs_taken * input_bytes);
            }
            core.m_axis_tready = !all_out && !output_random.below(a.output_stall);
            core.aclk = 0;
            simulation.eval();
            const bool input_taken = core.s_axis_tvalid != 0 && core.s_axis_tready != 0;
            const bool offered = core.m_axis_tvalid != 0;
            const bool output_taken = offered && core.m_axis_tready != 0;
            if (offered) read_port<FINNMAKE_M_AXIS_TDATA_WIDTH>(core.m_axis_tdata, word);
            if (held && (!offered || std::memcmp(word, held_word, output_bytes) != 0)) {
                std::snprintf(a.message, sizeof a.message, "%s before it was taken, in cycle %llu",
                              offered ? "m_axis_tdata changed" : "m_axis_tvalid fell",
                              static_cast<unsigned long long>(a.cycles));
                status = protocol;
                break;
            }
            held = offered && !output_taken;
            if (held) std::memcpy(held_word, word, output_bytes);
            if (offered && all_out && a.surplus_cycles != 0) {
                status = surplus;
                break;
            }
            core.aclk = 1;
            simulation.eval();
            if (input_taken) {
                a.input_cycles[a.inputs_taken++] = static_cast<std::int64_t>(a.cycles);
                core.s_axis_tvalid = 0;
            }
            if (output_taken) {
                std::memcpy(a.outputs + a.outputs_taken * output_bytes, word, output_bytes);
                a.output_cycles[a.outputs_taken++] = static_cast<std::int64_t>(a.cycles);
            }
            idle = input_taken || output_taken ? 0 : idle + 1;
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
