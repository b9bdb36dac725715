#ifndef _DLFCN_H
#define _DLFCN_H
#define RTLD_LAZY 1
#define RTLD_NOW 2
#define RTLD_GLOBAL 0x100
#define RTLD_LOCAL 0
#define LM_ID_BASE 0
#define LM_ID_NEWLM (-1)
typedef long Lmid_t;
void *dlopen(const char *path, int flags);
void *dlmopen(Lmid_t name_space, const char *path, int flags);
void *dlsym(void *handle, const char *name);
int dlclose(void *handle);
char *dlerror(void);
#endif
