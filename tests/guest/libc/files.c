#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : ".";
    char path[256], line[256];
    struct stat status;
    struct dirent *entry;
    int names = 0;
    FILE *file;
    DIR *directory;
    long at;

    snprintf(path, sizeof path, "%s/data.txt", dir);
    file = fopen(path, "w");
    if (file == NULL) {
        perror("fopen");
        return 1;
    }
    fprintf(file, "first line\nsecond %d\n", 2);
    fwrite("third\n", 1, 6, file);
    printf("%ld\n", ftell(file));
    fclose(file);
    file = fopen(path, "r+");
    while (fgets(line, sizeof line, file) != NULL)
        printf("> %s", line);
    printf("%d %d\n", feof(file) != 0, ferror(file) != 0);
    fseek(file, 6, SEEK_SET);
    at = ftell(file);
    printf("%ld %c\n", at, fgetc(file));
    fclose(file);
    int found = stat(path, &status);
    printf("%d %ld\n", found, (long)status.st_size);
    snprintf(line, sizeof line, "%s/sub", dir);
    printf("%d\n", mkdir(line, 0755));
    printf("%d\n", mkdir(line, 0755) < 0 && errno == EEXIST);
    directory = opendir(dir);
    while ((entry = readdir(directory)) != NULL)
        names += entry->d_name[0] != '.';
    closedir(directory);
    printf("%d\n", names);
    printf("%d %d\n", rmdir(line), unlink(path));
    printf("%d\n", open(path, O_RDONLY) < 0 && errno == ENOENT);
    return 0;
}
