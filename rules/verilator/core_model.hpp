// A Verilated core as what stream_driver.cpp drives, and what a linked design calls of it.
//
// Included behind the generated C++ by the translation unit that build.py writes, which defines the macros of
// port_symbols.hpp and FINNMAKE_COMBINATIONAL_INPUTS(X) (X(name) for each input that an output may follow from at once).

#include <cstring>
#include <utility>

#include "Vmodel.h"
#include "Vmodel___024root.h"
#include "model.hpp"
#ifdef FINNMAKE_TRACE
#include "verilated_vcd_c.h"
#endif

namespace finnmake {

// The model's own eval() takes a lock and empties queues for what these models do not have, threads and dynamic objects: a
// third of the time of a small core. Its loops ask what has changed: another third. FINNMAKE_DIRECT_REGIONS says that what
// they call can be called instead (evaluation.py). What is evaluated so must have been evaluated once by eval(), which
// initialises it.
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

inline bool is_combinational(const char* name) {
#define X(input) if (std::strcmp(name, #input) == 0) return true;
    FINNMAKE_COMBINATIONAL_INPUTS(X)
#undef X
    return false;
}

class CoreModel final : public Model {
#ifdef FINNMAKE_TRACE
    std::unique_ptr<VerilatedVcdC> value_changes;  // gone before the core is
#endif

  public:
    Vmodel core;

    explicit CoreModel(VerilatedContext& context) : core(&context, "TOP") {}

#ifdef FINNMAKE_TRACE
    void settle() override {
        core.aclk = 0;
        core.eval();
    }
    void rise() override {
        core.aclk = 1;
        core.eval();
    }
    void open_trace(const char* file) override {
        value_changes = std::make_unique<VerilatedVcdC>();
        core.trace(value_changes.get(), 99);
        value_changes->open(file);
        if (!value_changes->isOpen()) throw std::runtime_error(std::string(file) + ": cannot be written");
    }
    void dump_trace(std::uint64_t time) override {
        if (value_changes) value_changes->dump(time);
    }
    void close_trace() override {
        if (value_changes) value_changes->close();
        value_changes.reset();
    }
#else
    void settle() override { finnmake::settle(*core.rootp); }
    void rise() override { finnmake::rise(*core.rootp, false); }
#endif
    void eval() override { core.eval(); }
    CData& aresetn() override { return core.aresetn; }
    State state() override { return {reinterpret_cast<char*>(core.rootp), sizeof(Vmodel___024root)}; }
    std::vector<finnmake_port> ports() override {
        return {
#define X(name, width) {#name, &core.name, width, 0, is_combinational(#name)},
            FINNMAKE_INPUTS(X)
#undef X
#define X(name, width) {#name, &core.name, width, 1, 0},
            FINNMAKE_OUTPUTS(X)
#undef X
        };
    }
#define X(name, width) {#name, width, &core.name##_tdata, &core.name##_tvalid, &core.name##_tready}
    std::vector<StreamPort> input_streams() override { return {FINNMAKE_INPUT_STREAMS(X)}; }
    std::vector<StreamPort> output_streams() override { return {FINNMAKE_OUTPUT_STREAMS(X)}; }
#undef X
};

std::unique_ptr<Model> make_model(VerilatedContext& context) { return std::make_unique<CoreModel>(context); }

}  // namespace finnmake

extern "C" {

// What a linked design calls, with what `finnmake_state` gives.
FINNMAKE_EXPORT extern const finnmake::FallingEdge finnmake_falling_edge = finnmake::falling_edge;
FINNMAKE_EXPORT int finnmake_settle(void* state) {
    return finnmake::has_stopped([&] { finnmake::settle(*static_cast<Vmodel___024root*>(state)); });
}
FINNMAKE_EXPORT int finnmake_rise(void* state, int is_behind) {
    return finnmake::has_stopped([&] { finnmake::rise(*static_cast<Vmodel___024root*>(state), is_behind != 0); });
}

#ifdef FINNMAKE_TRACE
FINNMAKE_EXPORT extern const std::uint32_t finnmake_has_trace = 1;

// PyVerilator's.
FINNMAKE_EXPORT void* start_vcd_trace(void* handle, const char* filename) {
    auto* trace = new VerilatedVcdC;
    static_cast<finnmake::CoreModel&>(finnmake::model_of(handle)).core.trace(trace, 99);
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
#else
FINNMAKE_EXPORT extern const std::uint32_t finnmake_has_trace = 0;
#endif

}  // extern "C"

#define FINNMAKE_PORT(handle, name) &static_cast<finnmake::CoreModel&>(finnmake::model_of(handle)).core.name
#include "port_symbols.hpp"
