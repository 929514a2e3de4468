// What drives a simulation (stream_driver.cpp, compiled once) and what is driven (core_model.hpp of a core, linked_design.cpp
// of a stitched design) know of each other.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <vector>

#include "verilated.h"

#define FINNMAKE_EXPORT __attribute__((visibility("default")))

// One port of a simulation: where its value is, 1, 2, 4 or 8 bytes, or words of 32 bits.
struct finnmake_port {
    const char* name;
    void* data;
    std::uint32_t width;
    std::uint32_t is_output;
    std::uint32_t is_combinational;  // of an input: an output may follow from it with no register between

    static std::size_t bytes_of(std::uint32_t width) {
        return width <= 8 ? 1 : width <= 16 ? 2 : width <= 32 ? 4 : width <= 64 ? 8 : (width + 31) / 32 * 4;
    }
    std::size_t bytes() const { return bytes_of(width); }
};

namespace finnmake {

// What becomes of a core at a falling edge of its clock. Where it only must be seen, by eval(), nothing changes at it.
enum class FallingEdge : std::uint32_t { not_needed, to_be_seen, active };

// Everything that a simulation holds, its ports among it. That of a linked design is its cores'.
struct State {
    char* bytes;
    std::size_t size;
};

// An AXI4-Stream of what is driven.
struct StreamPort {
    const char* name;
    std::uint32_t width;  // of tdata, in bits
    void* tdata;
    CData *tvalid, *tready;
};

class Model {
  public:
    Model() = default;
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;
    virtual ~Model() = default;

    // After a change of inputs, with the clock low.
    virtual void settle() = 0;
    virtual void rise() = 0;
    // Whatever has changed, the clock among it.
    virtual void eval() = 0;

    virtual CData& aresetn() = 0;
    virtual State state() = 0;
    virtual std::vector<finnmake_port> ports() = 0;
    virtual std::vector<StreamPort> input_streams() = 0;
    virtual std::vector<StreamPort> output_streams() = 0;

    // Value changes are written by a core that was built for it.
    virtual void open_trace(const char*) { throw std::runtime_error("built without value changes"); }
    virtual void dump_trace(std::uint64_t) {}
    virtual void close_trace() {}
};

// Defined by what is driven.
std::unique_ptr<Model> make_model(VerilatedContext& context);

// Defined by the driver. What `finnmake_construct` and `construct` give has a model.
Model& model_of(void* simulation);
extern thread_local const char* memory_prefix;

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

}  // namespace finnmake
