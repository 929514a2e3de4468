// When every word of every stream of a dataflow graph moves: the least solution of a max-plus system.
//
// A series is a sequence of events, one a word, frame after frame. Word i of frame f happens at the latest of all its
// constraints: `delay` cycles after word `reference` of another series, counted from that one's frame f on. What a constraint
// refers to before the first word there is does not count. A series is computed as far as what it refers to is known; it then
// waits for one other series. Every word is computed once, whatever the order.

#include <algorithm>
#include <cstdint>
#include <vector>

#define FINNMAKE_EXPORT extern "C" __attribute__((visibility("default")))

// Mirrored by finnmake.runtime.stream_timing.
struct Series {
    std::int64_t words_per_frame;
    std::int64_t words;       // in all
    std::int64_t* cycles;     // of each word: the result
    std::int64_t known;       // words computed
    std::int64_t first;       // its constraints: first, and the one behind the last
    std::int64_t end;
};
struct Constraint {
    std::int64_t source;              // a series
    const std::int64_t* references;   // one a word of the frame; null: the word that is `lag` words before
    const std::int64_t* delays;       // one a word of the frame; null: `delay`
    std::int64_t lag;
    std::int64_t delay;
    std::int64_t stream;              // whose consumer makes the producer wait here; -1 where nothing of that kind
};
// A word that was late because a stream was full.
struct Blocked {
    std::int64_t stream;
    std::int64_t depth;   // that would have been enough for it; 0 where that cannot be said
};

namespace {

struct Waiter {
    std::int64_t series;
    std::int64_t needed;
};

struct Place {
    std::int64_t index, delay;
};

Place place(const Series& series, const Constraint& constraint, const Series* all, std::int64_t frame, std::int64_t word) {
    const std::int64_t index = constraint.references == nullptr
                                   ? frame * series.words_per_frame + word - constraint.lag
                                   : frame * all[constraint.source].words_per_frame + constraint.references[word];
    return {index, constraint.delays == nullptr ? constraint.delay : constraint.delays[word]};
}

}  // namespace

// Computes all series; gives the number of those that cannot be completed: a deadlock. `blocked_on` says for each series the
// constraint that it waits on, -1 where it is complete.
FINNMAKE_EXPORT std::int64_t finnmake_solve(Series* all, std::int64_t count, const Constraint* constraints,
                                            std::int64_t* blocked_on) {
    std::vector<std::vector<Waiter>> waiters(static_cast<std::size_t>(count));
    std::vector<std::int64_t> todo;
    for (std::int64_t s = count; s-- > 0;) {
        all[s].known = 0;
        todo.push_back(s);
    }
    while (!todo.empty()) {
        const std::int64_t s = todo.back();
        todo.pop_back();
        Series& series = all[s];
        std::int64_t frame = series.known / series.words_per_frame, word = series.known % series.words_per_frame;
        blocked_on[s] = -1;
        for (; series.known < series.words; ++series.known) {
            std::int64_t latest = 0;
            std::int64_t c = series.first;
            for (; c < series.end; ++c) {
                const Series& source = all[constraints[c].source];
                const Place at = place(series, constraints[c], all, frame, word);
                if (at.index < 0) continue;
                if (at.index >= source.known) {
                    waiters[static_cast<std::size_t>(constraints[c].source)].push_back({s, at.index + 1});
                    break;
                }
                latest = std::max(latest, source.cycles[at.index] + at.delay);
            }
            if (c < series.end) {
                blocked_on[s] = c;
                break;
            }
            series.cycles[series.known] = latest;
            if (++word == series.words_per_frame) {
                word = 0;
                ++frame;
            }
        }
        auto& waiting = waiters[static_cast<std::size_t>(s)];
        for (std::size_t w = 0; w < waiting.size();) {
            if (waiting[w].needed > series.known) {
                ++w;
                continue;
            }
            todo.push_back(waiting[w].series);
            waiting[w] = waiting.back();
            waiting.pop_back();
        }
    }
    return std::count_if(all, all + count, [](const Series& series) { return series.known < series.words; });
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
            const Place at = place(series, constraints[c], all, frame, word);
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
