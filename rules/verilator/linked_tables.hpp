// What a stitched design is made of, as data: link.py writes it, linked_design.hpp reads it.

#pragma once

#include <cstdint>

namespace finnmake {

struct LinkedPort {  // of the design
    const char* name;
    std::uint32_t width;
    std::uint32_t is_output;
    std::uint32_t net;
};
struct LinkedStream {  // numbers of its ports
    const char* name;
    std::uint32_t tdata, tvalid, tready;
};
struct LinkedConnection {
    const char* port;
    std::uint32_t net;
};
struct LinkedInstance {
    const char* core;
    const char* memories;  // what the names of its memory files begin with
    std::uint32_t connections;
};
struct LinkedTables {
    const LinkedPort* ports;
    const LinkedStream* input_streams;
    const LinkedStream* output_streams;
    const LinkedInstance* instances;
    const LinkedConnection* connections;  // of all instances, one after the other
    std::uint32_t port_count, input_stream_count, output_stream_count, instance_count, net_count;
};

// One of each in the shared object of a design.
extern const LinkedTables linked_tables;
// Where the value of a port is, in a simulation.
void* linked_port(void* simulation, std::uint32_t number);

}  // namespace finnmake
