#include "fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct compartment *watched;
static jmp_buf *recovery_point;

static void on_fault(int number, siginfo_t *info, void *context)
{
    const ucontext_t *interrupted = context;

    if (watched == NULL || !watched->is_inside) {
        /* The manager's own fault: let it happen again with the default action. */
        signal(number, SIG_DFL);
        return;
    }
    watched->is_inside = false;
    watched->is_dead = true;
    watched->fault.signal = number;
    watched->fault.code = info->si_code;
    watched->fault.address = (size_t)info->si_addr;
    watched->fault.pc = interrupted->uc_mcontext.pc;
    longjmp(*recovery_point, 1);
}

bool fault_guard_install(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    struct sigaction action;
    stack_t stack;
    size_t i;

    stack.ss_sp = malloc(2 * SIGSTKSZ);
    stack.ss_size = 2 * SIGSTKSZ;
    stack.ss_flags = 0;
    if (stack.ss_sp == NULL || sigaltstack(&stack, NULL) != 0)
        return false;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            return false;
    return true;
}

void fault_guard_watch(struct compartment *compartment, jmp_buf *recovery)
{
    watched = compartment;
    recovery_point = recovery;
}

struct code_name {
    int signal;
    int code;
    const char *name;
};

const char *fault_name(const struct compartment_fault *fault)
{
    static const struct code_name names[] = {
        {SIGSEGV, SEGV_CAPTAGERR, "capability tag fault (SIGSEGV, SEGV_CAPTAGERR)"},
        {SIGSEGV, SEGV_CAPSEALEDERR, "capability sealed fault (SIGSEGV, SEGV_CAPSEALEDERR)"},
        {SIGSEGV, SEGV_CAPBOUNDSERR, "capability bounds fault (SIGSEGV, SEGV_CAPBOUNDSERR)"},
        {SIGSEGV, SEGV_CAPPERMERR, "capability permission fault (SIGSEGV, SEGV_CAPPERMERR)"},
        {SIGSEGV, SEGV_CAPACCESSERR, "capability access to a page that allows none (SIGSEGV, SEGV_CAPACCESSERR)"},
        {SIGSEGV, SEGV_MAPERR, "access to unmapped memory (SIGSEGV, SEGV_MAPERR)"},
        {SIGSEGV, SEGV_ACCERR, "access that the mapping forbids (SIGSEGV, SEGV_ACCERR)"},
    };
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].signal == fault->signal && names[i].code == fault->code)
            return names[i].name;
    return strsignal(fault->signal);
}
