/* The services that the manager offers to the compartment: memory, and the system calls behind WASI. */
#ifndef CAPMGR_SERVICES_H
#define CAPMGR_SERVICES_H
#include "compartment.h"

/* From now on `compartment` may ask for services; `dirs` are the host directories that it may open by name. */
void services_bind(struct compartment *compartment, const char *const *dirs, size_t dir_count);

#endif
