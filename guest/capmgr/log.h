/* The manager's log: `[HH:MM:SS:mmm - CAPMGR:LEVEL]: text`, one line a message, on stdout. */
#ifndef CAPMGR_LOG_H
#define CAPMGR_LOG_H
#include <stddef.h>

enum log_level { LOG_INFO, LOG_ERROR, LOG_WARNING, LOG_DEBUG, LOG_VERBOSE };

/* Messages above this level are dropped (0 to 4). */
void log_set_level(int level);
int log_get_level(void);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes a longer text as it is, below a heading line. */
void log_text(enum log_level level, const char *heading, const char *text, size_t length);
#endif
