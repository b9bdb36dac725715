/* Exact conversion between doubles and decimal digits, on base 10^9 numbers. */
#include <stdint.h>
#include <string.h>

#include "internal.h"

#define BILLION 1000000000u
/* 2^1024 has 309 digits (35 limbs); 2^-1074 has 1074 digits after the point (120 limbs). */
#define INTEGER_LIMBS 36
#define FRACTION_LIMBS 120

void __decimal_from_double(struct decimal *out, double value)
{
    uint32_t limbs[INTEGER_LIMBS + FRACTION_LIMBS];
    uint32_t *const point = limbs + INTEGER_LIMBS; /* limbs before it: integer part, most significant first */
    int first, last, i, count;
    uint64_t bits;
    int64_t mantissa;
    int exponent;
    union {
        double value;
        uint64_t bits;
    } pun;

    pun.value = value;
    bits = pun.bits;
    memset(limbs, 0, sizeof limbs);
    out->is_negative = (int)(bits >> 63);
    exponent = (int)((bits >> 52) & 0x7ff);
    mantissa = (int64_t)(bits & 0xfffffffffffffu);
    if (exponent != 0)
        mantissa |= (int64_t)1 << 52;
    else
        exponent = 1;
    exponent -= 1075;
    out->count = 0;
    out->exponent = 0;
    if (mantissa == 0)
        return;

    point[-1] = (uint32_t)(mantissa % BILLION);
    point[-2] = (uint32_t)(mantissa / BILLION);
    first = INTEGER_LIMBS - 2;
    last = INTEGER_LIMBS;
    for (; exponent > 0;) {
        int step = exponent > 29 ? 29 : exponent;
        uint64_t carry = 0;
        for (i = last - 1; i >= first; i--) {
            uint64_t product = ((uint64_t)limbs[i] << step) + carry;
            limbs[i] = (uint32_t)(product % BILLION);
            carry = product / BILLION;
        }
        if (carry != 0)
            limbs[--first] = (uint32_t)carry;
        exponent -= step;
    }
    for (; exponent < 0;) {
        int step = exponent < -9 ? 9 : -exponent;
        uint32_t remainder = 0;
        for (i = first; i < last; i++) {
            uint32_t limb = limbs[i];
            limbs[i] = (limb >> step) + remainder;
            remainder = (limb & ((1u << step) - 1)) * (BILLION >> step);
        }
        if (remainder != 0)
            limbs[last++] = remainder;
        exponent += step;
    }

    while (limbs[first] == 0)
        first++;
    count = 0;
    for (i = first; i < last; i++) {
        uint32_t limb = limbs[i];
        char digits[9];
        int j;
        for (j = 8; j >= 0; j--) {
            digits[j] = (char)(limb % 10);
            limb /= 10;
        }
        for (j = 0; j < 9; j++) {
            if (count == 0 && digits[j] == 0)
                continue;
            if (count == 0)
                out->exponent = (INTEGER_LIMBS - i) * 9 - j;
            if (count < (int)sizeof out->digits)
                out->digits[count++] = digits[j];
            else if (digits[j] != 0)
                out->digits[count - 1] |= 1; /* sticky: only how it rounds can still depend on it */
        }
    }
    while (count > 0 && out->digits[count - 1] == 0)
        count--;
    out->count = count;
}

/* Rounds to `count` digits (possibly 0 or fewer), half to even. */
void __decimal_round(struct decimal *value, int count)
{
    int up;
    int i;

    if (count >= value->count)
        return;
    if (count < 0) {
        value->count = 0;
        return;
    }
    if (value->digits[count] == 5 && value->count == count + 1)
        up = count > 0 && (value->digits[count - 1] & 1);
    else
        up = value->digits[count] >= 5;
    value->count = count;
    if (up) {
        for (i = count; i-- > 0;) {
            if (value->digits[i] != 9) {
                value->digits[i]++;
                value->count = i + 1;
                return;
            }
        }
        value->digits[0] = 1;
        value->count = 1;
        value->exponent++;
        return;
    }
    while (value->count > 0 && value->digits[value->count - 1] == 0)
        value->count--;
}
