/* Turns a fault inside the compartment into an error return of the call that entered it. */
#ifndef CAPMGR_FAULT_H
#define CAPMGR_FAULT_H
#include <setjmp.h>

#include "compartment.h"

/* Installs the handlers, on a stack of their own. False when the system refuses. */
bool fault_guard_install(void);

/* While `compartment` is being entered, faults of its code go to `recovery`; NULL ends that. */
void fault_guard_watch(struct compartment *compartment, jmp_buf *recovery);

/* "capability bounds fault (SIGSEGV, SEGV_CAPBOUNDSERR)" and the like. */
const char *fault_name(const struct compartment_fault *fault);
#endif
