#ifndef _SYS_RANDOM_H
#define _SYS_RANDOM_H
#include <sys/types.h>
#define GRND_NONBLOCK 1
ssize_t getrandom(void *buffer, size_t length, unsigned int flags);
#endif
