// ap_uint, ap_int and hls::stream against 128-bit machine arithmetic and against facts written out by hand.

#include <cstdio>
#include <stdexcept>

#include "ap_int.h"
#include "hls_stream.h"

__extension__ typedef __int128 Wide;
__extension__ typedef unsigned __int128 UnsignedWide;

static int failures = 0;
#define CHECK(condition)                                                         \
    do {                                                                         \
        if (!(condition)) {                                                      \
            ++failures;                                                          \
            std::printf("line %d: %s\n", __LINE__, #condition);                  \
        }                                                                        \
    } while (false)

static std::uint64_t state = 88172645463325252u;
static std::uint64_t next_random() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    // Values near the ends of the range occur often.
    switch (state % 8) {
        case 0: return 0;
        case 1: return ~std::uint64_t{0};
        case 2: return std::uint64_t{1} << (state % 64);
        default: return state * 0x2545F4914F6CDD1Du;
    }
}

template <int W, bool S>
Wide value_of(const ap_int_base<W, S>& x) {
    static_assert(W <= 126, "");
    UnsignedWide result = 0;
    for (int i = 1; i >= 0; --i) result = (result << 64) | x.limb_at(i);
    return static_cast<Wide>(result);
}
template <typename T>
T random_number() {
    T x = 0;
    for (int i = 0; i < T::count; ++i) x.limbs[i] = next_random();
    x.normalise();
    return x;
}
template <int W>
Wide wrapped(Wide value, bool is_signed) {
    const UnsignedWide mask = (static_cast<UnsignedWide>(1) << W) - 1;
    UnsignedWide bits = static_cast<UnsignedWide>(value) & mask;
    if (is_signed && (bits >> (W - 1)) != 0) bits |= ~mask;
    return static_cast<Wide>(bits);
}

template <typename A, typename B>
void check_pair() {
    for (int round = 0; round < 300; ++round) {
        const A a = random_number<A>();
        const B b = round % 5 == 0 ? B(a) : random_number<B>();
        const Wide x = value_of(a), y = value_of(b);
        CHECK(value_of(a + b) == x + y);
        CHECK(value_of(a - b) == x - y);
        CHECK(value_of(a & b) == (x & y));
        CHECK(value_of(a | b) == (x | y));
        CHECK(value_of(a ^ b) == (x ^ y));
        CHECK((a < b) == (x < y) && (a <= b) == (x <= y) && (a > b) == (x > y) && (a >= b) == (x >= y));
        CHECK((a == b) == (x == y) && (a != b) == (x != y));
        CHECK(value_of(A(b)) == wrapped<A::width>(y, A::is_signed));
        CHECK(value_of(~a) == wrapped<A::width>(~x, A::is_signed));
        CHECK(value_of(-a) == -x);
        if constexpr (A::width + B::width <= 64) CHECK(value_of(a * b) == x * y);
        if constexpr (A::width < 64 && B::width < 64) {
            if (y != 0) CHECK(value_of(a / b) == x / y && value_of(a % b) == x % y);
        }
        const int shift = static_cast<int>(next_random() % A::width);
        CHECK(value_of(a >> shift) == x >> shift);
        CHECK(value_of(a << shift) ==
              wrapped<A::width>(static_cast<Wide>(static_cast<UnsignedWide>(x) << shift), A::is_signed));
        const int lo = static_cast<int>(next_random() % A::width);
        const int hi = lo + static_cast<int>(next_random() % (A::width - lo));
        ap_uint<A::width> part = a.range(hi, lo);
        CHECK(value_of(part) == ((x >> lo) & ((static_cast<Wide>(1) << (hi - lo + 1)) - 1)));
        A c = b;
        c.range(hi, lo) = b;
        Wide expected = value_of(A(b));
        const Wide mask = ((static_cast<Wide>(1) << (hi - lo + 1)) - 1) << lo;
        expected = wrapped<A::width>((expected & ~mask) | ((y << lo) & mask), A::is_signed);
        CHECK(value_of(c) == expected);
        CHECK(a[lo] == (((x >> lo) & 1) != 0));
        CHECK(value_of(ap_uint<8>(a.concat(b).range(7 < A::width + B::width ? 7 : A::width + B::width - 1, 0))) >= 0);
        A d = a;
        d += b;
        CHECK(value_of(d) == wrapped<A::width>(x + y, A::is_signed));
    }
}

static void check_wide() {
    ap_uint<3000> x = 1;
    x <<= 2999;
    CHECK(x[2999] && !x[2998] && x.range(2999, 2990).to_uint() == 512);
    x -= 1;
    CHECK(!x[2999] && x[2998] && x.range(63, 0) == ~std::uint64_t{0});
    x += 1;
    CHECK(x == ap_uint<3000>(1) << 2999);
    x.range(2100, 2000) = ap_int<8>(-1);  // a signed number is continued
    CHECK(x.range(2063, 2000).to_uint64() == ~std::uint64_t{0} && x[2100] && !x[2101] && !x[1999]);
    ap_uint<101> y = x.range(2100, 2000);
    CHECK(y == ~ap_uint<101>(0));
    ap_int<130> z = -5;
    CHECK(z < 0 && (z >> 100) == -1 && z + 6 == 1 && z.range(129, 100).to_uint() == (1u << 30) - 1);
    CHECK(ap_uint<12>(0xABC).concat(ap_uint<100>(0x123)).range(111, 100).to_uint() == 0xABC);
    CHECK(ap_uint<13>(0x1ABC).to_hex() == "1abc" && ap_uint<70>(10).to_hex() == "00000000000000000a");
    CHECK(ap_uint<3>(7).and_reduce() && !ap_uint<3>(6).and_reduce() && ap_uint<3>(7).xor_reduce());
}

static void check_conversions() {
    ap_uint<4> n = 9;
    ap_int<3> s = 7;  // wraps
    CHECK(s == -1 && s < 0u && s.to_int64() == -1);
    int table[16] = {};
    table[n] = 3;  // as an index
    CHECK(table[9] == 3);
    int sum = n;
    sum += s;
    CHECK(sum == 8 && n + 1 == 10 && 1 - n == -8 && (n >= 9) && 3 * s == -3);
    if (!n) CHECK(false);
    ap_uint<1> bit = n[3];
    n[0] = bit == 1;
    n[1] = n[0];
    CHECK(bit == 1 && n == 11);
    n = 15;
    ++n;
    CHECK(n == 0);
    n--;
    CHECK(n == 15);
    ap_uint<8> joined = 0;
    joined.range(7, 4) = n.range(3, 0);
    joined(3, 0) = 5;
    CHECK(joined == 0xF5);
    ap_int<8> negative = joined;
    CHECK(negative == -11 && ap_uint<16>(negative) == 0xFFF5);
    CHECK(ap_int<8>(true ? ap_int<4>(-8) : ap_int<4>(7)) == -8);
    CHECK(ap_uint<64>(~std::uint64_t{0}) > ap_int<64>(-1) && ap_uint<64>(5) == 5 && ap_int<64>(-1) == -1);
}

static void check_strings() {
    CHECK(ap_uint<12>("0xfA9").to_uint() == 0xfa9 && ap_uint<1>("0x1") == 1);
    CHECK(ap_int<4>("0xf") == -1 && ap_int<5>("0x0f") == 15);
    CHECK(ap_uint<132>("0x9123456789abcdef0fedcba9876543210").to_hex() == "9123456789abcdef0fedcba9876543210");
    CHECK(ap_uint<7>("0xfff") == 127);
    for (const char* wrong : {"", "0x", "12", "0x1g"}) {
        bool thrown = false;
        try {
            ap_uint<8> number = wrong;
            CHECK(number == 0);
        } catch (const std::invalid_argument&) {
            thrown = true;
        }
        CHECK(thrown);
    }
}

static void check_stream() {
    hls::stream<ap_uint<70>> words("words");
    CHECK(words.empty() && !words.full());
    for (int i = 0; i < 5; ++i) words.write(ap_uint<70>(i));
    CHECK(words.size() == 5);
    ap_uint<70> word;
    words >> word;
    CHECK(word == 0 && words.read() == 1 && words.read_nb(word) && word == 2);
    words.read();
    words.read();
    CHECK(!words.read_nb(word));
    bool thrown = false;
    try {
        words.read();
    } catch (const std::runtime_error&) {
        thrown = true;
    }
    CHECK(thrown);
}

int main() {
    check_pair<ap_uint<1>, ap_uint<1>>();
    check_pair<ap_uint<7>, ap_int<7>>();
    check_pair<ap_int<12>, ap_int<33>>();
    check_pair<ap_uint<32>, ap_uint<32>>();
    check_pair<ap_uint<63>, ap_int<2>>();
    check_pair<ap_int<64>, ap_uint<64>>();
    check_pair<ap_uint<65>, ap_int<40>>();
    check_pair<ap_int<100>, ap_uint<90>>();
    check_wide();
    check_conversions();
    check_strings();
    check_stream();
    return failures != 0;
}
