/* memcpy and its family. Granules that both sides hold aligned move as capabilities, so tags survive. */
#include <stdint.h>
#include <string.h>

#define GRANULE sizeof(void *)
#define MISALIGNMENT(pointer) ((size_t)(pointer) & (GRANULE - 1))

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    if (MISALIGNMENT(out) == MISALIGNMENT(in)) {
        while (count != 0 && MISALIGNMENT(out) != 0) {
            *out++ = *in++;
            count--;
        }
        while (count >= 4 * GRANULE) {
            void *const *granule_in = (void *const *)in;
            void **granule_out = (void **)out;
            void *a = granule_in[0];
            void *b = granule_in[1];
            void *c = granule_in[2];
            void *d = granule_in[3];
            granule_out[0] = a;
            granule_out[1] = b;
            granule_out[2] = c;
            granule_out[3] = d;
            in += 4 * GRANULE;
            out += 4 * GRANULE;
            count -= 4 * GRANULE;
        }
        while (count >= GRANULE) {
            *(void **)out = *(void *const *)in;
            in += GRANULE;
            out += GRANULE;
            count -= GRANULE;
        }
    } else {
        while (count >= 8) {
            uint64_t word;
            word = *(const uint64_t *)in;
            *(uint64_t *)out = word;
            in += 8;
            out += 8;
            count -= 8;
        }
    }
    while (count != 0) {
        *out++ = *in++;
        count--;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    if ((size_t)out - (size_t)in >= count)
        return memcpy(to, from, count);
    out += count;
    in += count;
    if (MISALIGNMENT(out) == MISALIGNMENT(in)) {
        while (count != 0 && MISALIGNMENT(out) != 0) {
            *--out = *--in;
            count--;
        }
        while (count >= GRANULE) {
            in -= GRANULE;
            out -= GRANULE;
            count -= GRANULE;
            *(void **)out = *(void *const *)in;
        }
    }
    while (count != 0) {
        *--out = *--in;
        count--;
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    unsigned char *out = to;
    uint64_t pattern = (uint64_t)(unsigned char)value * 0x0101010101010101u;

    while (count != 0 && ((size_t)out & 7) != 0) {
        *out++ = (unsigned char)value;
        count--;
    }
    while (count >= 32) {
        uint64_t *words = (uint64_t *)out;
        words[0] = pattern;
        words[1] = pattern;
        words[2] = pattern;
        words[3] = pattern;
        out += 32;
        count -= 32;
    }
    while (count >= 8) {
        *(uint64_t *)out = pattern;
        out += 8;
        count -= 8;
    }
    while (count != 0) {
        *out++ = (unsigned char)value;
        count--;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t count)
{
    const unsigned char *left = a;
    const unsigned char *right = b;

    while (count >= 8 && *(const uint64_t *)left == *(const uint64_t *)right) {
        left += 8;
        right += 8;
        count -= 8;
    }
    for (; count != 0; count--, left++, right++)
        if (*left != *right)
            return *left - *right;
    return 0;
}

void *memchr(const void *where, int value, size_t count)
{
    const unsigned char *at = where;

    for (; count != 0; count--, at++)
        if (*at == (unsigned char)value)
            return (void *)at;
    return NULL;
}

void *memrchr(const void *where, int value, size_t count)
{
    const unsigned char *at = (const unsigned char *)where + count;

    while (count-- != 0)
        if (*--at == (unsigned char)value)
            return (void *)at;
    return NULL;
}

void *memmem(const void *where, size_t where_length, const void *what, size_t what_length)
{
    const unsigned char *at = where;

    for (; where_length >= what_length; where_length--, at++)
        if (memcmp(at, what, what_length) == 0)
            return (void *)at;
    return NULL;
}
