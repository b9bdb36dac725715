#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv)
{
    if (argc < 2) { fprintf(stderr, "usage: %s DIR\n", argv[0]); return 2; }
    char path[256];
    printf("argc %d env %s\n", argc, getenv("GREETING"));
    snprintf(path, sizeof path, "%s/sub", argv[1]);
    if (mkdir(path, 0777)) perror("mkdir");
    snprintf(path, sizeof path, "%s/sub/data.txt", argv[1]);
    FILE *f = fopen(path, "w+");
    int lines = argc > 2 ? atoi(argv[2]) : 1000;
    for (int i = 0; i < lines; i++) fprintf(f, "line %d %f\n", i, i / 7.0);
    fseek(f, 0, SEEK_SET);
    char line[100]; int n = 0; double sum = 0;
    while (fgets(line, sizeof line, f)) { int k; double d; if (sscanf(line, "line %d %lf", &k, &d) == 2) { n++; sum += d; } }
    printf("%d lines, sum %.3f, size %ld\n", n, sum, ftell(f));
    fclose(f);
    struct stat st;
    if (stat(path, &st)) perror("stat");
    printf("regular %d size %lld\n", S_ISREG(st.st_mode), (long long)st.st_size);
    char other[256];
    snprintf(other, sizeof other, "%s/sub/renamed", argv[1]);
    if (rename(path, other)) perror("rename");
    if (truncate(other, 10)) perror("truncate");
    symlink("renamed", (snprintf(path, sizeof path, "%s/sub/link", argv[1]), path));
    ssize_t len = readlink(path, line, sizeof line); printf("link -> %.*s\n", (int)len, line);
    snprintf(path, sizeof path, "%s/sub", argv[1]);
    DIR *d = opendir(path); struct dirent *e; char *names[20]; int count = 0;
    while ((e = readdir(d))) names[count++] = strdup(e->d_name);
    closedir(d);
    qsort(names, count, sizeof *names, by_name);
    for (int i = 0; i < count; i++) printf("entry %s\n", names[i]);
    int fd = open("/etc/passwd", O_RDONLY); printf("outside %d %s\n", fd, strerror(errno));
    snprintf(path, sizeof path, "%s/../outside", argv[1]);
    fd = open(path, O_RDONLY); printf("above %d %s\n", fd, strerror(errno));
    snprintf(path, sizeof path, "%s/sub/link", argv[1]); printf("unlink %d\n", unlink(path));
    printf("unlink %d\n", unlink(other));
    snprintf(path, sizeof path, "%s/sub", argv[1]); printf("rmdir %d\n", rmdir(path));
    size_t size = (size_t)lines * 3000;
    char *big = malloc(size); memset(big, 'x', size); printf("big %c\n", big[size - 1]); free(big);
    struct timespec ts = { 0, 2000000 }; nanosleep(&ts, 0);
    return 9;
}
