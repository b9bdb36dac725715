/* What differs between compilers and targets: unaligned access, labels as values, capability bounds. */
#ifndef WASM_PLATFORM_H
#define WASM_PLATFORM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __CHERI_PURE_CAPABILITY__
#include <cheriintrin.h>
/* A pointer that reaches only the given object. */
#define bounded(pointer, size) cheri_bounds_set((pointer), (size))
#define same_tag(a, b) (cheri_tag_get(a) == cheri_tag_get(b))
#define EXTERNREF_CELLS 8
#else
#define bounded(pointer, size) ((void)(size), (void *)(pointer))
#define same_tag(a, b) ((void)(a), (void)(b), 1)
#define EXTERNREF_CELLS 2
#endif

/* gcc and clang, and our own compiler (__morello_cc__), know labels as values. */
#if defined(__GNUC__) && !defined(WASM_SWITCH_DISPATCH)
#define COMPUTED_GOTO 1
#else
#define COMPUTED_GOTO 0
#endif

/*
 * Little-endian accesses at any address. A compiler which folds memcpy gets memcpy; our own gets the plain access,
 * which A64 performs at any alignment.
 */
#ifdef __morello_cc__
#define DEFINE_ACCESS(name, type)                                                                                      \
    static inline type load_##name(const uint8_t *p) { return *(const type *)p; }                                     \
    static inline void store_##name(uint8_t *p, type value) { *(type *)p = value; }
#else
#define DEFINE_ACCESS(name, type)                                                                                      \
    static inline type load_##name(const uint8_t *p)                                                                   \
    {                                                                                                                  \
        type value;                                                                                                    \
        memcpy(&value, p, sizeof value);                                                                               \
        return value;                                                                                                  \
    }                                                                                                                  \
    static inline void store_##name(uint8_t *p, type value) { memcpy(p, &value, sizeof value); }
#endif
DEFINE_ACCESS(u16, uint16_t)
DEFINE_ACCESS(u32, uint32_t)
DEFINE_ACCESS(u64, uint64_t)

#endif
