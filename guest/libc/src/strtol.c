#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

static int digit_value(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'Z')
        return character - 'A' + 10;
    return 36;
}

/* Magnitude of the number at `text`, saturating at ULONG_MAX with *overflow set. */
static unsigned long parse(const char *text, char **end, int base, int *is_negative, int *overflow)
{
    const char *at = text;
    const char *start;
    unsigned long value = 0;

    *is_negative = 0;
    *overflow = 0;
    while (isspace((unsigned char)*at))
        at++;
    if (*at == '-' || *at == '+')
        *is_negative = *at++ == '-';
    if ((base == 0 || base == 16) && at[0] == '0' && (at[1] | 0x20) == 'x' && digit_value(at[2]) < 16) {
        at += 2;
        base = 16;
    } else if (base == 0) {
        base = *at == '0' ? 8 : 10;
    }
    for (start = at; digit_value(*at) < base; at++) {
        unsigned long digit = (unsigned long)digit_value(*at);
        if (value > (ULONG_MAX - digit) / (unsigned long)base)
            *overflow = 1;
        value = value * (unsigned long)base + digit;
    }
    if (end != NULL)
        *end = (char *)(at == start ? text : at);
    return *overflow ? ULONG_MAX : value;
}

long strtol(const char *restrict text, char **restrict end, int base)
{
    int is_negative, overflow;
    unsigned long value = parse(text, end, base, &is_negative, &overflow);
    unsigned long limit = (unsigned long)LONG_MAX + (is_negative ? 1 : 0);

    if (value > limit) {
        errno = ERANGE;
        return is_negative ? LONG_MIN : LONG_MAX;
    }
    return (long)(is_negative ? 0 - value : value);
}

unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
    int is_negative, overflow;
    unsigned long value = parse(text, end, base, &is_negative, &overflow);

    if (overflow) {
        errno = ERANGE;
        return ULONG_MAX;
    }
    return is_negative ? 0 - value : value;
}

long long strtoll(const char *restrict text, char **restrict end, int base)
{
    return strtol(text, end, base);
}

unsigned long long strtoull(const char *restrict text, char **restrict end, int base)
{
    return strtoul(text, end, base);
}

intmax_t strtoimax(const char *restrict text, char **restrict end, int base)
{
    return strtol(text, end, base);
}

uintmax_t strtoumax(const char *restrict text, char **restrict end, int base)
{
    return strtoul(text, end, base);
}

int atoi(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

long atol(const char *text)
{
    return strtol(text, NULL, 10);
}

long long atoll(const char *text)
{
    return strtol(text, NULL, 10);
}
