#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define CALL(call) ((int)__syscall_result((long)(call)))
#define DAY 86400L

int clock_gettime(clockid_t clock, struct timespec *now)
{
    return CALL(SYSCALL2(SYS_clock_gettime, clock, now));
}

int clock_getres(clockid_t clock, struct timespec *resolution)
{
    return CALL(SYSCALL2(SYS_clock_getres, clock, resolution));
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *request, struct timespec *remaining)
{
    return (int)-(long)SYSCALL4(SYS_clock_nanosleep, clock, flags, request, remaining);
}

int nanosleep(const struct timespec *request, struct timespec *remaining)
{
    return CALL(SYSCALL2(SYS_nanosleep, request, remaining));
}

unsigned int sleep(unsigned int seconds)
{
    struct timespec request;

    request.tv_sec = (time_t)seconds;
    request.tv_nsec = 0;
    return nanosleep(&request, &request) == 0 ? 0 : (unsigned int)request.tv_sec;
}

int usleep(unsigned int microseconds)
{
    struct timespec request;

    request.tv_sec = (time_t)(microseconds / 1000000);
    request.tv_nsec = (long)(microseconds % 1000000) * 1000;
    return nanosleep(&request, NULL);
}

time_t time(time_t *now)
{
    struct timespec current;

    clock_gettime(CLOCK_REALTIME, &current);
    if (now != NULL)
        *now = current.tv_sec;
    return current.tv_sec;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec current;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &current) < 0)
        return -1;
    now->tv_sec = current.tv_sec;
    now->tv_usec = current.tv_nsec / 1000;
    return 0;
}

clock_t clock(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * CLOCKS_PER_SEC + used.tv_nsec / 1000;
}

double difftime(time_t later, time_t earlier)
{
    return (double)(later - earlier);
}

/* Days from 1970-01-01 to the first day of the month (0-11) of a proleptic Gregorian year. */
static long days_before(long year, int month)
{
    static const short days_in_year_before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    long past = year - 1;
    int is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return past * 365 + past / 4 - past / 100 + past / 400 - 719162 + days_in_year_before[month] +
           (is_leap && month > 1);
}

struct tm *gmtime_r(const time_t *when, struct tm *out)
{
    long days = *when / DAY;
    long seconds = *when % DAY;
    long year;

    if (seconds < 0) {
        seconds += DAY;
        days--;
    }
    year = 1970 + days / 366;
    while (days_before(year + 1, 0) <= days)
        year++;
    out->tm_yday = (int)(days - days_before(year, 0));
    out->tm_mon = 11;
    while (days_before(year, out->tm_mon) > days)
        out->tm_mon--;
    out->tm_mday = (int)(days - days_before(year, out->tm_mon)) + 1;
    out->tm_year = (int)(year - 1900);
    out->tm_wday = (int)(((days + 4) % 7 + 7) % 7);
    out->tm_hour = (int)(seconds / 3600);
    out->tm_min = (int)(seconds / 60 % 60);
    out->tm_sec = (int)(seconds % 60);
    out->tm_isdst = 0;
    return out;
}

struct tm *gmtime(const time_t *when)
{
    static struct tm result;

    return gmtime_r(when, &result);
}

struct tm *localtime(const time_t *when)
{
    return gmtime(when);
}

time_t mktime(struct tm *when)
{
    time_t seconds;
    long year = when->tm_year + 1900L + when->tm_mon / 12;
    int month = when->tm_mon % 12;

    if (month < 0) {
        month += 12;
        year--;
    }
    seconds = ((days_before(year, month) + when->tm_mday - 1) * 24 + when->tm_hour) * 3600L +
              when->tm_min * 60L + when->tm_sec;
    gmtime_r(&seconds, when);
    return seconds;
}

static const char day_names[7][10] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char month_names[12][10] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};

size_t strftime(char *out, size_t size, const char *format, const struct tm *when)
{
    size_t length = 0;

    for (; *format != '\0'; format++) {
        char piece[64];
        if (*format != '%') {
            piece[0] = *format;
            piece[1] = '\0';
        } else {
            switch (*++format) {
            case 'Y': snprintf(piece, sizeof piece, "%d", when->tm_year + 1900); break;
            case 'm': snprintf(piece, sizeof piece, "%02d", when->tm_mon + 1); break;
            case 'd': snprintf(piece, sizeof piece, "%02d", when->tm_mday); break;
            case 'e': snprintf(piece, sizeof piece, "%2d", when->tm_mday); break;
            case 'H': snprintf(piece, sizeof piece, "%02d", when->tm_hour); break;
            case 'M': snprintf(piece, sizeof piece, "%02d", when->tm_min); break;
            case 'S': snprintf(piece, sizeof piece, "%02d", when->tm_sec); break;
            case 'y': snprintf(piece, sizeof piece, "%02d", when->tm_year % 100); break;
            case 'j': snprintf(piece, sizeof piece, "%03d", when->tm_yday + 1); break;
            case 'a': snprintf(piece, sizeof piece, "%.3s", day_names[when->tm_wday]); break;
            case 'A': snprintf(piece, sizeof piece, "%s", day_names[when->tm_wday]); break;
            case 'b': snprintf(piece, sizeof piece, "%.3s", month_names[when->tm_mon]); break;
            case 'B': snprintf(piece, sizeof piece, "%s", month_names[when->tm_mon]); break;
            case 'F': strftime(piece, sizeof piece, "%Y-%m-%d", when); break;
            case 'T': strftime(piece, sizeof piece, "%H:%M:%S", when); break;
            case 'Z': strcpy(piece, "UTC"); break;
            case '%': strcpy(piece, "%"); break;
            default: return 0;
            }
        }
        if (length + strlen(piece) >= size)
            return 0;
        strcpy(out + length, piece);
        length += strlen(piece);
    }
    if (length < size)
        out[length] = '\0';
    return length;
}
