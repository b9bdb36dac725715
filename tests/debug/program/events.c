/* A signal with a handler, a child, a read into a watched buffer, and another program in place of this one. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int seen;
char received[8];

static void handler(int number)
{
    seen += number;
}

static void child_work(void)
{
    seen = 1;
    _exit(5);
}

int main(int argc, char **argv)
{
    int status = 0;
    int ends[2];
    signal(SIGUSR1, handler);
    kill(getpid(), SIGUSR1);
    if (fork() == 0)
        child_work();
    waitpid(-1, &status, 0);
    pipe(ends);
    write(ends[1], "abcd", 4);
    read(ends[0], received, 4);
    if (argc > 1) {
        char *arguments[2] = {argv[1], 0};
        execve(argv[1], arguments, 0);
    }
    return (status >> 8) + seen;
}
