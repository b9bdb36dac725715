/*
 * Public interface of the WebAssembly runtime. Function, type and constant names are those of WAMR's wasm_export.h, so
 * that embedders written for it find what they know; only what is declared here is offered.
 *
 * Differences: `RuntimeInitArgs` carries the host services (see host_services.h), and the buffer given to
 * wasm_runtime_load() must stay unchanged until wasm_runtime_unload(): data segments are read from it.
 */
#ifndef WASM_EXPORT_H
#define WASM_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host_services.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wasm_module *wasm_module_t;
typedef struct wasm_instance *wasm_module_inst_t;
typedef struct wasm_function *wasm_function_inst_t;
typedef struct wasm_exec_env *wasm_exec_env_t;

/* A native function offered to modules. `signature` letters: i I f F numbers, '*' pointer, '~' length of the preceding
 * pointer, '$' NUL-terminated string, 'r' externref; e.g. "(*~i)i". */
typedef struct NativeSymbol {
    const char *symbol;
    void *func_ptr;
    const char *signature;
    void *attachment;
} NativeSymbol;

typedef struct RuntimeInitArgs {
    const struct host_services *host_services; /* required; copied */
    const char *native_module_name;            /* optional natives registered at once */
    NativeSymbol *native_symbols;
    uint32_t n_native_symbols;
} RuntimeInitArgs;

typedef uint8_t wasm_valkind_t;
enum { WASM_I32 = 0, WASM_I64 = 1, WASM_F32 = 2, WASM_F64 = 3, WASM_ANYREF = 128, WASM_FUNCREF = 129 };

typedef struct wasm_val_t {
    wasm_valkind_t kind;
    union {
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
        void *foreign;    /* WASM_ANYREF: the host's pointer, NULL is the null reference */
        uint32_t funcref; /* WASM_FUNCREF: function index, UINT32_MAX is the null reference */
    } of;
} wasm_val_t;

/* Log levels of bh_log_set_verbose_level(); messages above the level are dropped. */
typedef enum log_level_t { WASM_LOG_LEVEL_FATAL, WASM_LOG_LEVEL_ERROR, WASM_LOG_LEVEL_WARNING, WASM_LOG_LEVEL_DEBUG,
                           WASM_LOG_LEVEL_VERBOSE } log_level_t;

bool wasm_runtime_full_init(RuntimeInitArgs *init_args);
void wasm_runtime_destroy(void);
void wasm_runtime_get_version(uint32_t *major, uint32_t *minor, uint32_t *patch);
void bh_log_set_verbose_level(uint32_t level);

/* NULL on failure, with the reason in error_buf ("WASM module load failed: ..."). */
wasm_module_t wasm_runtime_load(uint8_t *buf, uint32_t size, char *error_buf, uint32_t error_buf_size);
void wasm_runtime_unload(wasm_module_t module);

/* The strings and arrays must live as long as the module. `map_dir_list` entries read "GUEST::HOST". */
void wasm_runtime_set_wasi_args(wasm_module_t module, const char *dir_list[], uint32_t dir_count,
                                const char *map_dir_list[], uint32_t map_dir_count, const char *env[],
                                uint32_t env_count, char *argv[], int argc);
/* Sockets are not offered to modules; the lists are accepted and kept out of reach. */
void wasm_runtime_set_wasi_addr_pool(wasm_module_t module, const char *addr_pool[], uint32_t addr_pool_size);
void wasm_runtime_set_wasi_ns_lookup_pool(wasm_module_t module, const char *ns_lookup_pool[], uint32_t pool_size);

/* stack_size: bytes of operand stack; heap_size: bytes of app heap inside linear memory. */
wasm_module_inst_t wasm_runtime_instantiate(wasm_module_t module, uint32_t stack_size, uint32_t heap_size,
                                            char *error_buf, uint32_t error_buf_size);
void wasm_runtime_deinstantiate(wasm_module_inst_t module_inst);

bool wasm_runtime_is_wasi_mode(wasm_module_inst_t module_inst);
uint32_t wasm_runtime_get_wasi_exit_code(wasm_module_inst_t module_inst);
const char *wasm_runtime_get_exception(wasm_module_inst_t module_inst); /* "Exception: ..." or NULL */
void wasm_runtime_set_exception(wasm_module_inst_t module_inst, const char *exception);
void wasm_runtime_clear_exception(wasm_module_inst_t module_inst);

/* Signature is ignored (may be NULL), as in WAMR. */
wasm_function_inst_t wasm_runtime_lookup_function(wasm_module_inst_t module_inst, const char *name,
                                                  const char *signature);
wasm_function_inst_t wasm_runtime_lookup_wasi_start_function(wasm_module_inst_t module_inst);
uint32_t wasm_func_get_param_count(wasm_function_inst_t function, wasm_module_inst_t module_inst);
uint32_t wasm_func_get_result_count(wasm_function_inst_t function, wasm_module_inst_t module_inst);
void wasm_func_get_param_types(wasm_function_inst_t function, wasm_module_inst_t module_inst, wasm_valkind_t *types);
void wasm_func_get_result_types(wasm_function_inst_t function, wasm_module_inst_t module_inst, wasm_valkind_t *types);

/* One execution environment belongs to an instance; create returns it, destroy only forgets it. */
wasm_exec_env_t wasm_runtime_create_exec_env(wasm_module_inst_t module_inst, uint32_t stack_size);
void wasm_runtime_destroy_exec_env(wasm_exec_env_t exec_env);
wasm_module_inst_t wasm_runtime_get_module_inst(wasm_exec_env_t exec_env);
void *wasm_runtime_get_function_attachment(wasm_exec_env_t exec_env);

/* Cells of 32 bits: i32, f32 and funcref 1; i64 and f64 2; externref 2, on purecap 8 with the pointer in the first
 * 16-byte aligned slot of them. Results replace the arguments. */
bool wasm_runtime_call_wasm(wasm_exec_env_t exec_env, wasm_function_inst_t function, uint32_t argc, uint32_t argv[]);
bool wasm_runtime_call_wasm_a(wasm_exec_env_t exec_env, wasm_function_inst_t function, uint32_t num_results,
                              wasm_val_t results[], uint32_t num_args, wasm_val_t args[]);

/* Tables must stay alive until unregistered. _raw natives are void f(wasm_exec_env_t, uint64_t *args): arguments and
 * the result live in 64-bit slots, an i32 in the low half. */
bool wasm_runtime_register_natives(const char *module_name, NativeSymbol *native_symbols, uint32_t n_native_symbols);
bool wasm_runtime_register_natives_raw(const char *module_name, NativeSymbol *native_symbols,
                                       uint32_t n_native_symbols);
bool wasm_runtime_unregister_natives(const char *module_name, NativeSymbol *native_symbols);

/* Application heap and addresses of linear memory. */
uint32_t wasm_runtime_module_malloc(wasm_module_inst_t module_inst, uint32_t size, void **p_native_addr);
void wasm_runtime_module_free(wasm_module_inst_t module_inst, uint32_t ptr);
uint32_t wasm_runtime_module_dup_data(wasm_module_inst_t module_inst, const char *src, uint32_t size);
bool wasm_runtime_validate_app_addr(wasm_module_inst_t module_inst, uint32_t app_offset, uint32_t size);
bool wasm_runtime_validate_app_str_addr(wasm_module_inst_t module_inst, uint32_t app_str_offset);
bool wasm_runtime_validate_native_addr(wasm_module_inst_t module_inst, void *native_ptr, uint32_t size);
void *wasm_runtime_addr_app_to_native(wasm_module_inst_t module_inst, uint32_t app_offset);
uint32_t wasm_runtime_addr_native_to_app(wasm_module_inst_t module_inst, void *native_ptr);

/* Run `_start`, or `main` and its aliases with argv in the app heap. False when there is none or it trapped. */
bool wasm_application_execute_main(wasm_module_inst_t module_inst, int32_t argc, char *argv[]);
/* Run an exported function with textual arguments and print its results. */
bool wasm_application_execute_func(wasm_module_inst_t module_inst, const char *name, int32_t argc, char *argv[]);

#ifdef __cplusplus
}
#endif

#endif
