/* settings FILE: prints the settings of a file; -u: without the length check. */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    int unchecked = argc == 3 && strcmp(argv[1], "-u") == 0;
    struct setting *setting = malloc(sizeof *setting);
    int bad = 0;
    char line[200];
    FILE *file;

    if (argc < 2 || (file = fopen(argv[argc - 1], "r")) == NULL) {
        fprintf(stderr, "usage: %s [-u] FILE\n", argv[0]);
        return 2;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        int good = unchecked ? parse_setting_unchecked(line, setting) : parse_setting(line, setting);

        if (good)
            printf("%s is %ld\n", setting->name, setting->value);
        else
            bad++;
    }
    fclose(file);
    if (bad)
        printf("%d lines are no settings\n", bad);
    return bad != 0;
}
