#include <signal.h>
#include <stdio.h>
#include <setjmp.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <errno.h>
static jmp_buf env; static volatile int code; static void *volatile addr;
static void handler(int s, siginfo_t *i, void *u){ code = i->si_code; addr = i->si_addr; longjmp(env, 1);}
static volatile int got;
static void usr(int s){ got++; }
int main(void){
  struct sigaction sa; memset(&sa,0,sizeof sa); sa.sa_sigaction=handler; sa.sa_flags=SA_SIGINFO|SA_NODEFER; 
  printf("sigaction %d\n", sigaction(SIGSEGV,&sa,0));
  char *p = malloc(16);
  if(!setjmp(env)) { p[16]=1; printf("no\n"); } else printf("caught %d addr-p %ld\n", code, (long)((char*)addr-p));
  sa.sa_flags=0; sa.sa_handler=usr; sigaction(SIGUSR1,&sa,0);
  raise(SIGUSR1); raise(SIGUSR1); printf("got %d\n", got);
  struct timespec t={1,5}; nanosleep(&t,0);
  clock_gettime(CLOCK_MONOTONIC,&t); printf("%ld\n",(long)t.tv_sec);
  char *m = mmap(0, 3*4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS,-1,0);
  printf("%d\n", mprotect(m+4096,4096,PROT_NONE));
  if(!setjmp(env)) { m[4096]=1; printf("no\n"); } else printf("caught %d %ld\n", code, (long)((char*)addr-m));
  errno=0; printf("%d", munmap(p,4096)); printf(" %d\n", errno);
  printf("%d %d\n", munmap(m,3*4096), write(1,"x\n",2));
  errno=0; printf("%d", (int)write(1,p,17)); printf(" %d\n", errno);
  return 5;
}
