// When every word of every stream of a dataflow graph moves: the least solution of a max-plus system.
//
// A series is a sequence of events, one a word, frame after frame. Word i of a frame happens at the latest of all its
// constraints: `delay` cycles after word `reference` of another series, counted from that one's same frame on. What a constraint
// refers to before the first word there is does not count, and none refers to a frame to come: frame after frame is computed.
//
// Most words come as many cycles, the shift, after the same word of the frame before as the words that they wait for: there is
// nothing to compute for them. A frame is therefore gone through in steps of so many cycles of the frame before, its pattern. The
// words of a series in a step are copies with the series' shift if everything that they wait for has the same shift; all others
// are computed, as are those that wait for one that came out at another shift than was taken for granted. Each word then happens
// at the latest of its constraints, and as no word waits for itself only one solution does so. The first frame's pattern is
// that of a graph that differs in a few series.
//
// Delays are not negative: what a word waits for stands in the same step of the pattern, or before it. Where a series is new or
// changed that may fail; the step then becomes a larger one. A series all of whose other words are going to be copies rests: steps
// pass it by until something that it waits for comes at another shift. Copies take no memory.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#define FINNMAKE_EXPORT extern "C" __attribute__((visibility("default")))

// Mirrored by finnmake.runtime.stream_timing.
struct Series {
    std::int64_t words;     // of a frame
    std::int64_t like;      // its pattern among those of the first frame
    std::int64_t changed;   // waits for other things than its pattern in the first frame
    std::int64_t first;     // its constraints: first, and the one behind the last
    std::int64_t end;
    std::int64_t shift;     // of its last words; kept from call to call, as is `since`
    std::int64_t since;     // the word since which that is the shift, counted from the frame to be computed on
};
// What a word of a frame waits for. The numbers are small so that what is worked on stays in a processor's cache.
struct Reference {
    std::int32_t word;    // of the other series, counted from that one's same frame on
    std::int32_t delay;   // cycles after it
};
struct Constraint {
    std::int64_t source;           // a series
    const Reference* references;   // one a word of the frame; null: the word that is `lag` words before, `delay` cycles after it
    const std::int32_t* lowest;    // the smallest of `references`, of so many each; those that count for no frame left out
    std::int64_t lag;
    std::int64_t delay;
    std::int64_t stream;           // whose consumer makes the producer wait here; -1 where nothing of that kind
};
// The words of a series in a frame: so many cycles after those that stand somewhere. A copy is that of an earlier frame's.
struct Cell {
    const std::int32_t* cycles;
    std::int64_t shift;
};
// A word that was late because a stream was full.
struct Blocked {
    std::int64_t stream;
    std::int64_t depth;   // that would have been enough for it; 0 where that cannot be said
};

namespace {

constexpr std::int32_t none = -1;
constexpr std::int32_t ahead = 16;             // references, two lines of a cache
constexpr std::int32_t at_a_time = 16;         // words
constexpr std::int64_t references_each = 64;   // of an entry of `lowest`
constexpr std::int64_t before_all = -(std::int64_t{1} << 30);   // what a word that waits for none refers to, in 32 bits
constexpr std::int64_t latest_cycle = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t no_shift = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t always = -(std::int64_t{1} << 40);
constexpr std::int64_t steps = 512, smallest_step = 256;   // of the time of a frame's pattern; cycles
constexpr std::int64_t steps_each = 32;        // between looks for what rests
constexpr std::int64_t smallest_room = 1024;   // words

std::int32_t narrow(std::int64_t value) { return static_cast<std::int32_t>(value); }
std::size_t wide(std::int64_t value) { return static_cast<std::size_t>(value); }

// Words so many cycles later. Several at a time, which compilers turn into instructions that work on all of them.
void copy_shifted(const std::int32_t* __restrict cycles, std::int32_t* __restrict copies, std::int32_t count, std::int32_t shift) {
    for (; count >= at_a_time; count -= at_a_time, cycles += at_a_time, copies += at_a_time) {
        for (std::int32_t at = 0; at < at_a_time; ++at) copies[at] = cycles[at] + shift;
    }
    for (std::int32_t at = 0; at < count; ++at) copies[at] = cycles[at] + shift;
}

// Where the computation of a series stands. It waits for at most one other, in that one's list.
struct Progress {
    std::int64_t latest = 0;       // of the constraints before this one
    std::int32_t constraint = 0;   // the next one of this word
    std::int32_t needed = 0;       // words of the series that it waits for
    std::int32_t next = none;      // in the list of that series
    std::int32_t waiters = none;   // the first that waits for this one
};

// A constraint beside what it needs of its source: half a line of a cache.
struct Rule {
    const Reference* references;
    const std::int32_t* cycles;   // of the source in this frame
    std::int32_t shift;           // of these
    std::int32_t source, lag, delay;
};

// All that has been computed: a cell for each series of each frame.
struct Times {
    const Series* all;
    std::int64_t count;
    const Cell* cells;

    const Cell& cell(std::int64_t s, std::int64_t frame) const { return cells[frame * count + s]; }

    // Cycle of a word counted from a frame on; it is not before the first.
    std::int64_t cycle(std::int64_t s, std::int64_t frame, std::int64_t word) const {
        while (word < 0) {
            word += all[s].words;
            --frame;
        }
        return cell(s, frame).cycles[word] + cell(s, frame).shift;
    }
};

// Cycles of words, as long as cells refer to them. What is free is used again: memory that is new to a process costs more time
// than most of what is written there.
class Memory {
  public:
    struct Block {
        std::int32_t* cycles = nullptr;
        std::int64_t room = 0;
    };

    Block take(std::int64_t words) {
        const auto found = free_.lower_bound(words);
        Block block;
        if (found != free_.end() && found->first / 2 <= words) {
            block = {found->second, found->first};
            free_.erase(found);
        } else {
            std::unique_ptr<std::int32_t[]> made(new std::int32_t[wide(words)]);
            block = {made.get(), words};
            all_.emplace(block.cycles, std::move(made));
        }
        used_.emplace(block.cycles, block.room);
        return block;
    }

    void give_back(const Block& block) {
        used_.erase(block.cycles);
        free_.emplace(block.room, block.cycles);
    }

    // Gives all back but what some cells refer to.
    void keep(const std::unordered_set<const std::int32_t*>& these) {
        for (auto entry = used_.begin(); entry != used_.end();) {
            if (these.count(entry->first) == 0) {
                free_.emplace(entry->second, entry->first);
                entry = used_.erase(entry);
            } else {
                ++entry;
            }
        }
    }

  private:
    std::unordered_map<const std::int32_t*, std::unique_ptr<std::int32_t[]>> all_;
    std::unordered_map<std::int32_t*, std::int64_t> used_;
    std::multimap<std::int64_t, std::int32_t*> free_;
};

class Solver {
  public:
    Solver(Memory& memory, Series* all, std::int64_t count, const Constraint* constraints, Cell* cells)
        : memory_(memory), all_(all), count_(narrow(count)), constraints_(constraints), cells_(cells), times_{all, count, cells},
          progress_(wide(count)), known_(wide(count)), start_(wide(count)), limit_(wide(count)), from_(wide(count)),
          marks_(wide(count)), rests_(wide(count)), watched_(wide(count)), dependents_(wide(count)), rules_of_(wide(count)),
          own_(wide(count)), patterns_(wide(count)) {
        for (std::int32_t s = 0; s < count_; ++s) {
            every_.push_back(s);
            for (std::int64_t c = all[s].first; c < all[s].end; ++c) {
                rules_.push_back({constraints[c].references, nullptr, 0, narrow(constraints[c].source), narrow(constraints[c].lag),
                                  narrow(constraints[c].delay)});
                std::vector<std::int32_t>& those = dependents_[wide(constraints[c].source)];
                if (those.empty() || those.back() != s) those.push_back(s);
                rules_of_[wide(constraints[c].source)].push_back(narrow(c));
                if (all[s].changed != 0) watched_[wide(constraints[c].source)] = true;
            }
        }
    }

    // Computes a frame, with a pattern if there is one; false where not all series can be completed, or a cycle is too large.
    bool frame(std::int64_t number, const Cell* first_patterns) {
        frame_ = number;
        const bool has_pattern = number > 0 || first_patterns != nullptr;
        for (std::int32_t s = 0; s < count_; ++s) {
            own_[wide(s)] = {};
            start_[wide(s)] = 0;
            if (number < 2) {
                // What refers to words before the first does not count there: words before the second frame are no copies.
                all_[s].shift = number == 0 ? 0 : no_shift;
                all_[s].since = number == 0 ? always : 0;
            }
            if (!has_pattern) continue;
            patterns_[wide(s)] = number > 0 ? times_.cell(s, number - 1) : first_patterns[all_[s].like];
            point(s, taken(s));
        }
        if ((!has_pattern || !copied()) && !computed()) return false;
        for (std::int32_t s = 0; s < count_; ++s) {
            cells_[number * count_ + s] = is_own(s) ? Cell{own_[wide(s)].cycles, 0} : taken(s);
            all_[s].since = std::max(all_[s].since - all_[s].words, always);
        }
        return true;
    }

    bool overflow() const { return overflow_; }

    // For each series the constraint that it waits on, -1 where it is complete. Gives the number of those that are not.
    std::int64_t blocked(std::int64_t* on) const {
        std::int64_t stuck = 0;
        for (std::int32_t s = 0; s < count_; ++s) {
            const bool complete = known_[wide(s)] == all_[s].words;
            on[s] = complete ? none : progress_[wide(s)].constraint;
            stuck += complete ? 0 : 1;
        }
        return stuck;
    }

  private:
    Memory& memory_;
    Series* all_;
    std::int32_t count_;
    const Constraint* constraints_;
    Cell* cells_;
    Times times_;
    std::int64_t frame_ = 0;
    std::int64_t begin_ = 0, end_ = 0, last_ = 0;   // cycles of the pattern: this step, and the last word
    bool overflow_ = false;
    std::vector<Progress> progress_;
    std::vector<std::int32_t> known_;           // words of this frame
    std::vector<std::int32_t> start_, limit_;   // the words of this step: from, up to
    std::vector<std::int32_t> from_;            // those of them to be computed
    std::vector<char> marks_;
    std::vector<char> rests_;     // its words from `start_` on are copies as long as nothing wakes it
    std::vector<char> watched_;   // by what is changed
    std::vector<std::vector<std::int32_t>> dependents_;
    std::vector<Rule> rules_;
    std::vector<std::int32_t> every_, todo_, chosen_, awake_;
    std::vector<std::vector<std::int32_t>> rules_of_;   // those whose source a series is
    std::vector<Memory::Block> own_;                    // its words in this frame; none as long as they are all copies
    std::vector<Cell> patterns_;

    enum Mark : char { copy = 0, compute = 1, differs = 2 };

    // The words of a series if they are copies.
    Cell taken(std::int32_t s) const {
        const Cell& pattern = patterns_[wide(s)];
        return {pattern.cycles, pattern.shift + (all_[s].shift == no_shift ? 0 : all_[s].shift)};
    }

    // Where the words of a series are from now on.
    void point(std::int32_t s, const Cell& cell) {
        for (const std::int32_t c : rules_of_[wide(s)]) {
            rules_[wide(c)].cycles = cell.cycles;
            rules_[wide(c)].shift = narrow(cell.shift);
        }
    }

    bool is_own(std::int32_t s) const { return own_[wide(s)].cycles != nullptr; }

    // Words that are not all copies get a place of their own; there is room for those before `limit`.
    void make(std::int32_t s, std::int32_t limit) {
        Memory::Block& own = own_[wide(s)];
        if (limit <= own.room) return;
        const Memory::Block before = own;
        // What does not turn out like its pattern soon will have all its words there.
        const bool is_new = before.cycles == nullptr;
        own = memory_.take(is_new ? std::min(std::max(2 * std::int64_t{limit}, smallest_room), all_[s].words) : all_[s].words);
        if (is_new) {
            copy_words(s, 0, start_[wide(s)]);
        } else {
            std::copy(before.cycles, before.cycles + start_[wide(s)], own.cycles);
            memory_.give_back(before);
        }
        point(s, {own.cycles, 0});
    }

    // They are all copies after all.
    void drop(std::int32_t s) {
        memory_.give_back(own_[wide(s)]);
        own_[wide(s)] = {};
        point(s, taken(s));
    }

    void copy_words(std::int32_t s, std::int32_t from, std::int32_t to) {
        const Cell cell = taken(s);
        copy_shifted(cell.cycles + from, own_[wide(s)].cycles + from, to - from, narrow(cell.shift));
    }

    // A frame word by word.
    bool computed() {
        for (std::int32_t s = 0; s < count_; ++s) {
            start_[wide(s)] = 0;
            make(s, narrow(all_[s].words));
            from_[wide(s)] = 0;
            limit_[wide(s)] = narrow(all_[s].words);
            all_[s].shift = no_shift;
            all_[s].since = all_[s].words;
        }
        return run(every_);
    }

    // Computes series up to their limits; whatever the order, each word is computed once. A series is computed as
    // far as what it refers to is known; it then waits for one other series. False where not all reach their limit.
    bool run(const std::vector<std::int32_t>& which) {
        todo_.assign(which.rbegin(), which.rend());
        for (const std::int32_t s : which) {
            known_[wide(s)] = from_[wide(s)];
            progress_[wide(s)] = Progress();
            progress_[wide(s)].constraint = narrow(all_[s].first);
        }
        std::size_t complete = 0;
        std::int32_t* const known = known_.data();
        while (!todo_.empty()) {
            const std::int32_t s = todo_.back();
            todo_.pop_back();
            Progress& own = progress_[wide(s)];
            // Kept apart from what is in memory, which every store might change as far as a compiler knows.
            const Rule* const first = rules_.data() + all_[s].first;
            const Rule* const end = rules_.data() + all_[s].end;
            const Rule* rule = rules_.data() + own.constraint;
            std::int64_t latest = own.latest;
            std::int32_t done = known[s];
            const std::int32_t limit = limit_[wide(s)];
            std::int32_t* const cycles = own_[wide(s)].cycles;
            while (done < limit) {
                for (; rule != end; ++rule) {
                    std::int32_t index = done - rule->lag, delay = rule->delay;
                    // A series is often left after a word, long before a processor sees that its words lie side by side.
                    if (rule->references != nullptr) {
                        __builtin_prefetch(rule->references + done + ahead);
                        index = rule->references[done].word;
                        delay = rule->references[done].delay;
                    }
                    std::int64_t time = 0;
                    if (index < 0) {
                        if (index < -frame_ * all_[rule->source].words) continue;
                        time = times_.cycle(rule->source, frame_, index);
                    } else {
                        if (index >= known[rule->source]) {
                            Progress& other = progress_[wide(rule->source)];
                            own.needed = index + 1;
                            own.next = other.waiters;
                            other.waiters = s;
                            break;
                        }
                        __builtin_prefetch(rule->cycles + index + 2 * ahead);
                        time = std::int64_t{rule->cycles[index]} + rule->shift;
                    }
                    latest = std::max(latest, time + delay);
                }
                if (rule != end) break;
                if (latest > latest_cycle) {
                    overflow_ = true;
                    return false;
                }
                cycles[done] = narrow(latest);
                known[s] = ++done;
                latest = 0;
                rule = first;
            }
            own.latest = latest;
            own.constraint = narrow(rule - rules_.data());
            if (done == limit) ++complete;
            for (std::int32_t* link = &own.waiters; *link != none;) {
                const std::int32_t waiter = *link;
                Progress& other = progress_[wide(waiter)];
                if (other.needed > done) {
                    link = &other.next;
                    continue;
                }
                *link = other.next;
                todo_.push_back(waiter);
            }
        }
        return complete == which.size();
    }

    // A frame like its pattern. False where it is not complete.
    bool copied() {
        begin_ = latest_cycle;
        last_ = 0;
        awake_ = every_;
        for (std::int32_t s = 0; s < count_; ++s) {
            marks_[wide(s)] = copy;
            rests_[wide(s)] = false;
            begin_ = std::min(begin_, pattern(s, 0));
            last_ = std::max(last_, pattern(s, all_[s].words - 1));
        }
        rest();
        const std::int64_t step = std::max((last_ - begin_) / steps, smallest_step);
        std::int64_t size = step;
        for (std::int64_t number = 1; begin_ <= last_;) {
            end_ = begin_ + size;
            for (const std::int32_t s : awake_) limit_[wide(s)] = place_of(s, end_);
            choose();
            if (settled()) {
                for (const std::int32_t s : chosen_) compare(s);
                for (const std::int32_t s : awake_) start_[wide(s)] = limit_[wide(s)];
                begin_ = end_;
                size = step;
                if ((number & (number - 1)) == 0 || number % steps_each == 0) rest();
                ++number;
            } else if (overflow_ || end_ > last_) {
                return false;
            } else {
                size *= 4;
            }
        }
        for (std::int32_t s = 0; s < count_; ++s) {
            if (is_own(s) && is_like_pattern(s)) drop(s);
        }
        return true;
    }

    // Whether all words of a series so far have its shift.
    bool is_like_pattern(std::int32_t s) const { return all_[s].shift != no_shift && all_[s].since <= 0; }

    // Between steps: what no step has to look at from now on.
    void rest() {
        std::size_t left = 0;
        for (const std::int32_t s : awake_) {
            const std::int32_t words = narrow(all_[s].words);
            // What a changed series waits for in the first frame may stand in a later step: it must not seem to be known.
            rests_[wide(s)] = marks_[wide(s)] == copy && (frame_ > 0 || !watched_[wide(s)]) && is_copy(s, words);
            if (!rests_[wide(s)]) {
                awake_[left++] = s;
                continue;
            }
            known_[wide(s)] = words;
            if (!is_own(s)) continue;
            if (is_like_pattern(s)) {
                drop(s);
            } else {
                make(s, words);
                copy_words(s, start_[wide(s)], words);
            }
        }
        awake_.resize(left);
    }

    // In a step.
    void wake(std::int32_t s) {
        start_[wide(s)] = place_of(s, begin_);
        limit_[wide(s)] = place_of(s, end_);
        known_[wide(s)] = limit_[wide(s)];
        rests_[wide(s)] = false;
        awake_.push_back(s);
    }

    std::int64_t pattern(std::int32_t s, std::int64_t word) const {
        return patterns_[wide(s)].cycles[word] + patterns_[wide(s)].shift;
    }

    // The first word of a series' pattern, from the start of this step on, that does not come before a cycle.
    std::int32_t place_of(std::int32_t s, std::int64_t time) const {
        const std::int32_t* const pattern = patterns_[wide(s)].cycles;
        time -= patterns_[wide(s)].shift;
        const std::int32_t words = narrow(all_[s].words);
        std::int32_t low = start_[wide(s)], reach = 1;
        if (low == words || pattern[low] >= time) return low;
        while (low + reach < words && pattern[low + reach] < time) {
            low += reach;
            reach *= 2;
        }
        return narrow(std::lower_bound(pattern + low, pattern + std::min(words, low + reach), time) - pattern);
    }

    // Copies what is sure to be one if nothing comes out at another shift; what is not has to be computed.
    void choose() {
        chosen_.clear();
        todo_.clear();
        for (const std::int32_t s : awake_) {
            const std::int32_t start = start_[wide(s)], limit = limit_[wide(s)];
            known_[wide(s)] = limit;
            if (start == limit) continue;
            // Where shifts change they go on changing, and around it.
            const bool changes = marks_[wide(s)] == differs;
            if (changes) todo_.push_back(s);
            marks_[wide(s)] = copy;
            if (changes || !is_copy(s, limit)) {
                add(s);
            } else if (is_own(s)) {
                make(s, limit);
                copy_words(s, start, limit);
            }
        }
        for (const std::int32_t s : todo_) add_dependents(s);
    }

    void add(std::int32_t s) {
        marks_[wide(s)] = compute;
        chosen_.push_back(s);
        from_[wide(s)] = start_[wide(s)];
        make(s, limit_[wide(s)]);
    }

    // Whether everything that a series waits for has its shift: from this step's start up to a word.
    bool is_copy(std::int32_t s, std::int32_t limit) const {
        const Series& series = all_[s];
        if (series.shift == no_shift || series.shift + last_ > latest_cycle || (frame_ == 0 && series.changed != 0)) return false;
        const std::int32_t start = start_[wide(s)];
        if (start == limit) return true;
        for (std::int64_t c = series.first; c < series.end; ++c) {
            const Constraint& constraint = constraints_[c];
            const Series& source = all_[constraint.source];
            std::int64_t from = start - constraint.lag;
            if (constraint.references == nullptr) {
                if (limit - 1 - constraint.lag < -frame_ * source.words) continue;
            } else {
                const std::int32_t* const lowest = constraint.lowest;
                from = *std::min_element(lowest + start / references_each, lowest + (limit - 1) / references_each + 1);
            }
            if (from != latest_cycle && (source.shift != series.shift || from < source.since)) return false;
        }
        return true;
    }

    // Computes what was chosen, and more and more of what waits for it until the rest are copies indeed.
    bool settled() {
        for (std::int64_t reach = 1;; reach *= 2) {
            if (!run(chosen_)) return false;
            const std::size_t before = chosen_.size();
            std::int64_t right = latest_cycle;   // cycles before which all words are as they are going to be
            for (std::size_t at = 0; at < before; ++at) {
                const std::int32_t s = chosen_[at];
                const std::int64_t time = marks_[wide(s)] == compute ? unlike(s) : latest_cycle;
                if (time == latest_cycle) continue;
                right = std::min(right, time);
                marks_[wide(s)] = differs;
                add_dependents(s);
            }
            if (chosen_.size() == before) return true;
            // What comes late makes others late: they need not be found one by one.
            for (std::size_t at = before, end = chosen_.size(), hop = 1; hop < wide(reach); ++hop, end = chosen_.size()) {
                for (; at < end; ++at) add_dependents(chosen_[at]);
            }
            for (const std::int32_t s : chosen_) {
                const std::int32_t* const cycles = own_[wide(s)].cycles;
                std::int32_t& word = from_[wide(s)];
                while (word < limit_[wide(s)] && cycles[word] < right) ++word;
            }
        }
    }

    void add_dependents(std::int32_t s) {
        for (const std::int32_t other : dependents_[wide(s)]) {
            if (rests_[wide(other)]) wake(other);
            if (marks_[wide(other)] != copy || start_[wide(other)] == limit_[wide(other)]) continue;
            add(other);
            copy_words(other, start_[wide(other)], limit_[wide(other)]);
        }
    }

    // The first cycle in which a word of this step is not where the shift makes it, or should be; the latest there is if none.
    std::int64_t unlike(std::int32_t s) const {
        std::int64_t first = latest_cycle;
        if (all_[s].shift == no_shift) return first;   // nothing was taken for granted
        const Cell guess = taken(s);
        const std::int32_t* const cycles = own_[wide(s)].cycles;
        for (std::int32_t word = start_[wide(s)]; word < limit_[wide(s)]; ++word) {
            const std::int64_t time = guess.cycles[word] + guess.shift;
            if (cycles[word] != time) first = std::min<std::int64_t>({first, cycles[word], time});
        }
        return first;
    }

    // The shift of the last words of this step.
    void compare(std::int32_t s) {
        const std::int32_t* const cycles = own_[wide(s)].cycles;
        std::int32_t word = limit_[wide(s)] - 1;
        const std::int64_t shift = cycles[word] - pattern(s, word);
        while (word >= start_[wide(s)] && cycles[word] - pattern(s, word) == shift) --word;
        if (word >= start_[wide(s)] || shift != all_[s].shift) all_[s].since = word + 1;
        all_[s].shift = shift;
    }
};

}  // namespace

// References of `words` and `cycles`, of which each is so many numbers behind the one before, and the lowest of them.
FINNMAKE_EXPORT void finnmake_table(const std::int64_t* words, std::int64_t words_step, const std::int64_t* cycles,
                                    std::int64_t cycles_step, std::int64_t count, Reference* table, std::int32_t* lowest) {
    for (std::int64_t begin = 0; begin < count; begin += references_each) {
        std::int64_t least = latest_cycle;
        for (std::int64_t at = begin; at < std::min(count, begin + references_each); ++at) {
            const std::int64_t word = std::max(words[at * words_step], before_all);
            table[at] = {narrow(word), narrow(cycles[at * cycles_step])};
            if (word != before_all) least = std::min(least, word);
        }
        *lowest++ = narrow(least);
    }
}

// Where the words of some runs are kept.
FINNMAKE_EXPORT void* finnmake_memory() { return new Memory; }
FINNMAKE_EXPORT void finnmake_forget(void* memory) { delete static_cast<Memory*>(memory); }

// Computes frames from one to another: their cells. Gives the number of series that cannot be completed: a deadlock. `blocked_on`
// says for each series the constraint that it waits on, -1 where it is complete. Gives -1 where a cycle is too large a number.
// `patterns` are `liked` cells for the first frame to be like, or null. Of what is in the memory no more is kept than these and the
// frames before.
FINNMAKE_EXPORT std::int64_t finnmake_solve(void* memory, Series* all, std::int64_t count, const Constraint* constraints,
                                            Cell* cells, std::int64_t from, std::int64_t to, const Cell* patterns,
                                            std::int64_t liked, std::int64_t* blocked_on) {
    std::unordered_set<const std::int32_t*> kept;
    for (std::int64_t cell = 0; cell < from * count; ++cell) kept.insert(cells[cell].cycles);
    for (std::int64_t cell = 0; cell < liked; ++cell) kept.insert(patterns[cell].cycles);
    static_cast<Memory*>(memory)->keep(kept);
    Solver solver(*static_cast<Memory*>(memory), all, count, constraints, cells);
    for (std::int64_t frame = from; frame < to; ++frame) {
        if (!solver.frame(frame, patterns)) return solver.overflow() ? -1 : solver.blocked(blocked_on);
    }
    return 0;
}

// The cycles of the words of a series in some frames, from one word of each on.
FINNMAKE_EXPORT void finnmake_cycles(const Series* all, std::int64_t count, const Cell* cells, std::int64_t s,
                                     std::int64_t frames, std::int64_t from, std::int64_t* cycles) {
    const Times times{all, count, cells};
    for (std::int64_t frame = 0; frame < frames; ++frame) {
        for (std::int64_t word = from; word < all[s].words; ++word) *cycles++ = times.cycle(s, frame, word);
    }
}

// The cycles of the last words of all series, frame after frame.
FINNMAKE_EXPORT void finnmake_ends(const Series* all, std::int64_t count, const Cell* cells, std::int64_t frames,
                                   std::int64_t* cycles) {
    const Times times{all, count, cells};
    for (std::int64_t frame = 0; frame < frames; ++frame) {
        for (std::int64_t s = 0; s < count; ++s) *cycles++ = times.cycle(s, frame, all[s].words - 1);
    }
}

// Goes back from the last word of a series along what made each word as late as it is, as far as `until`; gives the number of
// entries of `found`: words that a full stream has made late.
FINNMAKE_EXPORT std::int64_t finnmake_trace(const Series* all, std::int64_t count, const Constraint* constraints,
                                            const Cell* cells, std::int64_t frames, std::int64_t s, std::int64_t until,
                                            Blocked* found, std::int64_t room) {
    const Times times{all, count, cells};
    std::int64_t frame = frames - 1, word = all[s].words - 1, entries = 0;
    while (entries < room) {
        const Series& series = all[s];
        const std::int64_t now = times.cycle(s, frame, word);
        if (now <= until) break;
        std::int64_t cause = -1, cause_word = 0, otherwise = 0;
        for (std::int64_t c = series.first; c < series.end; ++c) {
            const Constraint& constraint = constraints[c];
            const Series& source = all[constraint.source];
            std::int64_t other = word - constraint.lag, delay = constraint.delay;
            if (constraint.references != nullptr) {
                other = constraint.references[word].word;
                delay = constraint.references[word].delay;
            }
            if (other < -frame * source.words) continue;
            const std::int64_t time = times.cycle(constraint.source, frame, other) + delay;
            const bool full = constraint.stream >= 0;
            if (!full) otherwise = std::max(otherwise, time);
            // Where something else is as late, the stream is not to blame.
            if (time == now && (cause < 0 || (!full && constraints[cause].stream >= 0))) {
                cause = c;
                cause_word = other;
            }
        }
        if (cause < 0) break;
        const Constraint& by = constraints[cause];
        const Series& source = all[by.source];
        if (by.stream >= 0) {
            std::int64_t depth = 0;
            if (by.references == nullptr) {
                std::int64_t left = cause_word;
                while (left >= -frame * source.words && times.cycle(by.source, frame, left) + by.delay > otherwise) --left;
                depth = word - left;
            }
            found[entries++] = {by.stream, depth};
        }
        s = by.source;
        word = cause_word;
        while (word < 0) {
            word += source.words;
            --frame;
        }
    }
    return entries;
}

// The most words that were ever in a FIFO when a word came, that one too.
FINNMAKE_EXPORT std::int64_t finnmake_waiting(const Series* all, std::int64_t count, const Cell* cells, std::int64_t frames,
                                              std::int64_t entered, std::int64_t left) {
    const Times times{all, count, cells};
    const std::int64_t words = all[entered].words;
    std::int64_t most = 0, gone = 0, gone_frame = 0, gone_word = 0, come = 0;
    Cell leaves = times.cell(left, 0);
    for (std::int64_t frame = 0; frame < frames; ++frame) {
        const Cell enters = times.cell(entered, frame);
        for (std::int64_t word = 0; word < words; ++word) {
            const std::int64_t now = enters.cycles[word] + enters.shift;
            while (gone < come && leaves.cycles[gone_word] + leaves.shift < now) {
                ++gone;
                if (++gone_word == words) {
                    gone_word = 0;
                    leaves = times.cell(left, ++gone_frame);
                }
            }
            most = std::max(most, ++come - gone);
        }
    }
    return most;
}
