#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* The kernel's layout: handler 0, flags 16, restorer 32, mask 48 (64 bytes). */
struct kernel_sigaction {
    void *handler;
    unsigned long flags;
    void *restorer;
    unsigned long mask;
};

int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    struct kernel_sigaction new_action, old_action;
    long result;

    if (action != NULL) {
        memset(&new_action, 0, sizeof new_action);
        new_action.handler = (void *)action->sa_sigaction;
        new_action.flags = (unsigned int)action->sa_flags;
        new_action.mask = action->sa_mask;
    }
    result = (long)SYSCALL4(SYS_rt_sigaction, number, action != NULL ? &new_action : NULL,
                            old != NULL ? &old_action : NULL, 8);
    if (result == 0 && old != NULL) {
        old->sa_sigaction = (void (*)(int, siginfo_t *, void *))old_action.handler;
        old->sa_flags = (int)old_action.flags;
        old->sa_mask = old_action.mask;
    }
    return (int)__syscall_result(result);
}

sighandler_t signal(int number, sighandler_t handler)
{
    struct sigaction action, old;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    return sigaction(number, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    return (int)__syscall_result((long)SYSCALL4(SYS_rt_sigprocmask, how, set, old, 8));
}

int sigaltstack(const stack_t *stack, stack_t *old)
{
    return (int)__syscall_result((long)SYSCALL2(SYS_sigaltstack, stack, old));
}

int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}

int sigfillset(sigset_t *set)
{
    *set = ~(sigset_t)0;
    return 0;
}

int sigaddset(sigset_t *set, int number)
{
    *set |= (sigset_t)1 << (number - 1);
    return 0;
}

int sigdelset(sigset_t *set, int number)
{
    *set &= ~((sigset_t)1 << (number - 1));
    return 0;
}

int sigismember(const sigset_t *set, int number)
{
    return (int)(*set >> (number - 1) & 1);
}

int kill(pid_t pid, int number)
{
    return (int)__syscall_result((long)SYSCALL2(SYS_kill, pid, number));
}

int raise(int number)
{
    return (int)__syscall_result((long)SYSCALL3(SYS_tgkill, getpid(), gettid(), number));
}
