// The symbols of a simulation that depend on its ports: PyVerilator's, and the widths of the streams.
//
// Who includes this defines FINNMAKE_EXPORT, FINNMAKE_TOP (name of the module), FINNMAKE_INPUTS(X), FINNMAKE_OUTPUTS(X)
// (X(name, width) for every port), FINNMAKE_INPUT_STREAMS(X) and FINNMAKE_OUTPUT_STREAMS(X) (X(name, width of tdata) for every
// AXI4-Stream, with commas between them), and FINNMAKE_PORT(handle, name), where a port's value is.

#include <cstdint>

namespace finnmake {

inline std::uint64_t get_signal(const void* port, std::uint32_t width, std::uint32_t word) {
    if (width <= 8) return *static_cast<const std::uint8_t*>(port);
    if (width <= 16) return *static_cast<const std::uint16_t*>(port);
    if (width <= 32) return *static_cast<const std::uint32_t*>(port);
    if (width <= 64) return *static_cast<const std::uint64_t*>(port);
    return static_cast<const std::uint32_t*>(port)[word];
}
inline void set_signal(void* port, std::uint32_t width, std::uint64_t value, std::uint32_t word_value) {
    if (width <= 8) *static_cast<std::uint8_t*>(port) = static_cast<std::uint8_t>(value);
    else if (width <= 16) *static_cast<std::uint16_t*>(port) = static_cast<std::uint16_t>(value);
    else if (width <= 32) *static_cast<std::uint32_t*>(port) = static_cast<std::uint32_t>(value);
    else if (width <= 64) *static_cast<std::uint64_t*>(port) = value;
    else static_cast<std::uint32_t*>(port)[value] = word_value;
}

}  // namespace finnmake

extern "C" {

// Widths of tdata in the order of the streams; a zero ends each.
#define X(name, width) width
FINNMAKE_EXPORT extern const std::uint32_t finnmake_input_widths[] = {FINNMAKE_INPUT_STREAMS(X), 0};
FINNMAKE_EXPORT extern const std::uint32_t finnmake_output_widths[] = {FINNMAKE_OUTPUT_STREAMS(X), 0};
#undef X

FINNMAKE_EXPORT extern const char* _pyverilator_module_name;
const char* _pyverilator_module_name = FINNMAKE_TOP;
#define X(name, width) #name,
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

// Ports wider than 64 bits are read and written in words of 32 bits, as PyVerilator does. A caller of a narrow port passes
// one argument less; what the calling convention leaves in its place is not looked at.
#define X(name, width)                                                                 \
    FINNMAKE_EXPORT std::uint64_t get_##name(void* handle, std::uint32_t word) {       \
        return finnmake::get_signal(FINNMAKE_PORT(handle, name), width, word);         \
    }
FINNMAKE_INPUTS(X)
FINNMAKE_OUTPUTS(X)
#undef X
#define X(name, width)                                                                          \
    FINNMAKE_EXPORT int set_##name(void* handle, std::uint64_t value, std::uint32_t word_value) { \
        finnmake::set_signal(FINNMAKE_PORT(handle, name), width, value, word_value);            \
        return 0;                                                                               \
    }
FINNMAKE_INPUTS(X)
#undef X

}  // extern "C"
