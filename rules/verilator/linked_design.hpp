// A stitched design that is simulated as what it is made of: the simulations of its cores, loaded when the design is
// constructed, and the nets between them. No core is compiled for a design, none again after a change of another one.
//
// Nor is this: link.py reads the nets from the design's Verilog and writes them as data (linked_tables.hpp).
// stream_driver.cpp includes this, behind its own finnmake_port, and drives the class Vmodel as it drives that of a core.

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "linked_tables.hpp"
#include "verilated.h"

namespace finnmake {

extern thread_local const char* memory_prefix;

// Shared object of a core: stays loaded while the design lives.
class LinkedCore {
    void* library;

    template <typename Function>
    void find(Function& function, const char* name) {
        function = reinterpret_cast<Function>(dlsym(library, name));
        if (function == nullptr) throw std::runtime_error(std::string("no simulation of a core: it lacks ") + name);
    }

  public:
    void* (*construct)(const char*, int, char*, std::size_t) = nullptr;
    int (*destruct)(void*) = nullptr;
    int (*eval)(void*) = nullptr;
    const finnmake_port* (*ports)(void*, finnmake_port*, std::size_t) = nullptr;
    const void* (*state)(void*, std::size_t*) = nullptr;

    explicit LinkedCore(const std::string& path) : library(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (library == nullptr) throw std::runtime_error(dlerror());
        find(construct, "finnmake_construct");
        find(destruct, "destruct");
        find(eval, "finnmake_eval");
        find(ports, "finnmake_ports");
        find(state, "finnmake_state");
    }
    LinkedCore(const LinkedCore&) = delete;
    LinkedCore& operator=(const LinkedCore&) = delete;
    ~LinkedCore() { dlclose(library); }
};

// A falling edge of the clock settles the design; its outputs count from then on.
//
// All instances see the rising edge before any of them sees what the others make of it. Then what has changed is passed on
// until nothing changes any more, the last instance first: a stream's ready goes from the end of a design to its start.
//
// An instance whose inputs and whose whole state a cycle has left as they were sleeps: no clock changes it until an input
// changes. Most layers wait for others most of the time. Comparing states costs more than a cycle where they hold memories:
// an instance that was found awake is looked at later the next time.
class LinkedDesign {
  public:
    struct Stream {
        const char* name;
        std::uint32_t width;
        std::size_t size;
        void* tdata;
        CData *tvalid, *tready;
    };

  private:
    static constexpr const LinkedTables& tables = linked_tables;

    struct Reader {
        std::uint32_t instance;
        void* data;
    };
    struct Driver {  // an output of an instance, and where it goes
        const void* data;
        std::size_t bytes;
        std::vector<Reader> readers;
    };
    struct Instance {
        const LinkedCore* core = nullptr;
        void* handle = nullptr;
        CData* clock = nullptr;
        std::vector<Driver> drivers;
        bool changed = true;
        bool asleep = false;
        bool moved = true;  // an input or an output has changed in this cycle
        std::uint32_t quiet = 0, patience = shortest_wait, next_look = shortest_wait;
        const char* state = nullptr;
        std::vector<char> before;
    };
    static constexpr std::uint32_t shortest_wait = 2, longest_wait = 512, most_patience = 64;
    static constexpr std::uint32_t outside = 0xffffffff;
    static constexpr int most_rounds = 10000;
    static constexpr std::size_t most_ports = 4096;

    std::vector<std::unique_ptr<LinkedCore>> cores;
    std::vector<Instance> instances;
    std::vector<Driver> inputs;
    std::vector<std::vector<std::uint64_t>> values;  // of the design's ports
    CData before = 0;

    template <typename Word>
    static bool copy_word(void* target, const void* source) {
        Word& word = *static_cast<Word*>(target);
        const Word now = *static_cast<const Word*>(source);
        return std::exchange(word, now) != now;
    }
    // Whether that changed the target. Most nets are valid and ready signals.
    static bool copy(void* target, const void* source, std::size_t bytes) {
        switch (bytes) {
            case sizeof(CData): return copy_word<CData>(target, source);
            case sizeof(SData): return copy_word<SData>(target, source);
            case sizeof(IData): return copy_word<IData>(target, source);
            case sizeof(QData): return copy_word<QData>(target, source);
            default: return std::memcmp(target, source, bytes) != 0 && std::memcpy(target, source, bytes);
        }
    }
    bool pass_on(const Driver& driver) {
        bool changed = false;
        for (const Reader& reader : driver.readers)
            if (copy(reader.data, driver.data, driver.bytes)) {
                changed = true;
                if (reader.instance == outside) continue;
                Instance& instance = instances[reader.instance];
                instance.changed = instance.moved = true;
                instance.asleep = false;
            }
        return changed;
    }
    void pass_on(Instance& instance) {
        for (const Driver& driver : instance.drivers) instance.moved |= pass_on(driver);
    }
    // At the end of a cycle.
    static void look_for_sleep(Instance& instance) {
        if (instance.moved) {
            instance.moved = false;
            instance.quiet = 0;
            instance.next_look = instance.patience;
            return;
        }
        if (++instance.quiet == instance.next_look) {
            std::memcpy(instance.before.data(), instance.state, instance.before.size());
        } else if (instance.quiet > instance.next_look) {
            instance.asleep = std::memcmp(instance.before.data(), instance.state, instance.before.size()) == 0;
            instance.patience = instance.asleep ? std::max(instance.patience / 2, shortest_wait)
                                                : std::min(instance.patience * 2, most_patience);
            instance.next_look += std::min(instance.next_look, longest_wait);
        }
    }
    static void evaluate(const Instance& instance) {
        if (instance.core->eval(instance.handle) != 0) throw std::runtime_error("a core has stopped");
    }

    static std::vector<std::vector<std::uint64_t>> values_of_ports() {
        std::vector<std::vector<std::uint64_t>> made;
        for (std::uint32_t number = 0; number < tables.port_count; ++number)
            made.emplace_back((tables.ports[number].width + 63) / 64);
        return made;
    }
    template <typename Value>
    Value& value_of(std::uint32_t port) {
        return *reinterpret_cast<Value*>(values[port].data());
    }
    std::uint32_t number_of(const char* name) const {
        std::uint32_t port = 0;
        while (port < tables.port_count && std::strcmp(tables.ports[port].name, name) != 0) ++port;
        if (port == tables.port_count) throw std::runtime_error(std::string("the design has no port ") + name);
        return port;
    }
    static std::size_t port_bytes(std::uint32_t width) { return finnmake_port{nullptr, nullptr, width, 0}.bytes(); }
    std::vector<Stream> streams(const LinkedStream* list, std::uint32_t count) {
        std::vector<Stream> found;
        for (std::uint32_t index = 0; index < count; ++index) {
            const std::uint32_t width = tables.ports[list[index].tdata].width;
            found.push_back({list[index].name, width, port_bytes(width), values[list[index].tdata].data(),
                             &value_of<CData>(list[index].tvalid), &value_of<CData>(list[index].tready)});
        }
        return found;
    }

    void connect(int random_seed) {
        struct End {
            std::uint32_t instance;
            void* data;
            std::uint32_t width;
        };
        struct Net {
            std::vector<End> drivers, readers;
        };
        std::vector<Net> found(tables.net_count);
        const std::uint32_t clock_net = tables.ports[number_of("aclk")].net;
        // A name without a slash would be looked for where the system's libraries are.
        const std::string folder = memory_prefix == nullptr ? "./" : memory_prefix;
        std::vector<std::string> names;
        std::vector<finnmake_port> table(most_ports);
        const LinkedInstance* const list = tables.instances;
        const LinkedConnection* connection = tables.connections;
        instances.resize(tables.instance_count);
        for (std::uint32_t number = 0; number < tables.port_count; ++number) {
            const LinkedPort& port = tables.ports[number];
            (port.is_output != 0 ? found[port.net].readers : found[port.net].drivers)
                .push_back({outside, values[number].data(), port.width});
        }
        for (std::uint32_t position = 0; position < tables.instance_count; ++position) {
            std::size_t known = 0;
            while (known < names.size() && names[known] != list[position].core) ++known;
            if (known == names.size()) {
                cores.push_back(std::make_unique<LinkedCore>(folder + list[position].core + ".so"));
                names.emplace_back(list[position].core);
            }
            Instance& instance = instances[position];
            instance.core = cores[known].get();
            char message[1024] = "";
            const std::string memories = folder + list[position].memories;
            instance.handle = instance.core->construct(memories.c_str(), random_seed, message, sizeof message);
            if (instance.handle == nullptr) throw std::runtime_error(message);
            std::size_t size = 0;
            instance.state = static_cast<const char*>(instance.core->state(instance.handle, &size));
            instance.before.resize(size);
            instance.core->ports(instance.handle, table.data(), table.size());
            for (std::uint32_t index = 0; index < list[position].connections; ++index, ++connection) {
                const finnmake_port* port = table.data();
                while (port->name != nullptr && std::strcmp(port->name, connection->port) != 0) ++port;
                if (port->name == nullptr)
                    throw std::runtime_error(std::string(list[position].core) + " has no port " + connection->port);
                if (connection->net == clock_net)
                    instance.clock = static_cast<CData*>(port->data);
                else
                    (port->is_output != 0 ? found[connection->net].drivers : found[connection->net].readers)
                        .push_back({position, port->data, port->width});
            }
            if (instance.clock == nullptr) throw std::runtime_error(std::string(list[position].core) + " has no clock");
        }
        for (std::uint32_t net = 0; net < tables.net_count; ++net) {
            if (net == clock_net) continue;
            if (found[net].drivers.size() != 1)
                throw std::runtime_error("a net of the design has " + std::to_string(found[net].drivers.size()) + " drivers");
            const End& end = found[net].drivers[0];
            Driver driver{end.data, port_bytes(end.width), {}};
            for (const End& reader : found[net].readers) {
                if (reader.width != end.width) throw std::runtime_error("a net of the design has two widths");
                driver.readers.push_back({reader.instance, reader.data});
            }
            (end.instance == outside ? inputs : instances[end.instance].drivers).push_back(driver);
        }
    }

    void eval_with(CData clock) {
        const bool falling = clock == 0 && before != 0;
        if (clock != before) {
            before = clock;
            for (Instance& instance : instances) {
                if (instance.asleep) continue;
                *instance.clock = clock;
                if (clock != 0) evaluate(instance);
                instance.changed = true;
            }
            if (clock != 0) return;
            for (Instance& instance : instances)
                if (!instance.asleep) pass_on(instance);
        }
        for (const Driver& driver : inputs) pass_on(driver);
        bool settled = false;
        for (int round = 0; !settled; ++round) {
            if (round == most_rounds) throw std::runtime_error("the design does not settle: a loop without a register");
            settled = true;
            for (std::size_t position = instances.size(); position-- > 0;) {
                Instance& instance = instances[position];
                if (!instance.changed) continue;
                instance.changed = settled = false;
                evaluate(instance);
                pass_on(instance);
            }
        }
        if (falling)
            for (Instance& instance : instances)
                if (!instance.asleep) look_for_sleep(instance);
    }

  public:
    CData& aclk;
    CData& aresetn;

    LinkedDesign(VerilatedContext* context, const char*)
        : values(values_of_ports()), aclk(value_of<CData>(number_of("aclk"))),
          aresetn(value_of<CData>(number_of("aresetn"))) {
        connect(context->randReset() == 0 ? 0 : context->randSeed());
    }
    ~LinkedDesign() {
        for (const Instance& instance : instances)
            if (instance.handle != nullptr) instance.core->destruct(instance.handle);
    }
    void eval() { eval_with(aclk); }
    void* port(std::uint32_t number) { return values[number].data(); }
    std::vector<finnmake_port> ports() {
        std::vector<finnmake_port> found;
        for (std::uint32_t number = 0; number < tables.port_count; ++number)
            found.push_back({tables.ports[number].name, port(number), tables.ports[number].width,
                             tables.ports[number].is_output});
        return found;
    }
    std::vector<Stream> input_streams() { return streams(tables.input_streams, tables.input_stream_count); }
    std::vector<Stream> output_streams() { return streams(tables.output_streams, tables.output_stream_count); }
};

}  // namespace finnmake

using Vmodel = finnmake::LinkedDesign;
