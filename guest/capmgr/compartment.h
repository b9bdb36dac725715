/* The one compartment: a library loaded Restricted, its stack, and the gates on its border. */
#ifndef CAPMGR_COMPARTMENT_H
#define CAPMGR_COMPARTMENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMPARTMENT_STACK_BYTES (1024u * 1024u)
/* Object type that seals this compartment's argument and request blocks. */
#define COMPARTMENT_SEAL_TYPE 0x1234u
#define COMPARTMENT_MAX_ARGUMENTS 9

/* What the switch loads into the Restricted bank. switch.S knows the offsets. */
struct compartment_registers {
    void *rcsp;    /* 0 */
    void *rddc;    /* 16: always NULL */
    void *rctpidr; /* 32 */
};

/* The sealed argument block of a call; guest/compartment/entry.S knows the offsets. */
struct compartment_call_block {
    void *target;                                    /* 0: Restricted sentry of the function to call */
    void *return_gate;                               /* 16: Executive sentry that ends the call */
    uintptr_t arguments[COMPARTMENT_MAX_ARGUMENTS];  /* 32 */
};

/* Why a call ended. */
struct compartment_fault {
    int signal;
    int code;
    size_t address;
    size_t pc;
};

struct compartment {
    void *library; /* dlopen handle */
    struct compartment_registers registers;
    void *entry;        /* Restricted sentry of CompartmentEntryPoint */
    void *return_gate;  /* Executive sentry */
    void *service_gate; /* Executive sentry */
    void *sealer;       /* Seal and Unseal for COMPARTMENT_SEAL_TYPE; stays in the manager */
    void *seal_only;    /* what the compartment gets of it */
    unsigned long calls;
    unsigned long services;
    bool is_inside; /* the compartment's code runs: a fault is its own */
    bool is_dead;   /* it faulted: no further calls */
    struct compartment_fault fault;
};

/* Loads, restricts and prepares `path`. False: `error` (of error_size bytes) says why. */
bool compartment_open(struct compartment *compartment, const char *path, bool dump, char *error,
                      size_t error_size);

/* Calls the library's function `name`. False when there is no such function or the compartment faulted. */
bool compartment_call(struct compartment *compartment, const char *name, const uintptr_t *arguments,
                      size_t count, uintptr_t *result);

/* The crossing itself (switch.S). */
uintptr_t CompartmentSwitchEntry(const struct compartment_registers *registers, void *entry, void *sealed_block,
                                 void *sealer);
void CompartmentSwitchReturn(void);
void CompartmentServiceEntry(void);
void CompartmentClearBank(void);

/* Called by switch.S for each request that the compartment makes (services.c). */
void CompartmentService(void *sealed_request);

#endif
