#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

#define SIGCHLD_FLAG 17

pid_t getpid(void)
{
    return (pid_t)SYSCALL0(SYS_getpid);
}

pid_t getppid(void)
{
    return (pid_t)SYSCALL0(SYS_getppid);
}

pid_t gettid(void)
{
    return (pid_t)SYSCALL0(SYS_gettid);
}

uid_t getuid(void)
{
    return (uid_t)SYSCALL0(SYS_getuid);
}

pid_t fork(void)
{
    return (pid_t)__syscall_result((long)SYSCALL5(SYS_clone, SIGCHLD_FLAG, 0, 0, 0, 0));
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    return (int)__syscall_result((long)SYSCALL3(SYS_execve, path, argv, envp));
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    return (pid_t)__syscall_result((long)SYSCALL4(SYS_wait4, pid, status, options, NULL));
}

pid_t wait(int *status)
{
    return waitpid(-1, status, 0);
}

int sched_yield(void)
{
    return (int)__syscall_result((long)SYSCALL0(SYS_sched_yield));
}

ssize_t getrandom(void *buffer, size_t length, unsigned int flags)
{
    return __syscall_result((long)SYSCALL3(SYS_getrandom, buffer, length, flags));
}
