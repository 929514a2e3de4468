// When every word of every stream of a dataflow graph moves: the least solution of a max-plus system.
//
// A series is a sequence of events, one a word, frame after frame. Word i of frame f happens at the latest of all its
// constraints: `delay` cycles after word `reference` of another series, counted from that one's frame f on. What a constraint
// refers to before the first word there is does not count. A series is computed as far as what it refers to is known; it then
// waits for one other series. Every word is computed once, whatever the order.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#define FINNMAKE_EXPORT extern "C" __attribute__((visibility("default")))

// Mirrored by finnmake.runtime.stream_timing.
struct Series {
    std::int64_t words_per_frame;
    std::int64_t words;     // in all
    std::int32_t* cycles;   // of each word: the result
    std::int64_t first;     // its constraints: first, and the one behind the last
    std::int64_t end;
};
// What a word of a frame waits for. The numbers are small so that what is worked on stays in a processor's cache.
struct Reference {
    std::int32_t word;    // of the other series, counted from that one's same frame on
    std::int32_t delay;   // cycles after it
};
struct Constraint {
    std::int64_t source;           // a series
    const Reference* references;   // one a word of the frame; null: the word that is `lag` words before, `delay` cycles after it
    std::int64_t lag;
    std::int64_t delay;
    std::int64_t stream;           // whose consumer makes the producer wait here; -1 where nothing of that kind
};
// A word that was late because a stream was full.
struct Blocked {
    std::int64_t stream;
    std::int64_t depth;   // that would have been enough for it; 0 where that cannot be said
};

namespace {

constexpr std::int32_t none = -1;
constexpr std::int32_t ahead = 16;   // references, two lines of a cache

std::int32_t narrow(std::int64_t value) { return static_cast<std::int32_t>(value); }

// Where the computation of a series stands. It waits for at most one other, in that one's list.
struct Progress {
    std::int64_t latest = 0;       // of the constraints before this one
    std::int32_t constraint = 0;   // the next one of this word
    std::int32_t frame = 0, word = 0;
    std::int32_t needed = 0;       // words of the series that it waits for
    std::int32_t next = none;      // in the list of that series
    std::int32_t waiters = none;   // the first that waits for this one
};

// A constraint beside what it needs of its source. Half a line of a cache, as Progress is.
struct Rule {
    const Reference* references;
    const std::int32_t* cycles;
    std::int32_t source, words_per_frame, lag, delay;
};

struct Place {
    std::int64_t index, delay;
};

Place place(const Series* all, const Constraint& constraint, std::int64_t index, std::int64_t frame, std::int64_t word) {
    if (constraint.references == nullptr) return {index - constraint.lag, constraint.delay};
    const Reference reference = constraint.references[word];
    return {frame * all[constraint.source].words_per_frame + reference.word, reference.delay};
}

}  // namespace

// Computes all series; gives the number of those that cannot be completed: a deadlock. `blocked_on` says for each series the
// constraint that it waits on, -1 where it is complete. Gives -1 where a cycle is too large a number.
FINNMAKE_EXPORT std::int64_t finnmake_solve(Series* all, std::int64_t count, const Constraint* constraints,
                                            std::int64_t* blocked_on) {
    std::vector<Progress> progress(static_cast<std::size_t>(count));
    std::vector<std::int64_t> known(static_cast<std::size_t>(count)), todo;
    std::vector<Rule> rules;
    for (std::int64_t s = 0; s < count; ++s) {
        progress[static_cast<std::size_t>(s)].constraint = narrow(all[s].first);
        todo.push_back(count - 1 - s);
        for (std::int64_t c = all[s].first; c < all[s].end; ++c) {
            const Constraint& constraint = constraints[c];
            const Series& source = all[constraint.source];
            rules.push_back({constraint.references, source.cycles, narrow(constraint.source), narrow(source.words_per_frame),
                             narrow(constraint.lag), narrow(constraint.delay)});
        }
    }
    while (!todo.empty()) {
        const std::int64_t s = todo.back();
        todo.pop_back();
        const Series& series = all[s];
        Progress& own = progress[static_cast<std::size_t>(s)];
        std::int64_t& done = known[static_cast<std::size_t>(s)];
        while (done < series.words) {
            for (; own.constraint < series.end; ++own.constraint) {
                const Rule& rule = rules[static_cast<std::size_t>(own.constraint)];
                std::int64_t index = done - rule.lag, delay = rule.delay;
                // A series is often left after a word, long before a processor sees that its words lie side by side.
                if (rule.references != nullptr) {
                    __builtin_prefetch(rule.references + own.word + ahead);
                    index = std::int64_t{own.frame} * rule.words_per_frame + rule.references[own.word].word;
                    delay = rule.references[own.word].delay;
                }
                if (index < 0) continue;
                if (index >= known[static_cast<std::size_t>(rule.source)]) {
                    Progress& other = progress[static_cast<std::size_t>(rule.source)];
                    own.needed = narrow(index + 1);
                    own.next = other.waiters;
                    other.waiters = narrow(s);
                    break;
                }
                __builtin_prefetch(rule.cycles + index + 2 * ahead);
                own.latest = std::max(own.latest, rule.cycles[index] + delay);
            }
            if (own.constraint < series.end) break;
            if (own.latest > std::numeric_limits<std::int32_t>::max()) return -1;
            series.cycles[done++] = narrow(own.latest);
            own.latest = 0;
            own.constraint = narrow(series.first);
            if (++own.word == series.words_per_frame) {
                own.word = 0;
                ++own.frame;
            }
        }
        for (std::int32_t* link = &own.waiters; *link != none;) {
            const std::int32_t waiter = *link;
            Progress& other = progress[static_cast<std::size_t>(waiter)];
            if (other.needed > done) {
                link = &other.next;
                continue;
            }
            *link = other.next;
            todo.push_back(waiter);
        }
    }
    std::int64_t stuck = 0;
    for (std::int64_t s = 0; s < count; ++s) {
        const bool complete = known[static_cast<std::size_t>(s)] == all[s].words;
        blocked_on[s] = complete ? none : progress[static_cast<std::size_t>(s)].constraint;
        stuck += complete ? 0 : 1;
    }
    return stuck;
}

// Goes back from the last word of a series along what made each word as late as it is, as far as `until`; gives the number of
// entries of `found`: words that a full stream has made late.
FINNMAKE_EXPORT std::int64_t finnmake_trace(const Series* all, const Constraint* constraints, std::int64_t s,
                                            std::int64_t until, Blocked* found, std::int64_t room) {
    std::int64_t index = all[s].words - 1, entries = 0;
    while (entries < room) {
        const Series& series = all[s];
        const std::int64_t now = series.cycles[index];
        if (now <= until) break;
        const std::int64_t frame = index / series.words_per_frame, word = index % series.words_per_frame;
        std::int64_t cause = -1, cause_index = 0, otherwise = 0;
        for (std::int64_t c = series.first; c < series.end; ++c) {
            const Place at = place(all, constraints[c], index, frame, word);
            if (at.index < 0) continue;
            const std::int64_t time = all[constraints[c].source].cycles[at.index] + at.delay;
            const bool full = constraints[c].stream >= 0;
            if (!full) otherwise = std::max(otherwise, time);
            // Where something else is as late, the stream is not to blame.
            if (time == now && (cause < 0 || (!full && constraints[cause].stream >= 0))) {
                cause = c;
                cause_index = at.index;
            }
        }
        if (cause < 0) break;
        const Constraint& by = constraints[cause];
        if (by.stream >= 0) {
            std::int64_t depth = 0;
            if (by.references == nullptr) {
                std::int64_t left = cause_index;
                while (left >= 0 && all[by.source].cycles[left] + by.delay > otherwise) --left;
                depth = index - left;
            }
            found[entries++] = {by.stream, depth};
        }
        s = by.source;
        index = cause_index;
    }
    return entries;
}
