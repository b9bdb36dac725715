/* What A64 computes in one instruction, and the functions that are exact by construction. */
#include <math.h>
#include <stdint.h>

union double_bits {
    double value;
    uint64_t bits;
};

union float_bits {
    float value;
    uint32_t bits;
};

int __signbit(double x)
{
    union double_bits pun;

    pun.value = x;
    return (int)(pun.bits >> 63);
}

int __signbitf(float x)
{
    union float_bits pun;

    pun.value = x;
    return (int)(pun.bits >> 31);
}

double fabs(double x) { return __builtin_fabs(x); }
double floor(double x) { return __builtin_floor(x); }
double ceil(double x) { return __builtin_ceil(x); }
double trunc(double x) { return __builtin_trunc(x); }
double rint(double x) { return __builtin_rint(x); }
double nearbyint(double x) { return __builtin_rint(x); }
double sqrt(double x) { return __builtin_sqrt(x); }
double copysign(double magnitude, double sign) { return __builtin_copysign(magnitude, sign); }
double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
float fabsf(float x) { return __builtin_fabsf(x); }
float floorf(float x) { return __builtin_floorf(x); }
float ceilf(float x) { return __builtin_ceilf(x); }
float truncf(float x) { return __builtin_truncf(x); }
float rintf(float x) { return __builtin_rintf(x); }
float nearbyintf(float x) { return __builtin_rintf(x); }
float sqrtf(float x) { return __builtin_sqrtf(x); }
float copysignf(float magnitude, float sign) { return __builtin_copysignf(magnitude, sign); }
float fmaf(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

double fmin(double a, double b)
{
    if (isnan(a))
        return b;
    if (isnan(b))
        return a;
    return a < b || (a == b && __signbit(a)) ? a : b;
}

double fmax(double a, double b)
{
    if (isnan(a))
        return b;
    if (isnan(b))
        return a;
    return a > b || (a == b && __signbit(b)) ? a : b;
}

float fminf(float a, float b) { return (float)fmin(a, b); }
float fmaxf(float a, float b) { return (float)fmax(a, b); }

/* Half away from zero. */
double round(double x)
{
    double whole = __builtin_trunc(x);

    return __builtin_fabs(x - whole) >= 0.5 ? whole + __builtin_copysign(1.0, x) : __builtin_copysign(whole, x);
}

float roundf(float x) { return (float)round(x); }
long lround(double x) { return (long)round(x); }

double modf(double x, double *integer)
{
    *integer = __builtin_trunc(x);
    return __builtin_copysign(isinf(x) ? 0.0 : x - *integer, x);
}

double frexp(double x, int *exponent)
{
    union double_bits pun;
    int biased;

    pun.value = x;
    *exponent = 0;
    if (x == 0 || x - x != 0)
        return x;
    biased = (int)(pun.bits >> 52 & 0x7ff);
    if (biased == 0) {
        pun.value = x * 0x1p54;
        biased = (int)(pun.bits >> 52 & 0x7ff) - 54;
    }
    *exponent = biased - 1022;
    pun.bits = (pun.bits & ~((uint64_t)0x7ff << 52)) | (uint64_t)1022 << 52;
    return pun.value;
}

static double power_of_two(int exponent)
{
    union double_bits pun;

    pun.bits = (uint64_t)(exponent + 1023) << 52;
    return pun.value;
}

double scalbn(double x, int exponent)
{
    while (exponent > 1023) {
        x *= 0x1p1023;
        exponent -= 1023;
        if (exponent > 3000)
            exponent = 3000;
    }
    while (exponent < -1022) { /* in steps that leave the rounding to the last one */
        x *= 0x1p-969;
        exponent += 969;
        if (exponent < -3000)
            exponent = -3000;
    }
    return x * power_of_two(exponent);
}

double ldexp(double x, int exponent) { return scalbn(x, exponent); }

/* Exact: subtracts y scaled by powers of two. */
double fmod(double x, double y)
{
    double rest = __builtin_fabs(x);
    double divisor = __builtin_fabs(y);

    if (isnan(x) || isnan(y) || isinf(x) || divisor == 0)
        return (x * y) / (x * y);
    while (rest >= divisor) {
        int rest_exponent, divisor_exponent;
        double scaled;
        frexp(rest, &rest_exponent);
        frexp(divisor, &divisor_exponent);
        scaled = scalbn(divisor, rest_exponent - divisor_exponent);
        if (scaled > rest)
            scaled = scalbn(divisor, rest_exponent - divisor_exponent - 1);
        rest -= scaled;
    }
    return __builtin_copysign(rest, x);
}

float fmodf(float x, float y) { return (float)fmod(x, y); }
