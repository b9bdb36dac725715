#ifndef _CHERIINTRIN_H
#define _CHERIINTRIN_H
/* The portable capability intrinsics: names, types and values of Arm's and the CHERI compilers' header. */
#include <stddef.h>

typedef long cheri_otype_t;
#define CHERI_OTYPE_UNSEALED ((cheri_otype_t)0)
#define CHERI_OTYPE_SENTRY ((cheri_otype_t)1)

#define cheri_address_get(x) __builtin_cheri_address_get(x)
#define cheri_address_set(x, y) __builtin_cheri_address_set((x), (y))
#define cheri_base_get(x) __builtin_cheri_base_get(x)
#define cheri_length_get(x) __builtin_cheri_length_get(x)
#define cheri_offset_get(x) __builtin_cheri_offset_get(x)
#define cheri_offset_set(x, y) __builtin_cheri_offset_set((x), (y))
#define cheri_tag_get(x) __builtin_cheri_tag_get(x)
#define cheri_tag_clear(x) __builtin_cheri_tag_clear(x)
#define cheri_is_valid(x) __builtin_cheri_tag_get(x)
#define cheri_is_invalid(x) (!__builtin_cheri_tag_get(x))
#define cheri_is_equal_exact(x, y) __builtin_cheri_equal_exact((x), (y))
#define cheri_is_subset(x, y) __builtin_cheri_subset_test((y), (x))

#define cheri_copy_from_high(x) __builtin_cheri_copy_from_high(x)

typedef size_t cheri_perms_t;
#define cheri_perms_get(x) ((cheri_perms_t)__builtin_cheri_perms_get(x))
#define cheri_perms_and(x, y) __builtin_cheri_perms_and((x), (y))
#define cheri_perms_clear(x, y) __builtin_cheri_perms_and((x), ~(size_t)(y))
#define cheri_flags_get(x) __builtin_cheri_flags_get(x)
#define cheri_flags_set(x, y) __builtin_cheri_flags_set((x), (y))

#define cheri_bounds_set(x, y) __builtin_cheri_bounds_set((x), (y))
#define cheri_bounds_set_exact(x, y) __builtin_cheri_bounds_set_exact((x), (y))
#define cheri_representable_length(x) __builtin_cheri_round_representable_length(x)
#define cheri_representable_alignment_mask(x) __builtin_cheri_representable_alignment_mask(x)

#define cheri_type_get(x) ((cheri_otype_t)__builtin_cheri_type_get(x))
#define cheri_is_sealed(x) __builtin_cheri_sealed_get(x)
#define cheri_is_unsealed(x) (!__builtin_cheri_sealed_get(x))
#define cheri_is_sentry(x) (cheri_type_get(x) == CHERI_OTYPE_SENTRY)
#define cheri_seal(x, y) __builtin_cheri_seal((x), (y))
#define cheri_unseal(x, y) __builtin_cheri_unseal((x), (y))
#define cheri_seal_conditionally(x, y) __builtin_cheri_conditional_seal((x), (y))
#define cheri_cap_build(x, y) __builtin_cheri_cap_build((x), (y))
#define cheri_type_copy(x, y) __builtin_cheri_cap_type_copy((x), (y))
#define cheri_sentry_create(x) __builtin_cheri_seal_entry(x)

#define cheri_ddc_get() __builtin_cheri_global_data_get()
#define cheri_pcc_get() __builtin_cheri_program_counter_get()
#define cheri_program_counter_get() __builtin_cheri_program_counter_get()
#define cheri_csp_get() __builtin_cheri_stack_get()
#define cheri_stack_get() __builtin_cheri_stack_get()

#define cheri_low(x) cheri_address_get(x)
#define cheri_is_aligned(x, y) ((cheri_address_get(x) & ((y) - 1)) == 0)
#define cheri_align_down(x, y) \
    cheri_address_set((x), cheri_address_get(x) & ~(size_t)((y) - 1))
#define cheri_align_up(x, y) \
    cheri_address_set((x), (cheri_address_get(x) + ((y) - 1)) & ~(size_t)((y) - 1))

#define CHERI_PERM_GLOBAL __CHERI_CAP_PERMISSION_GLOBAL__
#define CHERI_PERM_EXECUTE __CHERI_CAP_PERMISSION_PERMIT_EXECUTE__
#define CHERI_PERM_LOAD __CHERI_CAP_PERMISSION_PERMIT_LOAD__
#define CHERI_PERM_STORE __CHERI_CAP_PERMISSION_PERMIT_STORE__
#define CHERI_PERM_LOAD_CAP __CHERI_CAP_PERMISSION_PERMIT_LOAD_CAPABILITY__
#define CHERI_PERM_STORE_CAP __CHERI_CAP_PERMISSION_PERMIT_STORE_CAPABILITY__
#define CHERI_PERM_STORE_LOCAL_CAP __CHERI_CAP_PERMISSION_PERMIT_STORE_LOCAL__
#define CHERI_PERM_SEAL __CHERI_CAP_PERMISSION_PERMIT_SEAL__
#define CHERI_PERM_UNSEAL __CHERI_CAP_PERMISSION_PERMIT_UNSEAL__
#define CHERI_PERM_SYSTEM_REGS __CHERI_CAP_PERMISSION_ACCESS_SYSTEM_REGISTERS__
#define CHERI_PERM_EXECUTIVE __ARM_CAP_PERMISSION_EXECUTIVE__
#define CHERI_PERM_MUTABLE_LOAD __ARM_CAP_PERMISSION_MUTABLE_LOAD__
#define CHERI_PERM_COMPARTMENT_ID __ARM_CAP_PERMISSION_COMPARTMENT_ID__
#define CHERI_PERM_BRANCH_SEALED_PAIR __ARM_CAP_PERMISSION_BRANCH_SEALED_PAIR__
#endif
