#ifndef _POLL_H
#define _POLL_H
#include <signal.h>
#include <time.h>
#define POLLIN 1
#define POLLPRI 2
#define POLLOUT 4
#define POLLERR 8
#define POLLHUP 16
#define POLLNVAL 32
typedef unsigned long nfds_t;
struct pollfd {
    int fd;
    short events;
    short revents;
};
int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
int poll(struct pollfd *fds, nfds_t count, int timeout_ms);
#endif
