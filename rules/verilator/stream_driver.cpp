// Drives a simulation: whole batches through its AXI4-Stream ports in one call, and single signals for PyVerilator.
//
// Compiled once, into the archive that every simulation is linked with; what it drives is a Model (model.hpp).

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "model.hpp"
#include "streams.hpp"

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

// ---- the simulation -------------------------------------------------------------------------------------------------

namespace finnmake {

struct Simulation {
    std::unique_ptr<VerilatedContext> context;
    std::unique_ptr<Model> model;
    bool is_traced = false;

    // A seed: registers start with random contents, so that a missing reset shows.
    explicit Simulation(int random_seed) : context(std::make_unique<VerilatedContext>()) {
        context->randReset(random_seed == 0 ? 0 : 2);
        if (random_seed != 0) context->randSeed(random_seed);
        context->traceEverOn(true);
        model = make_model(*context);
    }
    void settle() {
        model->settle();
        pass_time();
    }
    void rise() {
        model->rise();
        pass_time();
    }

  private:
    void pass_time() {
        if (is_traced) model->dump_trace(context->time());
        context->timeInc(5);
    }
};

Model& model_of(void* simulation) { return *static_cast<Simulation*>(simulation)->model; }

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
    explicit Stillness(const Simulation& simulation) : state(simulation.model->state()), before(state.size) {}
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

// A new simulation whose memories are loaded from the files `prefix` + name; null and a message where one is missing.
FINNMAKE_EXPORT void* finnmake_construct(const char* prefix, int random_seed, char* message, std::size_t size) {
    finnmake::memory_prefix = prefix;
    void* result = nullptr;
    try {
        auto simulation = std::make_unique<finnmake::Simulation>(random_seed);
        for (const finnmake_port& port : simulation->model->ports())
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
    std::vector<finnmake_port> found = finnmake::model_of(handle).ports();
    found.push_back({nullptr, nullptr, 0, 0, 0});
    std::copy_n(found.begin(), std::min(found.size(), count), list);
    return list;
}

FINNMAKE_EXPORT void* finnmake_state(void* handle, std::size_t* size) {
    const finnmake::State state = finnmake::model_of(handle).state();
    *size = state.size;
    return state.bytes;
}

// Resets the core, offers the input words in order and takes output words until all have come.
FINNMAKE_EXPORT int finnmake_run(void* handle, finnmake_run_arguments* arguments) {
    using namespace finnmake;
    auto& simulation = *static_cast<Simulation*>(handle);
    Model& model = *simulation.model;
    finnmake_run_arguments& a = *arguments;
    a.cycles = 0;
    a.message[0] = '\0';
    Status status = done;
    try {
        if (a.trace_file != nullptr) {
            model.open_trace(a.trace_file);
            simulation.is_traced = true;
        }
        auto sources = streams<Source>(model.input_streams(), a.inputs, Seeds(2 * a.seed), a.input_stall);
        auto sinks = streams<Sink>(model.output_streams(), a.outputs, Seeds(2 * a.seed + 1), a.output_stall);
        std::uint64_t number = 0, burst_left = 0;
        const auto may_move = [&] { return ++number != a.throttled || burst_left != 0; };
        Stillness stillness(simulation);
        model.aresetn() = 0;
        for (std::uint64_t cycle = 0; cycle < a.reset_cycles; ++cycle) {
            simulation.settle();
            simulation.rise();
        }
        model.aresetn() = 1;
        std::uint64_t idle = 0, settled = 0;
        for (;; ++a.cycles) {
            bool all_finished = true;
            for (const Source& each : sources) all_finished &= each.finished();
            for (const Sink& each : sinks) all_finished &= each.finished();
            if (all_finished && settled++ == a.surplus_cycles) break;
            // Inputs change after the rising edge.
            number = 0;
            for (Source& each : sources) each.before_edge(may_move());
            for (Sink& each : sinks) each.before_edge(may_move());
            simulation.settle();
            for (Sink& each : sinks) {
                if (const char* wrong = each.look()) {
                    std::snprintf(a.message, sizeof a.message, "%s_%s before it was taken, in cycle %llu",
                                  each.port_name(), wrong, static_cast<unsigned long long>(a.cycles));
                    status = protocol;
                } else if (each.is_surplus() && a.surplus_cycles != 0 && status == done) {
                    std::snprintf(a.message, sizeof a.message, "%s", each.port_name());
                    status = surplus;
                }
            }
            if (status != done) break;
            for (Source& each : sources) each.note();
            for (Sink& each : sinks) each.note();
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
            for (Source& each : sources) take(each);
            for (Sink& each : sinks) take(each);
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
    if (simulation.is_traced) model.close_trace();
    simulation.is_traced = false;
    return status;
}

// ---- PyVerilator's symbol convention; what depends on the ports is in port_symbols.hpp ------------------------------

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
FINNMAKE_EXPORT bool get_finished() { return Verilated::threadContextp()->gotFinish(); }
FINNMAKE_EXPORT void set_finished(bool finished) { Verilated::threadContextp()->gotFinish(finished); }
FINNMAKE_EXPORT void set_vl_finish_callback(finnmake::FinishCallback callback) { finnmake::finish_callback = callback; }
FINNMAKE_EXPORT void set_command_args(int count, char** values) {
    Verilated::threadContextp()->commandArgs(count, values);
}

}  // extern "C"
