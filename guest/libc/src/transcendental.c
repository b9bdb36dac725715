/* exp, log, pow, the circular and hyperbolic functions: argument reduction and series, good to a few units in the
 * last place over the usual range. */
#include <math.h>

#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define PI_2_A 0x1.921fb544p+0
#define PI_2_B 0x1.0b4611a6p-34
#define PI_2_C 0x1.3198a2e037073p-69

double exp(double x)
{
    double k, high, low, r, term, sum;
    int n;

    if (isnan(x))
        return x;
    if (x > 709.79)
        return HUGE_VAL;
    if (x < -745.2)
        return 0.0;
    k = rint(x / M_LN2);
    high = x - k * LN2_HIGH;
    low = k * LN2_LOW;
    r = high - low;
    term = 1.0;
    sum = 0.0;
    for (n = 1; n < 20; n++) {
        term *= r / n;
        sum += term;
        if (fabs(term) < 0x1p-60)
            break;
    }
    return scalbn(1.0 + sum, (int)k);
}

double exp2(double x) { return exp(x * M_LN2); }

double log(double x)
{
    int exponent;
    double m, s, square, sum, term;
    int n;

    if (isnan(x) || x < 0)
        return NAN;
    if (x == 0)
        return -HUGE_VAL;
    if (isinf(x))
        return x;
    m = frexp(x, &exponent);
    if (m < M_SQRT2 / 2) {
        m *= 2;
        exponent--;
    }
    s = (m - 1) / (m + 1);
    square = s * s;
    term = s;
    sum = 0.0;
    for (n = 3; n < 60; n += 2) {
        term *= square;
        sum += term / n;
        if (fabs(term) < 0x1p-62)
            break;
    }
    return exponent * LN2_HIGH + (2 * s + (2 * sum + exponent * LN2_LOW));
}

double log2(double x) { return log(x) / M_LN2; }
double log10(double x) { return log(x) / 2.30258509299404568402; }

static double integer_power(double x, long n)
{
    double result = 1.0;

    for (; n != 0; n >>= 1) {
        if (n & 1)
            result *= x;
        x *= x;
    }
    return result;
}

double pow(double x, double y)
{
    if (y == 0 || x == 1)
        return 1.0;
    if (isnan(x) || isnan(y))
        return NAN;
    if (y == trunc(y) && fabs(y) < 1024) {
        double magnitude = integer_power(x, (long)fabs(y));
        return y < 0 ? 1.0 / magnitude : magnitude;
    }
    if (x == 0)
        return y < 0 ? HUGE_VAL : 0.0;
    if (isinf(y))
        return fabs(x) == 1 ? 1.0 : (fabs(x) > 1) == (y > 0) ? HUGE_VAL : 0.0;
    if (x < 0) {
        if (y != trunc(y))
            return NAN;
        return fmod(y, 2) != 0 ? -exp(y * log(-x)) : exp(y * log(-x));
    }
    return exp(y * log(x));
}

static double sine_series(double x)
{
    double square = x * x;
    double term = x;
    double sum = 0.0;
    int n;

    for (n = 3; n < 30 && fabs(term) > 0x1p-70; n += 2) {
        term *= -square / (double)(n * (n - 1));
        sum += term;
    }
    return x + sum;
}

static double cosine_series(double x)
{
    double square = x * x;
    double term = 1.0;
    double sum = 0.0;
    int n;

    for (n = 2; n < 30 && fabs(term) > 0x1p-70; n += 2) {
        term *= -square / (double)(n * (n - 1));
        sum += term;
    }
    return 1.0 + sum;
}

/* x minus the nearest multiple of pi/2, which multiple modulo 4 in *quadrant. */
static double reduce(double x, int *quadrant)
{
    double k = rint(x / (M_PI / 2));

    *quadrant = (int)fmod(k, 4);
    if (*quadrant < 0)
        *quadrant += 4;
    return ((x - k * PI_2_A) - k * PI_2_B) - k * PI_2_C;
}

double sin(double x)
{
    int quadrant;
    double r;

    if (x - x != 0)
        return NAN;
    r = reduce(x, &quadrant);
    switch (quadrant) {
    case 0: return sine_series(r);
    case 1: return cosine_series(r);
    case 2: return -sine_series(r);
    default: return -cosine_series(r);
    }
}

double cos(double x)
{
    int quadrant;
    double r;

    if (x - x != 0)
        return NAN;
    r = reduce(x, &quadrant);
    switch (quadrant) {
    case 0: return cosine_series(r);
    case 1: return -sine_series(r);
    case 2: return -cosine_series(r);
    default: return sine_series(r);
    }
}

double tan(double x) { return sin(x) / cos(x); }

double atan(double x)
{
    double offset = 0.0;
    double square, term, sum;
    int n;

    if (x < 0)
        return -atan(-x);
    if (x > 1)
        return M_PI / 2 - atan(1 / x);
    if (x > 0.3) { /* around atan(1/2) */
        offset = 0.46364760900080611621;
        x = (x - 0.5) / (1 + 0.5 * x);
    }
    square = x * x;
    term = x;
    sum = x;
    for (n = 3; n < 80 && fabs(term) > 0x1p-62; n += 2) {
        term *= -square;
        sum += term / n;
    }
    return offset + sum;
}

double atan2(double y, double x)
{
    if (x > 0)
        return atan(y / x);
    if (x < 0)
        return atan(y / x) + copysign(M_PI, y);
    if (y == 0)
        return signbit(x) ? copysign(M_PI, y) : y;
    return copysign(M_PI / 2, y);
}

double asin(double x) { return atan2(x, sqrt((1 - x) * (1 + x))); }
double acos(double x) { return atan2(sqrt((1 - x) * (1 + x)), x); }
double sinh(double x) { return fabs(x) < 0.1 ? x + x * x * x / 6 + x * x * x * x * x / 120 : (exp(x) - exp(-x)) / 2; }
double cosh(double x) { return (exp(x) + exp(-x)) / 2; }
double tanh(double x) { return fabs(x) > 20 ? copysign(1.0, x) : sinh(x) / cosh(x); }
double hypot(double x, double y) { return sqrt(x * x + y * y); }

double cbrt(double x)
{
    double root;
    int i;

    if (x == 0 || x - x != 0)
        return x;
    root = copysign(exp(log(fabs(x)) / 3), x);
    for (i = 0; i < 2; i++)
        root -= (root * root * root - x) / (3 * root * root);
    return root;
}

float powf(float x, float y) { return (float)pow(x, y); }
float sinf(float x) { return (float)sin(x); }
float cosf(float x) { return (float)cos(x); }
float expf(float x) { return (float)exp(x); }
float logf(float x) { return (float)log(x); }
