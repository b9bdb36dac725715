/* Cursor over wasm bytes: LEB128 and UTF-8. Owns the "malformed number" and "out of bytes" checks. */
#include "runtime.h"

void reader_fail(struct reader *r, const char *error)
{
    if (!r->error)
        r->error = error;
    r->p = r->end;
}

const uint8_t *read_bytes(struct reader *r, uint32_t length)
{
    const uint8_t *p = r->p;
    if ((size_t)(r->end - p) < length) {
        reader_fail(r, "unexpected end");
        return NULL;
    }
    r->p += length;
    return p;
}

/* LEB128 of `bits` bits; the unused bits of the last byte must be zero, or copies of the sign. */
static uint64_t read_leb(struct reader *r, unsigned bits, bool is_signed)
{
    uint64_t result = 0;
    unsigned shift = 0;
    for (;;) {
        uint8_t byte = read_u8(r);
        if (r->error)
            return 0;
        result |= (uint64_t)(byte & 0x7f) << shift;
        unsigned used = bits - shift; /* bits of this byte which count */
        if (used < 7) {
            if (byte & 0x80) {
                reader_fail(r, "integer representation too long");
                return 0;
            }
            uint8_t mask = (uint8_t)(0x7f & (0x7f << (is_signed ? used - 1 : used)));
            uint8_t rest = byte & mask;
            if (rest != 0 && !(is_signed && rest == mask)) {
                reader_fail(r, "integer too large");
                return 0;
            }
        }
        shift += 7;
        if (!(byte & 0x80)) {
            if (is_signed && shift < 64 && (byte & 0x40))
                result |= ~(uint64_t)0 << shift;
            return result;
        }
    }
}

uint32_t read_leb_u32_slow(struct reader *r)
{
    return (uint32_t)read_leb(r, 32, false);
}

int32_t read_leb_i32_slow(struct reader *r)
{
    return (int32_t)(uint32_t)read_leb(r, 32, true);
}

int64_t read_leb_i64(struct reader *r)
{
    return (int64_t)read_leb(r, 64, true);
}

int64_t read_leb_i33(struct reader *r)
{
    return (int64_t)read_leb(r, 33, true);
}

/* Length of the UTF-8 sequence at p with `left` bytes remaining; 0 when malformed. */
static uint32_t utf8_sequence(const uint8_t *p, uint32_t left)
{
    uint32_t length = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                    : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
    if (length > left)
        return 0;
    for (uint32_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if (length >= 3) { /* overlong forms, surrogates, past U+10FFFF */
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90)
            || (p[0] == 0xf4 && p[1] > 0x8f))
            return 0;
    }
    return length;
}

bool utf8_valid(const uint8_t *p, uint32_t length)
{
    for (uint32_t i = 0; i < length;) {
        uint32_t step = utf8_sequence(p + i, length - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}
