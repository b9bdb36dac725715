#include <stdio.h>
#include <string.h>

int main(void)
{
    static const double values[] = {0.0, -0.0, 1.0, 0.1, 123456789.125, 1e300, 5e-324, 2.5, 3.5, 1e21, -7.25e-5};
    char buffer[64];
    size_t i;

    for (i = 0; i < sizeof values / sizeof values[0]; i++)
        printf("%f|%.0f|%e|%g|%10.3f|%-12.4g|%+G\n", values[i], values[i], values[i], values[i], values[i],
               values[i], values[i]);
    printf("%d %5d|%-5d|%05d %+d % d %x %#x %o %u\n", 42, -42, 42, 42, 42, 42, 255u, 255u, 8u, 4000000000u);
    printf("%ld %lu %lx %hhd %hu\n", -1234567890123L, 12345678901234567890UL, 0xdeadbeefcafeUL, 300, 70000);
    printf("%s|%10s|%-10s|%.3s|%c|%%\n", "text", "right", "left", "truncated", 'x');
    printf("%*d|%-*d|%.*f\n", 6, 7, 6, 7, 3, 2.0 / 3.0);
    printf("%d\n", snprintf(buffer, 8, "a long %s", "sentence"));
    printf("[%s]\n", buffer);
    printf("%d\n", snprintf(NULL, 0, "%d", 12345));
    {
        int a = 0, b = 0;
        unsigned int c = 0;
        char word[16] = "";
        double d = 0;
        int n = sscanf("  12 -7 ff hello 2.5e1 rest", "%d %i %x %15s %lf", &a, &b, &c, word, &d);
        printf("%d: %d %d %u %s %g\n", n, a, b, c, word, d);
        n = sscanf("123456", "%3d%2d", &a, &b);
        printf("%d: %d %d\n", n, a, b);
    }
    fputs("no newline at the end", stdout);
    return 0;
}
