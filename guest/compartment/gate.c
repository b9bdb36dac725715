/* Starts the runtime inside the compartment, its host services bound to the manager's service gate. */
#include <cheriintrin.h>
#include <stdbool.h>
#include <stdlib.h>

#include "wasm_export.h"

void CompartmentServiceGate(void *service_gate, void *sealed_request);

#ifdef COMPARTMENT_NATIVES
/* Native functions that are linked into the library, for modules to import from "env". */
extern NativeSymbol compartment_natives[];
extern const uint32_t compartment_native_count;
#endif

static void *service_gate;
static void *sealer;
static struct host_gate_binding binding;

static void ask_manager(void *context, struct host_call *call)
{
    (void)context;
    CompartmentServiceGate(service_gate, cheri_seal(call, sealer));
}

bool compartment_start_runtime(void *manager_service_gate, void *manager_sealer)
{
    struct host_services services;
    RuntimeInitArgs arguments = {0};

    service_gate = manager_service_gate;
    sealer = manager_sealer;
    binding.gate = ask_manager;
    host_gate_init(&services, &binding);
    arguments.host_services = &services;
#ifdef COMPARTMENT_NATIVES
    arguments.native_module_name = "env";
    arguments.native_symbols = compartment_natives;
    arguments.n_native_symbols = compartment_native_count;
#endif
    return wasm_runtime_full_init(&arguments);
}

/* The library's C code may ask for errno; the compartment has no thread-local block of its own to keep it in. */
int *__errno_location(void)
{
    static int compartment_errno;

    return &compartment_errno;
}
