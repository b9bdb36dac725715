#ifndef _MATH_H
#define _MATH_H
typedef float float_t;
typedef double double_t;
#define HUGE_VAL __builtin_huge_val()
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define M_E 2.7182818284590452354
#define M_LN2 0.69314718055994530942
#define M_PI 3.14159265358979323846
#define M_SQRT2 1.41421356237309504880
#define isnan(x) ((x) != (x))
#define isinf(x) (__builtin_fabs(x) == __builtin_huge_val())
#define isfinite(x) (__builtin_fabs(x) < __builtin_huge_val())
#define signbit(x) (sizeof(x) == sizeof(float) ? __signbitf((float)(x)) : __signbit((double)(x)))
int __signbit(double x);
int __signbitf(float x);
double fabs(double x);
double floor(double x);
double ceil(double x);
double trunc(double x);
double rint(double x);
double nearbyint(double x);
double round(double x);
long lround(double x);
double sqrt(double x);
double copysign(double magnitude, double sign);
double fmin(double a, double b);
double fmax(double a, double b);
double fma(double a, double b, double c);
double fmod(double x, double y);
double frexp(double x, int *exponent);
double ldexp(double x, int exponent);
double scalbn(double x, int exponent);
double modf(double x, double *integer);
double exp(double x);
double exp2(double x);
double log(double x);
double log2(double x);
double log10(double x);
double pow(double x, double y);
double sin(double x);
double cos(double x);
double tan(double x);
double atan(double x);
double atan2(double y, double x);
double asin(double x);
double acos(double x);
double sinh(double x);
double cosh(double x);
double tanh(double x);
double hypot(double x, double y);
double cbrt(double x);
float fabsf(float x);
float floorf(float x);
float ceilf(float x);
float truncf(float x);
float rintf(float x);
float nearbyintf(float x);
float roundf(float x);
float sqrtf(float x);
float copysignf(float magnitude, float sign);
float fminf(float a, float b);
float fmaxf(float a, float b);
float fmaf(float a, float b, float c);
float fmodf(float x, float y);
float powf(float x, float y);
float sinf(float x);
float cosf(float x);
float expf(float x);
float logf(float x);
#endif
