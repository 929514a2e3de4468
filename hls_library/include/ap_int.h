// ap_uint<W> and ap_int<W> for simulation with any C++17 compiler: the part of the HLS types that the kernels use.
//
// Any width. Results of +, -, * are as wide as exact results need; shifts keep the type of their left operand; assignment
// wraps to the target's width, as in hardware. Up to 64 bits everything is one machine word. Wider values have assignment,
// comparison, logic, shifts, addition, subtraction, ranges and bits; multiplication and division are for up to 64 bits.
// A string "0x…" is a number in hex, as memories are initialised.

#ifndef FINNMAKE_AP_INT_H
#define FINNMAKE_AP_INT_H

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>

template <int W, bool Signed>
class ap_int_base;
template <int W>
class ap_uint;
template <int W>
class ap_int;

namespace ap_detail {

using Limb = std::uint64_t;

constexpr int limbs_of(int width) { return (width + 63) / 64; }
constexpr int max_of(int a, int b) { return a > b ? a : b; }
constexpr Limb mask_of(int width) { return width >= 64 ? ~Limb{0} : (Limb{1} << width) - 1; }

template <int W, bool Signed>
using Type = std::conditional_t<Signed, ap_int<W>, ap_uint<W>>;

// Width and sign of a C++ integer seen as an ap type.
template <typename T>
using Integer = std::enable_if_t<std::is_integral_v<T>, T>;
template <typename T>
using FromInteger = Type<std::is_same_v<T, bool> ? 1 : int(8 * sizeof(T)), std::is_signed_v<T>>;

// Bits hi … lo of a limb array as one word; at most 64 bits.
template <int Count>
Limb extract(const Limb (&limbs)[Count], int hi, int lo) {
    const int limb = lo / 64, offset = lo % 64, width = hi - lo + 1;
    Limb result = limbs[limb] >> offset;
    if (limb + 1 < Count && offset + width > 64) result |= limbs[limb + 1] << (64 - offset);
    return result & mask_of(width);
}

template <int Count>
void insert(Limb (&limbs)[Count], int hi, int lo, Limb value) {
    const int limb = lo / 64, offset = lo % 64, width = hi - lo + 1;
    value &= mask_of(width);
    limbs[limb] = (limbs[limb] & ~(mask_of(width) << offset)) | (value << offset);
    if (limb + 1 < Count && offset + width > 64) {
        const int rest = offset + width - 64;
        limbs[limb + 1] = (limbs[limb + 1] & ~mask_of(rest)) | (value >> (64 - offset));
    }
}

}  // namespace ap_detail

// Bits hi … lo of a value: reads as an unsigned number, takes an assignment where the value is not const.
template <typename Value>
class ap_range_ref {
    Value& value;
    const int hi, lo;

  public:
    ap_range_ref(Value& v, int h, int l) : value(v), hi(h), lo(l) {}
    ap_range_ref(const ap_range_ref&) = default;

    int length() const { return hi - lo + 1; }
    // Bits of the range from bit `from` on, at most 64; zeros above the range.
    ap_detail::Limb word(int from) const {
        if (lo + from > hi) return 0;
        const int top = lo + from + 63 < hi ? lo + from + 63 : hi;
        return ap_detail::extract(value.limbs, top, lo + from);
    }
    std::uint64_t to_uint64() const { return word(0); }
    unsigned to_uint() const { return static_cast<unsigned>(word(0)); }
    operator std::uint64_t() const { return word(0); }

    // Takes the low bits of a number of any width; sign-extends a signed one.
    template <int W, bool S>
    ap_range_ref& operator=(const ap_int_base<W, S>& other) {
        for (int from = 0; from < length(); from += 64) {
            const int top = from + 63 < length() ? from + 63 : length() - 1;
            ap_detail::insert(value.limbs, lo + top, lo + from, other.limb_at(from / 64));
        }
        value.normalise();
        return *this;
    }
    template <typename T, typename = ap_detail::Integer<T>>
    ap_range_ref& operator=(T other) {
        return *this = ap_detail::FromInteger<T>(other);
    }
    template <typename Other>
    ap_range_ref& operator=(const ap_range_ref<Other>& other) {
        ap_uint<Other::width> copy(other);
        return *this = copy;
    }
    ap_range_ref& operator=(const ap_range_ref& other) {
        ap_uint<Value::width> copy(other);
        return *this = copy;
    }
};

// One bit of a value.
template <typename Value>
class ap_bit_ref {
    Value& value;
    const int index;

  public:
    ap_bit_ref(Value& v, int i) : value(v), index(i) {}
    ap_bit_ref(const ap_bit_ref&) = default;

    operator bool() const { return (value.limbs[index / 64] >> (index % 64)) & 1u; }
    bool to_bool() const { return *this; }
    ap_bit_ref& operator=(bool bit) {
        ap_detail::insert(value.limbs, index, index, bit ? 1 : 0);
        value.normalise();
        return *this;
    }
    ap_bit_ref& operator=(const ap_bit_ref& other) { return *this = static_cast<bool>(other); }
};

// The digits: little-endian limbs, bits above W copies of the sign (Signed) or zero.
template <int W, bool Signed>
class ap_int_base {
    static_assert(W >= 1, "a number has at least one bit");

  public:
    static constexpr int width = W;
    static constexpr bool is_signed = Signed;
    static constexpr int count = ap_detail::limbs_of(W);
    using Derived = ap_detail::Type<W, Signed>;
    using Native = std::conditional_t<Signed, std::int64_t, std::uint64_t>;

    ap_detail::Limb limbs[count];

    ap_int_base() : limbs{} {}

    void normalise() {
        if constexpr (W % 64 != 0) {
            ap_detail::Limb& top = limbs[count - 1];
            top &= ap_detail::mask_of(W % 64);
            if constexpr (Signed) {
                constexpr ap_detail::Limb sign = ap_detail::Limb{1} << (W % 64 - 1);
                top = (top ^ sign) - sign;
            }
        }
    }
    // Limb i of the number continued to any width.
    ap_detail::Limb limb_at(int i) const {
        if (i < count) return limbs[i];
        return is_negative() ? ~ap_detail::Limb{0} : 0;
    }
    bool is_negative() const { return Signed && (limbs[count - 1] >> 63) != 0; }

    std::int64_t to_int64() const { return static_cast<std::int64_t>(limbs[0]); }
    std::uint64_t to_uint64() const { return limbs[0]; }
    int to_int() const { return static_cast<int>(limbs[0]); }
    unsigned to_uint() const { return static_cast<unsigned>(limbs[0]); }
    bool to_bool() const { return !is_zero(); }
    bool is_zero() const {
        for (int i = 0; i < count; ++i)
            if (limbs[i] != 0) return false;
        return true;
    }
    static constexpr int length() { return W; }
    // Hex digits, most significant first, of the W bits.
    std::string to_hex() const {
        std::string text;
        for (int digit = (W + 3) / 4 - 1; digit >= 0; --digit) {
            const int top = 4 * digit + 3 < W ? 4 * digit + 3 : W - 1;
            text += "0123456789abcdef"[ap_detail::extract(limbs, top, 4 * digit)];
        }
        return text;
    }

    ap_range_ref<ap_int_base> range(int hi, int lo) { return {*this, hi, lo}; }
    ap_range_ref<const ap_int_base> range(int hi, int lo) const { return {*this, hi, lo}; }
    ap_range_ref<ap_int_base> operator()(int hi, int lo) { return {*this, hi, lo}; }
    ap_range_ref<const ap_int_base> operator()(int hi, int lo) const { return {*this, hi, lo}; }
    ap_bit_ref<ap_int_base> operator[](int index) { return {*this, index}; }
    ap_bit_ref<const ap_int_base> operator[](int index) const { return {*this, index}; }
    bool test(int index) const { return (*this)[index]; }

    bool and_reduce() const {
        for (int i = 0; i < W; ++i)
            if (!test(i)) return false;
        return true;
    }
    bool or_reduce() const { return !is_zero(); }
    bool xor_reduce() const {
        bool parity = false;
        for (int i = 0; i < W; ++i) parity ^= test(i);
        return parity;
    }

    // This number in the high bits, `low` in the low bits.
    template <int W2, bool S2>
    ap_uint<W + W2> concat(const ap_int_base<W2, S2>& low) const;

  protected:
    template <int W2, bool S2>
    void assign(const ap_int_base<W2, S2>& other) {
        for (int i = 0; i < count; ++i) limbs[i] = other.limb_at(i);
        normalise();
    }
    template <typename T>
    void assign_integer(T value) {
        limbs[0] = static_cast<ap_detail::Limb>(value);
        if constexpr (count > 1) {
            const ap_detail::Limb fill = std::is_signed_v<T> && value < T{0} ? ~ap_detail::Limb{0} : 0;
            for (int i = 1; i < count; ++i) limbs[i] = fill;
        }
        normalise();
    }
    void assign_hex(const char* text) {
        if (text[0] != '0' || text[1] != 'x' || text[2] == '\0')
            throw std::invalid_argument(std::string(text) + " is not a number in hex, 0x and digits");
        for (const char* digit = text + 2; *digit != '\0'; ++digit) {
            ap_detail::Limb carry;
            if (*digit >= '0' && *digit <= '9')
                carry = static_cast<ap_detail::Limb>(*digit - '0');
            else if (*digit >= 'a' && *digit <= 'f')
                carry = static_cast<ap_detail::Limb>(*digit - 'a' + 10);
            else if (*digit >= 'A' && *digit <= 'F')
                carry = static_cast<ap_detail::Limb>(*digit - 'A' + 10);
            else
                throw std::invalid_argument(std::string(text) + " is not a number in hex, 0x and digits");
            for (int i = 0; i < count; ++i) {
                const ap_detail::Limb high = limbs[i] >> 60;
                limbs[i] = limbs[i] << 4 | carry;
                carry = high;
            }
        }
        normalise();
    }
    template <typename Value>
    void assign_range(const ap_range_ref<Value>& other) {
        for (int i = 0; i < count; ++i) limbs[i] = other.word(64 * i);
        normalise();
    }
};

#define FINNMAKE_AP_TYPE(NAME, SIGNED)                                                        \
    template <int W>                                                                          \
    class NAME : public ap_int_base<W, SIGNED> {                                              \
        using Base = ap_int_base<W, SIGNED>;                                                  \
                                                                                              \
      public:                                                                                 \
        NAME() = default;                                                                     \
        NAME(const NAME&) = default;                                                          \
        NAME& operator=(const NAME&) = default;                                               \
        template <typename T, typename = ap_detail::Integer<T>>                               \
        NAME(T value) {                                                                       \
            this->assign_integer(value);                                                      \
        }                                                                                     \
        NAME(const char* hex) { this->assign_hex(hex); }                                      \
        template <int W2, bool S2>                                                            \
        NAME(const ap_int_base<W2, S2>& other) {                                              \
            this->assign(other);                                                              \
        }                                                                                     \
        template <typename Value>                                                             \
        NAME(const ap_range_ref<Value>& other) {                                              \
            this->assign_range(other);                                                        \
        }                                                                                     \
        template <typename Value>                                                             \
        NAME(const ap_bit_ref<Value>& other) {                                                \
            this->assign_integer(static_cast<bool>(other));                                   \
        }                                                                                     \
        /* One implicit conversion, as the HLS types have: to the native integer. */          \
        operator typename Base::Native() const {                                              \
            static_assert(W <= 64, "use to_uint64() or range() on a number wider than 64");   \
            return static_cast<typename Base::Native>(this->limbs[0]);                        \
        }                                                                                     \
        template <typename T>                                                                 \
        NAME& operator+=(const T& other) {                                                    \
            return *this = NAME(*this + other);                                               \
        }                                                                                     \
        template <typename T>                                                                 \
        NAME& operator-=(const T& other) {                                                    \
            return *this = NAME(*this - other);                                               \
        }                                                                                     \
        template <typename T>                                                                 \
        NAME& operator*=(const T& other) {                                                    \
            return *this = NAME(*this * other);                                               \
        }                                                                                     \
        template <typename T>                                                                 \
        NAME& operator&=(const T& other) {                                                    \
            return *this = NAME(*this & other);                                               \
        }                                                                                     \
        template <typename T>                                                                 \
        NAME& operator|=(const T& other) {                                                    \
            return *this = NAME(*this | other);                                               \
        }                                                                                     \
        template <typename T>                                                                 \
        NAME& operator^=(const T& other) {                                                    \
            return *this = NAME(*this ^ other);                                               \
        }                                                                                     \
        NAME& operator<<=(int bits) { return *this = *this << bits; }                         \
        NAME& operator>>=(int bits) { return *this = *this >> bits; }                         \
        NAME& operator++() { return *this += 1; }                                             \
        NAME& operator--() { return *this -= 1; }                                             \
        NAME operator++(int) {                                                                \
            const NAME before = *this;                                                        \
            ++*this;                                                                          \
            return before;                                                                    \
        }                                                                                     \
        NAME operator--(int) {                                                                \
            const NAME before = *this;                                                        \
            --*this;                                                                          \
            return before;                                                                    \
        }                                                                                     \
    };

FINNMAKE_AP_TYPE(ap_uint, false)
FINNMAKE_AP_TYPE(ap_int, true)
#undef FINNMAKE_AP_TYPE

template <int W, bool Signed>
template <int W2, bool S2>
ap_uint<W + W2> ap_int_base<W, Signed>::concat(const ap_int_base<W2, S2>& low) const {
    ap_uint<W + W2> result;
    result.range(W + W2 - 1, W2) = *this;
    result.range(W2 - 1, 0) = low;
    return result;
}

namespace ap_detail {

// Bits that hold both operands of a sum or a logic operation.
template <int W1, bool S1, int W2, bool S2>
constexpr int common_width = max_of(W1 + (S2 && !S1 ? 1 : 0), W2 + (S1 && !S2 ? 1 : 0));

template <int W, bool S, typename A, typename B>
Type<W, S> add(const A& a, const B& b, bool subtract) {
    Type<W, S> result;
    Limb carry = subtract ? 1 : 0;
    for (int i = 0; i < limbs_of(W); ++i) {
        const Limb x = a.limb_at(i), y = subtract ? ~b.limb_at(i) : b.limb_at(i);
        const Limb partial = x + y, sum = partial + carry;
        carry = (partial < x ? 1 : 0) | (sum < partial ? 1 : 0);
        result.limbs[i] = sum;
    }
    result.normalise();
    return result;
}

// -1, 0 or 1 as a < b, a == b, a > b; exact for every mix of widths and signs.
template <typename A, typename B>
int compare(const A& a, const B& b) {
    if (a.is_negative() != b.is_negative()) return a.is_negative() ? -1 : 1;
    for (int i = max_of(A::count, B::count) - 1; i >= 0; --i) {
        const Limb x = a.limb_at(i), y = b.limb_at(i);
        if (x != y) return x < y ? -1 : 1;
    }
    return 0;
}

}  // namespace ap_detail

template <int W1, bool S1, int W2, bool S2>
auto operator+(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) {
    return ap_detail::add<ap_detail::common_width<W1, S1, W2, S2> + 1, S1 || S2>(a, b, false);
}
template <int W1, bool S1, int W2, bool S2>
auto operator-(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) {
    return ap_detail::add<ap_detail::common_width<W1, S1, W2, S2> + 1, true>(a, b, true);
}
template <int W1, bool S1, int W2, bool S2>
auto operator*(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) {
    static_assert(W1 + W2 <= 64, "products are limited to 64 bits");
    return ap_detail::Type<W1 + W2, S1 || S2>(a.limbs[0] * b.limbs[0]);
}
template <int W1, bool S1, int W2, bool S2>
auto operator/(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) {
    static_assert(W1 < 64 && W2 < 64, "quotients are limited to 63 bits");
    return ap_detail::Type<W1 + (S2 ? 1 : 0), S1 || S2>(a.to_int64() / b.to_int64());
}
template <int W1, bool S1, int W2, bool S2>
auto operator%(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) {
    static_assert(W1 < 64 && W2 < 64, "remainders are limited to 63 bits");
    return ap_detail::Type<W1, S1>(a.to_int64() % b.to_int64());
}
template <int W, bool S>
auto operator-(const ap_int_base<W, S>& a) {
    return ap_uint<1>(0) - a;
}
template <int W, bool S>
ap_detail::Type<W, S> operator~(const ap_int_base<W, S>& a) {
    ap_detail::Type<W, S> result;
    for (int i = 0; i < result.count; ++i) result.limbs[i] = ~a.limbs[i];
    result.normalise();
    return result;
}
template <int W, bool S>
bool operator!(const ap_int_base<W, S>& a) {
    return a.is_zero();
}

#define FINNMAKE_AP_LOGIC(OP)                                                                               \
    template <int W1, bool S1, int W2, bool S2>                                                             \
    auto operator OP(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) {                          \
        ap_detail::Type<ap_detail::common_width<W1, S1, W2, S2>, S1 || S2> result;                          \
        for (int i = 0; i < result.count; ++i) result.limbs[i] = a.limb_at(i) OP b.limb_at(i);              \
        result.normalise();                                                                                 \
        return result;                                                                                      \
    }
FINNMAKE_AP_LOGIC(&)
FINNMAKE_AP_LOGIC(|)
FINNMAKE_AP_LOGIC(^)
#undef FINNMAKE_AP_LOGIC

#define FINNMAKE_AP_COMPARE(OP)                                                                             \
    template <int W1, bool S1, int W2, bool S2>                                                             \
    bool operator OP(const ap_int_base<W1, S1>& a, const ap_int_base<W2, S2>& b) {                          \
        return ap_detail::compare(a, b) OP 0;                                                               \
    }
FINNMAKE_AP_COMPARE(==)
FINNMAKE_AP_COMPARE(!=)
FINNMAKE_AP_COMPARE(<)
FINNMAKE_AP_COMPARE(<=)
FINNMAKE_AP_COMPARE(>)
FINNMAKE_AP_COMPARE(>=)
#undef FINNMAKE_AP_COMPARE

// A C++ integer beside a number counts as the number type of its own width.
#define FINNMAKE_AP_MIXED(OP)                                                                               \
    template <int W, bool S, typename T, typename = ap_detail::Integer<T>>                                  \
    auto operator OP(const ap_int_base<W, S>& a, T b) {                                                     \
        return a OP ap_detail::FromInteger<T>(b);                                                           \
    }                                                                                                       \
    template <int W, bool S, typename T, typename = ap_detail::Integer<T>>                                  \
    auto operator OP(T a, const ap_int_base<W, S>& b) {                                                     \
        return ap_detail::FromInteger<T>(a) OP b;                                                           \
    }
FINNMAKE_AP_MIXED(+)
FINNMAKE_AP_MIXED(-)
FINNMAKE_AP_MIXED(*)
FINNMAKE_AP_MIXED(/)
FINNMAKE_AP_MIXED(%)
FINNMAKE_AP_MIXED(&)
FINNMAKE_AP_MIXED(|)
FINNMAKE_AP_MIXED(^)
FINNMAKE_AP_MIXED(==)
FINNMAKE_AP_MIXED(!=)
FINNMAKE_AP_MIXED(<)
FINNMAKE_AP_MIXED(<=)
FINNMAKE_AP_MIXED(>)
FINNMAKE_AP_MIXED(>=)
#undef FINNMAKE_AP_MIXED

// Shifts keep the type of the number; >> of a signed number is arithmetic.
template <int W, bool S, typename T, typename = ap_detail::Integer<T>>
ap_detail::Type<W, S> operator<<(const ap_int_base<W, S>& a, T amount) {
    const int bits = static_cast<int>(amount), whole = bits / 64, part = bits % 64;
    ap_detail::Type<W, S> result;
    for (int i = result.count - 1; i >= whole; --i) {
        result.limbs[i] = a.limbs[i - whole] << part;
        if (part != 0 && i > whole) result.limbs[i] |= a.limbs[i - whole - 1] >> (64 - part);
    }
    result.normalise();
    return result;
}
template <int W, bool S, typename T, typename = ap_detail::Integer<T>>
ap_detail::Type<W, S> operator>>(const ap_int_base<W, S>& a, T amount) {
    const int bits = static_cast<int>(amount), whole = bits / 64, part = bits % 64;
    ap_detail::Type<W, S> result;
    for (int i = 0; i < result.count; ++i) {
        result.limbs[i] = a.limb_at(i + whole) >> part;
        if (part != 0) result.limbs[i] |= a.limb_at(i + whole + 1) << (64 - part);
    }
    result.normalise();
    return result;
}
template <int W, bool S, int W2, bool S2>
auto operator<<(const ap_int_base<W, S>& a, const ap_int_base<W2, S2>& amount) {
    return a << amount.to_int();
}
template <int W, bool S, int W2, bool S2>
auto operator>>(const ap_int_base<W, S>& a, const ap_int_base<W2, S2>& amount) {
    return a >> amount.to_int();
}

#endif
