/* The printf family's one engine. */
#include "format.h"

#include <cheriintrin.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "internal.h"

#define LEFT 1
#define PLUS 2
#define SPACE 4
#define ALTERNATE 8
#define ZERO 16

struct specification {
    int flags;
    int width;
    int precision; /* -1: none given */
    char conversion;
};

static void put(struct sink *sink, const char *text, size_t length)
{
    if (length != 0)
        sink->put(sink, text, length);
    sink->written += length;
}

static void pad(struct sink *sink, char character, int count)
{
    char block[16];

    if (count <= 0)
        return;
    memset(block, character, sizeof block);
    while (count > 0) {
        size_t part = count < (int)sizeof block ? (size_t)count : sizeof block;
        put(sink, block, part);
        count -= (int)part;
    }
}

/* prefix, then zeros, then body, in a field of the specification's width. */
static void put_field(struct sink *sink, const struct specification *how, const char *prefix, int zeros,
                      const char *body, size_t length)
{
    size_t prefix_length = strlen(prefix);
    int room;

    if (zeros < 0)
        zeros = 0;
    room = how->width - (int)prefix_length - zeros - (int)length;
    if (!(how->flags & LEFT))
        pad(sink, ' ', room);
    put(sink, prefix, prefix_length);
    pad(sink, '0', zeros);
    put(sink, body, length);
    if (how->flags & LEFT)
        pad(sink, ' ', room);
}

static char *digits_before(char *end, uint64_t value, unsigned int base, int upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    if (base == 16) {
        for (; value != 0; value >>= 4)
            *--end = digits[value & 15];
    } else if (base == 8) {
        for (; value != 0; value >>= 3)
            *--end = (char)('0' + (value & 7));
    } else {
        for (; value != 0; value /= 10)
            *--end = (char)('0' + value % 10);
    }
    return end;
}

static void put_integer(struct sink *sink, const struct specification *how, uint64_t value, int is_negative)
{
    char buffer[24];
    char *end = buffer + sizeof buffer;
    const char *prefix = "";
    char conversion = how->conversion;
    unsigned int base = conversion == 'o' ? 8 : conversion == 'x' || conversion == 'X' ? 16 : 10;
    char *start = digits_before(end, value, base, conversion == 'X');
    int count = (int)(end - start);
    int zeros = how->precision < 0 ? 1 - count : how->precision - count;

    if (conversion == 'd' || conversion == 'i')
        prefix = is_negative ? "-" : how->flags & PLUS ? "+" : how->flags & SPACE ? " " : "";
    else if ((how->flags & ALTERNATE) && base == 16 && value != 0)
        prefix = conversion == 'X' ? "0X" : "0x";
    else if ((how->flags & ALTERNATE) && base == 8 && zeros <= 0)
        zeros = 1;
    if ((how->flags & ZERO) && !(how->flags & LEFT) && how->precision < 0) {
        int filled = how->width - (int)strlen(prefix) - count;
        if (filled > zeros)
            zeros = filled;
    }
    put_field(sink, how, prefix, zeros, start, (size_t)count);
}

static size_t append(char *out, size_t at, const char *text)
{
    size_t length = strlen(text);

    memcpy(out + at, text, length);
    return at + length;
}

static size_t append_hex(char *out, size_t at, uint64_t value)
{
    char buffer[18];
    char *end = buffer + sizeof buffer;
    char *start = value == 0 ? end - 1 : digits_before(end, value, 16, 0);

    if (value == 0)
        *start = '0';
    at = append(out, at, "0x");
    memcpy(out + at, start, (size_t)(end - start));
    return at + (size_t)(end - start);
}

/* %p prints the address, %#p also the metadata: 0x1000 [rwRW,0x1000-0x1010] (sentry). */
static void put_pointer(struct sink *sink, const struct specification *how, uintptr_t pointer)
{
    char text[160];
    size_t at = append_hex(text, 0, cheri_address_get(pointer));
    static const struct {
        size_t permission;
        char letter;
    } letters[] = {
        {CHERI_PERM_LOAD, 'r'},      {CHERI_PERM_STORE, 'w'},   {CHERI_PERM_EXECUTE, 'x'},
        {CHERI_PERM_LOAD_CAP, 'R'},  {CHERI_PERM_STORE_CAP, 'W'}, {CHERI_PERM_EXECUTIVE, 'E'},
    };

    if ((how->flags & ALTERNATE) && (cheri_tag_get(pointer) || cheri_perms_get(pointer) != 0)) {
        size_t permissions = cheri_perms_get(pointer);
        size_t i;
        at = append(text, at, " [");
        for (i = 0; i < sizeof letters / sizeof letters[0]; i++)
            if (permissions & letters[i].permission)
                text[at++] = letters[i].letter;
        text[at++] = ',';
        at = append_hex(text, at, cheri_base_get(pointer));
        text[at++] = '-';
        at = append_hex(text, at, cheri_base_get(pointer) + cheri_length_get(pointer));
        text[at++] = ']';
        if (!cheri_tag_get(pointer))
            at = append(text, at, " (invalid)");
        else if (cheri_is_sentry(pointer))
            at = append(text, at, " (sentry)");
        else if (cheri_is_sealed(pointer))
            at = append(text, at, " (sealed)");
    }
    put_field(sink, how, "", 0, text, at);
}

static const char *sign_of(const struct specification *how, int is_negative)
{
    return is_negative ? "-" : how->flags & PLUS ? "+" : how->flags & SPACE ? " " : "";
}

/* The digit of weight 10^place. */
static char digit_at(const struct decimal *number, int place)
{
    int index = number->exponent - 1 - place;

    return (char)(index >= 0 && index < number->count ? '0' + number->digits[index] : '0');
}

/* Writes the digits down to the ones, then `after` digits behind the point. */
static size_t put_digits(char *out, const struct decimal *number, int after, int show_point)
{
    size_t at = 0;
    int place = number->exponent > 1 ? number->exponent - 1 : 0;

    for (; place >= 0; place--)
        out[at++] = digit_at(number, place);
    if (show_point || after > 0)
        out[at++] = '.';
    for (; place >= -after; place--)
        out[at++] = digit_at(number, place);
    return at;
}

#define MAX_PRECISION 1100

static void put_double(struct sink *sink, const struct specification *how, double value)
{
    static char text[MAX_PRECISION + 400];
    struct decimal number;
    char conversion = (char)(how->conversion | 0x20);
    int upper = how->conversion != conversion;
    int precision = how->precision < 0 ? 6 : how->precision > MAX_PRECISION ? MAX_PRECISION : how->precision;
    int trim = 0;
    int zeros = 0;
    int show_point;
    size_t length;
    const char *sign;

    if (value != value || value - value != 0) {
        struct specification plain = *how;
        union {
            double value;
            uint64_t bits;
        } pun;
        pun.value = value;
        plain.flags &= ~ZERO;
        put_field(sink, &plain, sign_of(how, (int)(pun.bits >> 63)), 0,
                  value != value ? upper ? "NAN" : "nan" : upper ? "INF" : "inf", 3);
        return;
    }
    __decimal_from_double(&number, value);
    sign = sign_of(how, number.is_negative);
    if (conversion == 'g') {
        int exponent;
        if (precision == 0)
            precision = 1;
        __decimal_round(&number, precision);
        exponent = number.count == 0 ? 0 : number.exponent - 1;
        trim = !(how->flags & ALTERNATE);
        if (exponent >= -4 && exponent < precision) {
            conversion = 'f';
            precision -= exponent + 1;
        } else {
            conversion = 'e';
            precision--;
        }
    }
    show_point = (how->flags & ALTERNATE) != 0;
    if (conversion == 'f') {
        __decimal_round(&number, number.exponent + precision);
        if (trim && number.count - number.exponent < precision)
            precision = number.count > number.exponent ? number.count - number.exponent : 0;
        length = put_digits(text, &number, precision, show_point);
    } else {
        int exponent, i;
        __decimal_round(&number, precision + 1);
        exponent = number.count == 0 ? 0 : number.exponent - 1;
        if (trim && number.count - 1 < precision)
            precision = number.count > 0 ? number.count - 1 : 0;
        number.exponent = 1;
        length = put_digits(text, &number, precision, show_point);
        text[length++] = upper ? 'E' : 'e';
        text[length++] = exponent < 0 ? '-' : '+';
        if (exponent < 0)
            exponent = -exponent;
        for (i = exponent >= 100 ? 100 : 10; i > 0; i /= 10)
            text[length++] = (char)('0' + exponent / i % 10);
    }
    if ((how->flags & ZERO) && !(how->flags & LEFT))
        zeros = how->width - (int)strlen(sign) - (int)length;
    put_field(sink, how, sign, zeros, text, length);
}

static int parse_number(const char **at)
{
    int value = 0;

    while (**at >= '0' && **at <= '9' && value < 100000)
        value = value * 10 + (*(*at)++ - '0');
    return value;
}

static const char *parse_flags(const char *at, struct specification *how)
{
    static const char letters[] = "-+ #0";

    for (;; at++) {
        const char *found = *at != '\0' ? strchr(letters, *at) : NULL;
        if (found == NULL)
            return at;
        how->flags |= 1 << (found - letters);
    }
}

/* Sizes of integer arguments in bytes by length modifier. */
static const char *parse_length(const char *at, int *size)
{
    *size = 4;
    if (at[0] == 'h') {
        *size = at[1] == 'h' ? 1 : 2;
        return at + (*size == 1 ? 2 : 1);
    }
    if (at[0] == 'l') {
        *size = 8;
        return at + (at[1] == 'l' ? 2 : 1);
    }
    if (at[0] == 'z' || at[0] == 'j' || at[0] == 't') {
        *size = 8;
        return at + 1;
    }
    return at[0] == 'L' ? at + 1 : at;
}

int __format(struct sink *sink, const char *format, va_list arguments)
{
    for (;;) {
        struct specification how = {0, 0, -1, 0};
        const char *literal = format;
        int size;

        while (*format != '\0' && *format != '%')
            format++;
        put(sink, literal, (size_t)(format - literal));
        if (*format == '\0')
            return (int)sink->written;
        format = parse_flags(format + 1, &how);
        if (*format == '*') {
            how.width = va_arg(arguments, int);
            if (how.width < 0) {
                how.flags |= LEFT;
                how.width = -how.width;
            }
            format++;
        } else {
            how.width = parse_number(&format);
        }
        if (*format == '.') {
            format++;
            if (*format == '*') {
                how.precision = va_arg(arguments, int);
                format++;
            } else {
                how.precision = parse_number(&format);
            }
        }
        format = parse_length(format, &size);
        how.conversion = *format++;
        switch (how.conversion) {
        case 'd':
        case 'i': {
            int64_t value = size == 8 ? va_arg(arguments, long) : va_arg(arguments, int);
            if (size == 1)
                value = (signed char)value;
            else if (size == 2)
                value = (short)value;
            put_integer(sink, &how, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
            break;
        }
        case 'u':
        case 'o':
        case 'x':
        case 'X': {
            uint64_t value = size == 8 ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned int);
            if (size == 1)
                value = (unsigned char)value;
            else if (size == 2)
                value = (unsigned short)value;
            put_integer(sink, &how, value, 0);
            break;
        }
        case 'c': {
            char character = (char)va_arg(arguments, int);
            put_field(sink, &how, "", 0, &character, 1);
            break;
        }
        case 's': {
            const char *text = va_arg(arguments, const char *);
            if (text == NULL)
                text = "(null)";
            put_field(sink, &how, "", 0, text,
                      how.precision < 0 ? strlen(text) : strnlen(text, (size_t)how.precision));
            break;
        }
        case 'p':
            put_pointer(sink, &how, (uintptr_t)va_arg(arguments, void *));
            break;
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G':
            put_double(sink, &how, va_arg(arguments, double));
            break;
        case 'n':
            *va_arg(arguments, int *) = (int)sink->written;
            break;
        case '%':
            put(sink, "%", 1);
            break;
        case '\0':
            return (int)sink->written;
        default: /* unknown: shown as it stands */
            put(sink, "%", 1);
            put(sink, &how.conversion, 1);
            break;
        }
    }
}
