#ifndef _STDATOMIC_H
#define _STDATOMIC_H
#include <stddef.h>
#include <stdint.h>

typedef enum {
    memory_order_relaxed = __ATOMIC_RELAXED,
    memory_order_consume = __ATOMIC_CONSUME,
    memory_order_acquire = __ATOMIC_ACQUIRE,
    memory_order_release = __ATOMIC_RELEASE,
    memory_order_acq_rel = __ATOMIC_ACQ_REL,
    memory_order_seq_cst = __ATOMIC_SEQ_CST
} memory_order;

typedef _Atomic(_Bool) atomic_bool;
typedef _Atomic(char) atomic_char;
typedef _Atomic(signed char) atomic_schar;
typedef _Atomic(unsigned char) atomic_uchar;
typedef _Atomic(short) atomic_short;
typedef _Atomic(unsigned short) atomic_ushort;
typedef _Atomic(int) atomic_int;
typedef _Atomic(unsigned int) atomic_uint;
typedef _Atomic(long) atomic_long;
typedef _Atomic(unsigned long) atomic_ulong;
typedef _Atomic(long long) atomic_llong;
typedef _Atomic(unsigned long long) atomic_ullong;
typedef _Atomic(int32_t) atomic_int_least32_t;
typedef _Atomic(uint32_t) atomic_uint_least32_t;
typedef _Atomic(int64_t) atomic_int_least64_t;
typedef _Atomic(uint64_t) atomic_uint_least64_t;
typedef _Atomic(intptr_t) atomic_intptr_t;
typedef _Atomic(uintptr_t) atomic_uintptr_t;
typedef _Atomic(size_t) atomic_size_t;
typedef _Atomic(ptrdiff_t) atomic_ptrdiff_t;
typedef _Atomic(intmax_t) atomic_intmax_t;
typedef _Atomic(uintmax_t) atomic_uintmax_t;
typedef struct {
    unsigned char _value;
} atomic_flag;

#define ATOMIC_FLAG_INIT { 0 }
#define ATOMIC_VAR_INIT(value) (value)
#define ATOMIC_BOOL_LOCK_FREE 2
#define ATOMIC_CHAR_LOCK_FREE 2
#define ATOMIC_SHORT_LOCK_FREE 2
#define ATOMIC_INT_LOCK_FREE 2
#define ATOMIC_LONG_LOCK_FREE 2
#define ATOMIC_LLONG_LOCK_FREE 2
#define ATOMIC_POINTER_LOCK_FREE 2
#define kill_dependency(y) (y)

#define atomic_init(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define atomic_thread_fence(o) __atomic_thread_fence(o)
#define atomic_signal_fence(o) __atomic_signal_fence(o)
#define atomic_is_lock_free(p) ((void)(p), 1)
#define atomic_store_explicit(p, v, o) __atomic_store_n((p), (v), (o))
#define atomic_load_explicit(p, o) __atomic_load_n((p), (o))
#define atomic_exchange_explicit(p, v, o) __atomic_exchange_n((p), (v), (o))
#define atomic_compare_exchange_strong_explicit(p, e, v, s, f) \
    __atomic_compare_exchange_n((p), (e), (v), 0, (s), (f))
#define atomic_compare_exchange_weak_explicit(p, e, v, s, f) \
    __atomic_compare_exchange_n((p), (e), (v), 1, (s), (f))
#define atomic_fetch_add_explicit(p, v, o) __atomic_fetch_add((p), (v), (o))
#define atomic_fetch_sub_explicit(p, v, o) __atomic_fetch_sub((p), (v), (o))
#define atomic_fetch_and_explicit(p, v, o) __atomic_fetch_and((p), (v), (o))
#define atomic_fetch_or_explicit(p, v, o) __atomic_fetch_or((p), (v), (o))
#define atomic_fetch_xor_explicit(p, v, o) __atomic_fetch_xor((p), (v), (o))
#define atomic_store(p, v) atomic_store_explicit((p), (v), memory_order_seq_cst)
#define atomic_load(p) atomic_load_explicit((p), memory_order_seq_cst)
#define atomic_exchange(p, v) atomic_exchange_explicit((p), (v), memory_order_seq_cst)
#define atomic_compare_exchange_strong(p, e, v) \
    atomic_compare_exchange_strong_explicit((p), (e), (v), memory_order_seq_cst, memory_order_seq_cst)
#define atomic_compare_exchange_weak(p, e, v) \
    atomic_compare_exchange_weak_explicit((p), (e), (v), memory_order_seq_cst, memory_order_seq_cst)
#define atomic_fetch_add(p, v) atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define atomic_fetch_sub(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst)
#define atomic_fetch_and(p, v) atomic_fetch_and_explicit((p), (v), memory_order_seq_cst)
#define atomic_fetch_or(p, v) atomic_fetch_or_explicit((p), (v), memory_order_seq_cst)
#define atomic_fetch_xor(p, v) atomic_fetch_xor_explicit((p), (v), memory_order_seq_cst)
#define atomic_flag_test_and_set(p) __atomic_test_and_set(&(p)->_value, memory_order_seq_cst)
#define atomic_flag_test_and_set_explicit(p, o) __atomic_test_and_set(&(p)->_value, (o))
#define atomic_flag_clear(p) __atomic_clear(&(p)->_value, memory_order_seq_cst)
#define atomic_flag_clear_explicit(p, o) __atomic_clear(&(p)->_value, (o))
#endif
