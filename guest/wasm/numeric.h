/* Arithmetic where C leaves open what WebAssembly defines: bit counts, min/max, saturating conversions. */
#ifndef WASM_NUMERIC_H
#define WASM_NUMERIC_H

#include <math.h>
#include <stdint.h>

static inline uint32_t clz64(uint64_t a)
{
    uint32_t n = 0;
    if (a == 0)
        return 64;
    for (uint32_t step = 32; step > 0; step >>= 1)
        if (a >> (64 - step) == 0) {
            n += step;
            a <<= step;
        }
    return n;
}

static inline uint32_t clz32(uint32_t a)
{
    return clz64(a) - 32;
}

static inline uint32_t ctz64(uint64_t a)
{
    return a == 0 ? 64 : 63 - clz64(a & (0 - a));
}

static inline uint32_t ctz32(uint32_t a)
{
    return a == 0 ? 32 : 31 - clz32(a & (0 - a));
}

static inline uint32_t popcount64(uint64_t a)
{
    a -= (a >> 1) & 0x5555555555555555ull;
    a = (a & 0x3333333333333333ull) + ((a >> 2) & 0x3333333333333333ull);
    a = (a + (a >> 4)) & 0x0f0f0f0f0f0f0f0full;
    return (uint32_t)((a * 0x0101010101010101ull) >> 56);
}

/* A NaN operand gives a quiet NaN; -0 is less than +0. */
#define DEFINE_MIN_MAX(type, prefix, sign_is_set)                                                                      \
    static inline type prefix##_min(type a, type b)                                                                    \
    {                                                                                                                  \
        if (a != a || b != b)                                                                                          \
            return a + b;                                                                                              \
        return a == b ? (sign_is_set(a) ? a : b) : a < b ? a : b;                                                      \
    }                                                                                                                  \
    static inline type prefix##_max(type a, type b)                                                                    \
    {                                                                                                                  \
        if (a != a || b != b)                                                                                          \
            return a + b;                                                                                              \
        return a == b ? (sign_is_set(a) ? b : a) : a > b ? a : b;                                                      \
    }

static inline int f64_sign(double a)
{
    union {
        double f;
        uint64_t u;
    } bits;
    bits.f = a;
    return (int)(bits.u >> 63);
}

static inline int f32_sign(float a)
{
    union {
        float f;
        uint32_t u;
    } bits;
    bits.f = a;
    return (int)(bits.u >> 31);
}

DEFINE_MIN_MAX(float, f32, f32_sign)
DEFINE_MIN_MAX(double, f64, f64_sign)

static inline int32_t sat_i32(double a)
{
    return a != a ? 0 : a <= -2147483648.0 ? INT32_MIN : a >= 2147483647.0 ? INT32_MAX : (int32_t)a;
}

static inline uint32_t sat_u32(double a)
{
    return !(a > 0.0) ? 0 : a >= 4294967295.0 ? UINT32_MAX : (uint32_t)a;
}

static inline int64_t sat_i64(double a)
{
    return a != a ? 0 : a <= -9223372036854775808.0 ? INT64_MIN : a >= 9223372036854775808.0 ? INT64_MAX : (int64_t)a;
}

static inline uint64_t sat_u64(double a)
{
    return !(a > 0.0) ? 0 : a >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)a;
}

#endif
