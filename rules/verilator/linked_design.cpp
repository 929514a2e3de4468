// A stitched design that is simulated as what it is made of: the simulations of its cores, loaded when the design is
// constructed, and the nets between them. No core is compiled for a design, none again after a change of another one.
//
// Nor is this: link.py reads the nets from the design's Verilog and writes them as data (linked_tables.hpp).

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
#include "model.hpp"

namespace finnmake {

// Shared object of a core: stays loaded while the design lives.
class LinkedCore {
    void* library;

    template <typename Symbol>
    void find(Symbol& symbol, const char* name) {
        symbol = reinterpret_cast<Symbol>(dlsym(library, name));
        if (symbol == nullptr) throw std::runtime_error(std::string("no simulation of a core: it lacks ") + name);
    }

  public:
    void* (*construct)(const char*, int, char*, std::size_t) = nullptr;
    int (*destruct)(void*) = nullptr;
    int (*settle)(void*) = nullptr;
    int (*rise)(void*, int) = nullptr;
    const finnmake_port* (*ports)(void*, finnmake_port*, std::size_t) = nullptr;
    void* (*state)(void*, std::size_t*) = nullptr;
    const FallingEdge* falling_edge = nullptr;

    explicit LinkedCore(const std::string& path) : library(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (library == nullptr) throw std::runtime_error(dlerror());
        find(construct, "finnmake_construct");
        find(destruct, "destruct");
        find(settle, "finnmake_settle");
        find(rise, "finnmake_rise");
        find(ports, "finnmake_ports");
        find(state, "finnmake_state");
        find(falling_edge, "finnmake_falling_edge");
    }
    LinkedCore(const LinkedCore&) = delete;
    LinkedCore& operator=(const LinkedCore&) = delete;
    ~LinkedCore() { dlclose(library); }
};

// A set of small numbers.
class Numbers {
    std::vector<std::uint64_t> words;

  public:
    explicit Numbers(std::size_t size, bool full = false) : words((size + 63) / 64) {
        if (full)
            for (std::size_t number = 0; number < size; ++number) add(number);
    }
    void add(std::size_t number) { words[number / 64] |= std::uint64_t{1} << (number % 64); }
    void remove(std::size_t number) { words[number / 64] &= ~(std::uint64_t{1} << (number % 64)); }
    void clear() { std::fill(words.begin(), words.end(), 0); }
    void add_common(const Numbers& left, const Numbers& right) {
        for (std::size_t word = 0; word < words.size(); ++word) words[word] |= left.words[word] & right.words[word];
    }
    // Those that are in it when their word's turn comes.
    template <typename Function>
    void for_each_but(const Numbers& others, Function function) const {
        for (std::size_t word = 0; word < words.size(); ++word)
            for (std::uint64_t left = words[word] & ~others.words[word]; left != 0; left &= left - 1)
                function(64 * word + static_cast<std::size_t>(__builtin_ctzll(left)));
    }
    // Takes all out, the largest first; those that come in behind the place where it is stay. Whether there were any.
    template <typename Function>
    bool take_descending(Function function) {
        bool any = false;
        for (std::size_t word = words.size(); word-- > 0;) {
            std::uint64_t ahead = ~std::uint64_t{0};
            while ((words[word] & ahead) != 0) {
                const int bit = 63 - __builtin_clzll(words[word] & ahead);
                const std::uint64_t taken = std::uint64_t{1} << bit;
                words[word] &= ~taken;
                ahead = taken - 1;
                any = true;
                function(64 * word + static_cast<std::size_t>(bit));
            }
        }
        return any;
    }
};

// All instances see a rising edge before any of them sees what the others make of it. Then what has changed is passed on
// until nothing changes any more, the last instance first: a stream's ready goes from the end of a design to its start. An
// instance is evaluated then only where an output may follow from what has changed, with no register between: most have none
// of that kind. The others catch up at the next rising edge.
//
// An instance whose inputs and whose whole state a cycle has left as they were sleeps: no clock changes it until an input
// changes. Most layers wait for others most of the time. Comparing states costs more than a cycle where they hold memories:
// an instance that was found awake is looked at later the next time.
class LinkedDesign final : public Model {
    static constexpr const LinkedTables& tables = linked_tables;

    // From an output to an input. What the input holds is kept here, too: whether an output has changed is asked right after
    // its core was evaluated, when that and this are at hand and the reader is not.
    struct Wire {
        const char* from;
        char* to;
        std::uint64_t value;
        std::vector<char> long_value;  // instead of it, above 8 bytes
        std::uint32_t bytes;
        std::uint32_t reader;
        bool is_combinational;  // an output of the reader may follow at once
    };
    struct Instance {
        void* state = nullptr;
        int (*rise)(void*, int) = nullptr;
        std::uint32_t first_wire = 0, end_wire = 0;
        bool is_behind = true;  // inputs have changed since it was evaluated
    };
    struct Rest {  // what tells whether an instance sleeps
        std::uint32_t quiet = 0, patience = shortest_wait, next_look = shortest_wait;
        bool is_possible = true;  // what happens at falling edges, too, would miss one
        std::vector<char> before;
    };
    struct Made {
        const LinkedCore* core;
        std::unique_ptr<void, int (*)(void*)> handle;
    };
    static constexpr std::uint32_t shortest_wait = 2, longest_wait = 512, most_patience = 64;
    static constexpr std::uint32_t outside = 0xffffffff;
    static constexpr int most_rounds = 10000;
    static constexpr std::size_t most_ports = 4096;

    std::vector<std::unique_ptr<LinkedCore>> cores;
    std::vector<Made> made;  // gone before their cores are
    std::vector<Instance> instances;
    std::vector<Rest> rests;
    std::vector<Wire> wires;  // those of the instances, one after the other; at the end those of the design's inputs
    std::uint32_t first_input_wire = 0;
    std::vector<std::uint32_t> changed;  // wires
    std::vector<std::vector<std::uint64_t>> values;  // of the design's ports
    Numbers awake, moved, waiting, falling;  // moved: an input or an output has changed in this cycle
    const Numbers none;
    CData clock_before = 0;
    bool has_risen = true;

    template <typename Word>
    static bool take_word(Wire& wire) {
        Word now;
        std::memcpy(&now, wire.from, sizeof now);
        return std::exchange(wire.value, now) != now;
    }
    // Takes the output's value over; whether it is another one. Most nets are valid and ready signals.
    static bool take(Wire& wire) {
        switch (wire.bytes) {
            case sizeof(CData): return take_word<CData>(wire);
            case sizeof(SData): return take_word<SData>(wire);
            case sizeof(IData): return take_word<IData>(wire);
            case sizeof(QData): return take_word<QData>(wire);
            default: break;
        }
        if (std::memcmp(wire.long_value.data(), wire.from, wire.bytes) == 0) return false;
        std::memcpy(wire.long_value.data(), wire.from, wire.bytes);
        return true;
    }
    template <typename Word>
    static void put_word(const Wire& wire) {
        const Word now = static_cast<Word>(wire.value);
        std::memcpy(wire.to, &now, sizeof now);
    }
    static void put(const Wire& wire) {
        switch (wire.bytes) {
            case sizeof(CData): return put_word<CData>(wire);
            case sizeof(SData): return put_word<SData>(wire);
            case sizeof(IData): return put_word<IData>(wire);
            case sizeof(QData): return put_word<QData>(wire);
            default: std::memcpy(wire.to, wire.long_value.data(), wire.bytes);
        }
    }
    void pass_on(const Wire& wire) {
        put(wire);
        if (wire.reader == outside) return;
        instances[wire.reader].is_behind = true;
        awake.add(wire.reader);
        moved.add(wire.reader);
        if (wire.is_combinational) waiting.add(wire.reader);
    }
    // What the outputs of an instance, or the inputs of the design, are now goes on at once.
    void pass_on_changes(std::uint32_t first, std::uint32_t end) {
        for (std::uint32_t number = first; number < end; ++number)
            if (take(wires[number])) pass_on(wires[number]);
    }
    // It goes on when all have seen the rising edge.
    void note_changes(std::size_t number) {
        const std::size_t before = changed.size();
        for (std::uint32_t wire = instances[number].first_wire; wire < instances[number].end_wire; ++wire)
            if (take(wires[wire])) changed.push_back(wire);
        if (changed.size() != before) moved.add(number);
    }
    // At the end of a cycle in which nothing has moved at an instance.
    void look_for_sleep(std::size_t number) {
        Rest& rest = rests[number];
        if (!rest.is_possible) return;
        const void* const state = instances[number].state;
        if (++rest.quiet == rest.next_look) {
            std::memcpy(rest.before.data(), state, rest.before.size());
        } else if (rest.quiet > rest.next_look) {
            const bool sleeps = std::memcmp(rest.before.data(), state, rest.before.size()) == 0;
            if (sleeps) awake.remove(number);
            rest.patience = sleeps ? std::max(rest.patience / 2, shortest_wait) : std::min(rest.patience * 2, most_patience);
            rest.next_look += std::min(rest.next_look, longest_wait);
        }
    }
    static void check(int failed) {
        if (failed != 0) throw std::runtime_error("a core has stopped");
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
    std::vector<StreamPort> streams(const LinkedStream* list, std::uint32_t count) {
        std::vector<StreamPort> found;
        for (std::uint32_t index = 0; index < count; ++index) {
            found.push_back({list[index].name, tables.ports[list[index].tdata].width, port(list[index].tdata),
                             &value_of<CData>(list[index].tvalid), &value_of<CData>(list[index].tready)});
        }
        return found;
    }

    void connect(int random_seed) {
        struct End {
            std::uint32_t instance;
            void* data;
            std::uint32_t width;
            bool is_combinational;
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
        for (std::uint32_t number = 0; number < tables.port_count; ++number) {
            const LinkedPort& port = tables.ports[number];
            (port.is_output != 0 ? found[port.net].readers : found[port.net].drivers)
                .push_back({outside, values[number].data(), port.width, false});
        }
        for (std::uint32_t position = 0; position < tables.instance_count; ++position) {
            std::size_t known = 0;
            while (known < names.size() && names[known] != list[position].core) ++known;
            if (known == names.size()) {
                cores.push_back(std::make_unique<LinkedCore>(folder + list[position].core + ".so"));
                names.emplace_back(list[position].core);
            }
            const LinkedCore& core = *cores[known];
            char message[1024] = "";
            const std::string memories = folder + list[position].memories;
            void* const handle = core.construct(memories.c_str(), random_seed, message, sizeof message);
            if (handle == nullptr) throw std::runtime_error(message);
            made.push_back({&core, {handle, core.destruct}});
            std::size_t size = 0;
            instances[position].state = core.state(handle, &size);
            instances[position].rise = core.rise;
            rests[position].before.resize(size);
            if (*core.falling_edge != FallingEdge::not_needed) falling.add(position);
            rests[position].is_possible = *core.falling_edge != FallingEdge::active;
            core.ports(handle, table.data(), table.size());
            bool has_clock = false;
            for (std::uint32_t index = 0; index < list[position].connections; ++index, ++connection) {
                const finnmake_port* port = table.data();
                while (port->name != nullptr && std::strcmp(port->name, connection->port) != 0) ++port;
                if (port->name == nullptr)
                    throw std::runtime_error(std::string(list[position].core) + " has no port " + connection->port);
                if (connection->net == clock_net)
                    has_clock = true;
                else
                    (port->is_output != 0 ? found[connection->net].drivers : found[connection->net].readers)
                        .push_back({position, port->data, port->width, port->is_combinational != 0});
            }
            if (!has_clock) throw std::runtime_error(std::string(list[position].core) + " has no clock");
        }
        std::vector<std::vector<Wire>> outgoing(tables.instance_count + 1);
        for (std::uint32_t net = 0; net < tables.net_count; ++net) {
            if (net == clock_net) continue;
            if (found[net].drivers.size() != 1)
                throw std::runtime_error("a net of the design has " + std::to_string(found[net].drivers.size()) + " drivers");
            const End& driver = found[net].drivers[0];
            for (const End& reader : found[net].readers) {
                if (reader.width != driver.width) throw std::runtime_error("a net of the design has two widths");
                const std::size_t bytes = finnmake_port::bytes_of(driver.width);
                // All inputs are zero at first.
                outgoing[std::min(driver.instance, tables.instance_count)].push_back(
                    {static_cast<const char*>(driver.data), static_cast<char*>(reader.data), 0,
                     std::vector<char>(bytes > sizeof(QData) ? bytes : 0), static_cast<std::uint32_t>(bytes), reader.instance,
                     reader.is_combinational});
            }
        }
        for (std::uint32_t position = 0; position < tables.instance_count; ++position) {
            instances[position].first_wire = static_cast<std::uint32_t>(wires.size());
            wires.insert(wires.end(), outgoing[position].begin(), outgoing[position].end());
            instances[position].end_wire = static_cast<std::uint32_t>(wires.size());
        }
        first_input_wire = static_cast<std::uint32_t>(wires.size());
        wires.insert(wires.end(), outgoing.back().begin(), outgoing.back().end());
        for (std::size_t position = 0; position < instances.size(); ++position) note_changes(position);
    }

    CData& aclk;

  public:
    explicit LinkedDesign(const VerilatedContext& context)
        : instances(tables.instance_count), rests(tables.instance_count), values(values_of_ports()),
          awake(tables.instance_count, true), moved(tables.instance_count), waiting(tables.instance_count),
          falling(tables.instance_count), none(tables.instance_count), aclk(value_of<CData>(number_of("aclk"))) {
        connect(context.randReset() == 0 ? 0 : context.randSeed());
    }
    // Brings all up to date after a rising edge and a change of inputs.
    void settle() override {
        const bool is_new_cycle = std::exchange(has_risen, false);
        if (is_new_cycle) {
            waiting.add_common(awake, falling);
            for (const std::uint32_t number : changed) pass_on(wires[number]);
            changed.clear();
        }
        pass_on_changes(first_input_wire, static_cast<std::uint32_t>(wires.size()));
        int round = 0;
        while (waiting.take_descending([&](std::size_t number) {
            check(made[number].core->settle(instances[number].state));
            instances[number].is_behind = false;
            pass_on_changes(instances[number].first_wire, instances[number].end_wire);
        }))
            if (++round == most_rounds) throw std::runtime_error("the design does not settle: a loop without a register");
        if (is_new_cycle) {
            awake.for_each_but(moved, [&](std::size_t number) { look_for_sleep(number); });
            moved.for_each_but(none, [&](std::size_t number) {
                rests[number].quiet = 0;
                rests[number].next_look = rests[number].patience;
            });
            moved.clear();
        }
    }
    void rise() override {
        awake.for_each_but(none, [&](std::size_t number) {
            Instance& instance = instances[number];
            check(instance.rise(instance.state, instance.is_behind));
            instance.is_behind = false;
            note_changes(number);
        });
        has_risen = true;
    }
    void eval() override {
        const bool rises = aclk != 0 && clock_before == 0;
        clock_before = aclk;
        settle();
        if (rises) rise();
    }
    void* port(std::uint32_t number) { return values[number].data(); }
    CData& aresetn() override { return value_of<CData>(number_of("aresetn")); }
    State state() override { return {nullptr, 0}; }
    std::vector<finnmake_port> ports() override {
        std::vector<finnmake_port> found;
        for (std::uint32_t number = 0; number < tables.port_count; ++number)
            found.push_back({tables.ports[number].name, port(number), tables.ports[number].width,
                             tables.ports[number].is_output, 1});
        return found;
    }
    std::vector<StreamPort> input_streams() override { return streams(tables.input_streams, tables.input_stream_count); }
    std::vector<StreamPort> output_streams() override { return streams(tables.output_streams, tables.output_stream_count); }
};

std::unique_ptr<Model> make_model(VerilatedContext& context) { return std::make_unique<LinkedDesign>(context); }

void* linked_port(void* simulation, std::uint32_t number) {
    return static_cast<LinkedDesign&>(model_of(simulation)).port(number);
}

}  // namespace finnmake

extern "C" FINNMAKE_EXPORT const std::uint32_t finnmake_has_trace = 0;
