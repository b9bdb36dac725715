/* Correctly rounded strtod and strtof: the digits as a big number, scaled by exact multiplications or by
 * divisions whose remainders are remembered as a sticky bit. */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LIMBS 160
#define MAX_DIGITS 800

/* Little-endian base 2^32 number. */
struct big {
    int count;
    uint32_t limbs[LIMBS];
};

static void big_multiply_add(struct big *number, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    int i;

    for (i = 0; i < number->count; i++) {
        carry += (uint64_t)number->limbs[i] * factor;
        number->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0)
        number->limbs[number->count++] = (uint32_t)carry;
}

static uint32_t big_divide(struct big *number, uint32_t divisor)
{
    uint64_t remainder = 0;
    int i;

    for (i = number->count; i-- > 0;) {
        remainder = remainder << 32 | number->limbs[i];
        number->limbs[i] = (uint32_t)(remainder / divisor);
        remainder %= divisor;
    }
    while (number->count > 0 && number->limbs[number->count - 1] == 0)
        number->count--;
    return (uint32_t)remainder;
}

static void big_shift_limbs(struct big *number, int limbs)
{
    memmove(number->limbs + limbs, number->limbs, (size_t)number->count * sizeof(uint32_t));
    memset(number->limbs, 0, (size_t)limbs * sizeof(uint32_t));
    number->count += limbs;
}

/* number * 2^exponent (plus less than one unit when sticky) rounded to `precision` bits, as a double. */
static double round_to(const struct big *number, int exponent, int sticky, int precision, int least_exponent)
{
    int top = number->count - 1;
    int length = number->count * 32 - __builtin_clz(number->limbs[top]);
    int drop = length - precision;
    uint64_t mantissa = 0;
    int half, i;
    union {
        uint64_t bits;
        double value;
    } result;

    if (exponent + drop < least_exponent)
        drop = least_exponent - exponent;
    if (drop > length)
        return 0.0;
    for (i = length; i-- > (drop > 0 ? drop : 0);)
        mantissa = mantissa << 1 | (number->limbs[i / 32] >> (i % 32) & 1);
    if (drop < 0)
        mantissa <<= -drop;
    if (drop > 0) {
        half = (int)(number->limbs[(drop - 1) / 32] >> ((drop - 1) % 32) & 1);
        for (i = 0; i < drop - 1 && !sticky; i++)
            sticky = (int)(number->limbs[i / 32] >> (i % 32) & 1);
        if (half && (sticky || (mantissa & 1)))
            mantissa++;
    }
    exponent += drop;
    if (mantissa == 0)
        return 0.0;
    /* Into the form of a double, which holds every value of both precisions. */
    length = 64 - __builtin_clzl(mantissa);
    if (exponent + length > 1024) {
        errno = ERANGE;
        return __builtin_huge_val();
    }
    if (exponent + length - 1 < -1022) {
        result.bits = mantissa << (exponent + 1074);
        errno = ERANGE;
    } else {
        result.bits = (mantissa << (53 - length) & 0xfffffffffffffu) | (uint64_t)(exponent + length - 1 + 1023) << 52;
    }
    return result.value;
}

static double parse_hexadecimal(const char *at, char **end, int precision, int least_exponent)
{
    struct big number = {0, {0}};
    int exponent = 0;
    int sticky = 0;
    int seen_point = 0;

    for (;; at++) {
        int digit;
        if (*at == '.' && !seen_point) {
            seen_point = 1;
            continue;
        }
        if (!isxdigit((unsigned char)*at))
            break;
        digit = isdigit((unsigned char)*at) ? *at - '0' : (*at | 0x20) - 'a' + 10;
        if (number.count < LIMBS - 1)
            big_multiply_add(&number, 16, (uint32_t)digit);
        else {
            sticky |= digit != 0;
            exponent += 4;
        }
        if (seen_point)
            exponent -= 4;
    }
    if ((*at | 0x20) == 'p') {
        char *after;
        long power = strtol(at + 1, &after, 10);
        if (after != at + 1) {
            at = after;
            exponent += power > 100000 ? 100000 : power < -100000 ? -100000 : (int)power;
        }
    }
    *end = (char *)at;
    return number.count == 0 ? 0.0 : round_to(&number, exponent, sticky, precision, least_exponent);
}

static double parse_decimal(const char *at, char **end, int precision, int least_exponent)
{
    struct big number = {0, {0}};
    int exponent = 0;
    int binary_exponent = 0;
    int sticky = 0;
    int seen_point = 0;
    int digits = 0;

    for (;; at++) {
        if (*at == '.' && !seen_point) {
            seen_point = 1;
            continue;
        }
        if (!isdigit((unsigned char)*at))
            break;
        if (digits < MAX_DIGITS) {
            big_multiply_add(&number, 10, (uint32_t)(*at - '0'));
            if (number.count != 0)
                digits++;
        } else {
            sticky |= *at != '0';
            exponent++;
        }
        if (seen_point)
            exponent--;
    }
    if ((*at | 0x20) == 'e') {
        char *after;
        const char *power_text = at + 1;
        if (isdigit((unsigned char)power_text[*power_text == '-' || *power_text == '+'])) {
            long power = strtol(power_text, &after, 10);
            at = after;
            exponent += power > 100000 ? 100000 : power < -100000 ? -100000 : (int)power;
        }
    }
    *end = (char *)at;
    if (number.count == 0)
        return 0.0;
    if (exponent + digits > 310) {
        errno = ERANGE;
        return __builtin_huge_val();
    }
    if (exponent + digits < -330) {
        errno = ERANGE;
        return 0.0;
    }
    for (; exponent >= 9; exponent -= 9)
        big_multiply_add(&number, 1000000000u, 0);
    for (; exponent > 0; exponent--)
        big_multiply_add(&number, 10, 0);
    if (exponent < 0) {
        /* Enough room that 64 significant bits are left after the divisions. */
        int limbs = (-exponent * 107 / 32 + 31) / 32 + 3;
        if (limbs > LIMBS - 1 - number.count)
            limbs = LIMBS - 1 - number.count;
        big_shift_limbs(&number, limbs);
        binary_exponent = -32 * limbs;
        for (; exponent <= -9; exponent += 9)
            sticky |= big_divide(&number, 1000000000u) != 0;
        for (; exponent < 0; exponent++)
            sticky |= big_divide(&number, 10) != 0;
    }
    return round_to(&number, binary_exponent, sticky, precision, least_exponent);
}

static double parse(const char *text, char **end, int precision, int least_exponent)
{
    const char *at = text;
    double value;
    int is_negative = 0;
    char *after;

    while (isspace((unsigned char)*at))
        at++;
    if (*at == '-' || *at == '+')
        is_negative = *at++ == '-';
    if (strncasecmp(at, "infinity", 8) == 0 || strncasecmp(at, "inf", 3) == 0) {
        value = __builtin_huge_val();
        after = (char *)at + (strncasecmp(at, "infinity", 8) == 0 ? 8 : 3);
    } else if (strncasecmp(at, "nan", 3) == 0) {
        value = __builtin_nan("");
        after = (char *)at + 3;
    } else if (at[0] == '0' && (at[1] | 0x20) == 'x' &&
               (isxdigit((unsigned char)at[2]) || (at[2] == '.' && isxdigit((unsigned char)at[3])))) {
        value = parse_hexadecimal(at + 2, &after, precision, least_exponent);
    } else if (isdigit((unsigned char)at[0]) || (at[0] == '.' && isdigit((unsigned char)at[1]))) {
        value = parse_decimal(at, &after, precision, least_exponent);
    } else {
        if (end != NULL)
            *end = (char *)text;
        return 0.0;
    }
    if (end != NULL)
        *end = after;
    return is_negative ? -value : value;
}

double strtod(const char *restrict text, char **restrict end)
{
    return parse(text, end, 53, -1074);
}

float strtof(const char *restrict text, char **restrict end)
{
    double value = parse(text, end, 24, -149);

    if (__builtin_fabs(value) >= 0x1p128 && __builtin_fabs(value) < __builtin_huge_val())
        errno = ERANGE;
    return (float)value;
}

double atof(const char *text)
{
    return strtod(text, NULL);
}
