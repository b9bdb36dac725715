#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <stdint.h>
#include <cheriintrin.h>
struct iov { void *base; size_t len; };
struct ev { uint32_t events; void *data __attribute__((aligned(16))); };
#define SC(n, a, b, c, d, e, f) syscall(n, a, b, c, d, e, f)
#define CK(x) do { if (!(x)) { printf("line %d: %s errno %d\n", __LINE__, #x, errno); return 1; } } while (0)
int main(int argc, char **argv) {
  int fds[2]; char buf[64]; struct ev e, out[4]; long r;
  /* writev */
  struct iov v[2] = {{"he", 2}, {"llo\n", 4}};
  CK(syscall(66, 1, v, 2, (void*)0, (void*)0, (void*)0) == 6);
  /* pipe and readv */
  CK(syscall(59, fds, 0, (void*)0, (void*)0, (void*)0, (void*)0) == 0);
  CK(write(fds[1], "abcdef", 6) == 6);
  char a[3], b[10]; struct iov w[2] = {{a, 3}, {b, 10}};
  CK(syscall(65, fds[0], w, 2, (void*)0, (void*)0, (void*)0) == 6 && !memcmp(a, "abc", 3) && !memcmp(b, "def", 3));
  /* epoll with capability data */
  long ep = syscall(20, 0L, (void*)0, (void*)0, (void*)0, (void*)0, (void*)0); CK(ep >= 0);
  memset(&e, 0, sizeof e); e.events = 1; e.data = buf;
  CK(syscall(21, ep, 1, (long)fds[0], &e, (void*)0, (void*)0) == 0);
  CK(syscall(22, ep, out, 4, 0, (void*)0, 8) == 0);
  CK(write(fds[1], "x", 1) == 1);
  CK(syscall(22, ep, out, 4, -1, (void*)0, 8) == 1);
  CK(out[0].events == 1 && cheri_tag_get(out[0].data) && out[0].data == buf);
  /* ppoll */
  struct { int fd; short events, revents; } p[2] = {{fds[0], 1, 0}, {fds[1], 4, 0}};
  CK(syscall(73, p, 2, (void*)0, (void*)0, 8, (void*)0) == 2 && p[0].revents == 1 && p[1].revents == 4);
  CK(syscall(73, p, 1, (void*)0, (void*)0, 8, (void*)0) == 1);
  /* eventfd */
  long ef = syscall(19, 3L, 0L, (void*)0, (void*)0, (void*)0, (void*)0); uint64_t n = 0;
  CK(read(ef, &n, 8) == 8 && n == 3);
  /* shared file mapping */
  int fd = open("/data/f", O_RDWR | O_CREAT | O_TRUNC, 0644); CK(fd >= 0);
  CK(ftruncate(fd, 8192) == 0);
  char *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); CK(m != MAP_FAILED);
  strcpy(m + 4096, "shared");
  CK(syscall(227, m, 8192L, 4L, (void*)0, (void*)0, (void*)0) == 0);
  CK(syscall(67, (long)fd, buf, 6L, 4096L, (void*)0, (void*)0) == 6 && !memcmp(buf, "shared", 6));
  /* anonymous shared memory through fork */
  int *s = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); CK(s != MAP_FAILED);
  long pid = syscall(220, 17L, (void*)0, (void*)0, (void*)0, (void*)0, (void*)0);
  if (pid == 0) { s[0] = 42; _exit(9); }
  int st = 0; CK(syscall(260, pid, &st, 0L, (void*)0, (void*)0, (void*)0) == pid && st == 9 << 8);
  CK(s[0] == 42);
  /* socketpair */
  CK(syscall(199, 1L, 1L, 0L, fds, (void*)0, (void*)0) == 0);
  CK(write(fds[0], "ping", 4) == 4 && read(fds[1], buf, 64) == 4);
  CK(close(fds[0]) == 0 && read(fds[1], buf, 64) == 0);
  /* bounds on buffers */
  char *t = cheri_bounds_set(buf, 8);
  CK(syscall(63, fds[1], t, 9L, (void*)0, (void*)0, (void*)0) == -1 && errno == EFAULT);
  CK(syscall(65, fds[1], w, 1L, (void*)0, (void*)0, (void*)0) == 0);
  w[0].len = 4; CK(syscall(65, ef, w, 1L, (void*)0, (void*)0, (void*)0) == -1);
  /* getdents */
  int d = open("/data", O_RDONLY | O_DIRECTORY); CK(d >= 0);
  char ents[512]; r = syscall(61, (long)d, ents, 512L, (void*)0, (void*)0, (void*)0); CK(r > 0);
  CK(syscall(61, (long)d, ents, 512L, (void*)0, (void*)0, (void*)0) == 0);
  puts("all good");
  return 0;
}
