/* Builds the compartment and calls into it.
 *
 * What the compartment is given, all of it: its library (every slot without Executive), a 1 MiB stack, a thread
 * block, per call a sealed argument block, the two gates, and a sealer that can only seal its own object type.
 */
#include "compartment.h"

#include <cheriintrin.h>
#include <dlfcn.h>
#include <morello/loader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "fault.h"
#include "log.h"

#define DATA_PERMISSIONS                                                                           \
    (CHERI_PERM_LOAD | CHERI_PERM_STORE | CHERI_PERM_LOAD_CAP | CHERI_PERM_STORE_CAP |             \
     CHERI_PERM_STORE_LOCAL_CAP | CHERI_PERM_MUTABLE_LOAD | CHERI_PERM_GLOBAL)
#define THREAD_BLOCK_BYTES 64
#define GUARD_BYTES 4096

static void dump(void *library, int which, const char *heading)
{
    char buffer[2048];
    size_t offset = 0;
    long length;

    while ((length = morello_loader_text(library, which, buffer, sizeof buffer, offset)) > 0) {
        log_text(LOG_VERBOSE, offset == 0 ? heading : NULL, buffer, (size_t)length);
        offset += (size_t)length;
    }
}

/* A stack with an inaccessible page below it; the capability cannot reach that page. */
static void *make_stack(void)
{
    char *mapping = mmap(NULL, GUARD_BYTES + COMPARTMENT_STACK_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    char *stack;

    if (mapping == MAP_FAILED)
        return NULL;
    mprotect(mapping, GUARD_BYTES, PROT_NONE);
    stack = cheri_bounds_set(mapping + GUARD_BYTES, COMPARTMENT_STACK_BYTES);
    stack = cheri_perms_and(stack, DATA_PERMISSIONS);
    return stack + COMPARTMENT_STACK_BYTES;
}

static bool make_sealers(struct compartment *compartment)
{
    uintptr_t root = getauxptr(AT_CHERI_SEAL_CAP);

    if (!cheri_tag_get(root))
        return false;
    root = cheri_bounds_set(cheri_address_set(root, COMPARTMENT_SEAL_TYPE), 1);
    compartment->sealer =
        (void *)cheri_perms_and(root, CHERI_PERM_SEAL | CHERI_PERM_UNSEAL | CHERI_PERM_GLOBAL);
    compartment->seal_only = (void *)cheri_perms_and(root, CHERI_PERM_SEAL | CHERI_PERM_GLOBAL);
    return true;
}

bool compartment_open(struct compartment *compartment, const char *path, bool with_dump, char *error,
                      size_t error_size)
{
    long patched;

    memset(compartment, 0, sizeof *compartment);
    compartment->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (compartment->library == NULL) {
        snprintf(error, error_size, "%s", dlerror());
        return false;
    }
    if (with_dump) {
        dump(compartment->library, LOADER_TEXT_HEADERS, "Dump libs phdrs:");
        dump(compartment->library, LOADER_TEXT_TABLES, "Dump reloc tables:");
    }
    patched = morello_loader_restrict(compartment->library);
    if (patched < 0) {
        snprintf(error, error_size, "%s cannot be made a compartment", path);
        return false;
    }
    if (log_get_level() >= LOG_VERBOSE)
        dump(compartment->library, LOADER_TEXT_PATCHES, "Relocation patches:");
    log_line(LOG_DEBUG, "%s: %ld slots are Restricted now", path, patched);

    compartment->entry = dlsym(compartment->library, "CompartmentEntryPoint");
    if (compartment->entry == NULL) {
        snprintf(error, error_size, "%s has no CompartmentEntryPoint", path);
        return false;
    }
    compartment->return_gate = (void *)CompartmentSwitchReturn;
    compartment->service_gate = (void *)CompartmentServiceEntry;
    compartment->registers.rcsp = make_stack();
    compartment->registers.rddc = NULL;
    compartment->registers.rctpidr = calloc(1, THREAD_BLOCK_BYTES);
    if (compartment->registers.rcsp == NULL || compartment->registers.rctpidr == NULL) {
        snprintf(error, error_size, "no memory for the compartment's stack");
        return false;
    }
    if (!make_sealers(compartment)) {
        snprintf(error, error_size, "the system gave no sealing capability (AT_CHERI_SEAL_CAP)");
        return false;
    }
    log_line(LOG_VERBOSE, "compartment stack %#p", compartment->registers.rcsp);
    log_line(LOG_VERBOSE, "compartment entry %#p", compartment->entry);
    return true;
}

bool compartment_call(struct compartment *compartment, const char *name, const uintptr_t *arguments,
                      size_t count, uintptr_t *result)
{
    struct compartment_call_block *block;
    void *target;
    jmp_buf recovery;
    void *sealed;

    if (compartment->is_dead)
        return false;
    target = dlsym(compartment->library, name);
    if (target == NULL) {
        log_line(LOG_ERROR, "the library has no function %s", name);
        return false;
    }
    block = calloc(1, sizeof *block);
    if (block == NULL)
        return false;
    block->target = target;
    block->return_gate = compartment->return_gate;
    memcpy(block->arguments, arguments, count * sizeof arguments[0]);
    sealed = cheri_seal(block, compartment->sealer);
    log_line(LOG_VERBOSE, "call %s %#p", name, target);

    compartment->calls++;
    if (setjmp(recovery) != 0) {
        CompartmentClearBank();
        fault_guard_watch(NULL, NULL);
        return false;
    }
    fault_guard_watch(compartment, &recovery);
    compartment->is_inside = true;
    *result = CompartmentSwitchEntry(&compartment->registers, compartment->entry, sealed, compartment->sealer);
    compartment->is_inside = false;
    fault_guard_watch(NULL, NULL);
    free(block);
    return true;
}
