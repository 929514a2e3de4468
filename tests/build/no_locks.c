// Preloaded, it makes the files below the folder NO_LOCKS_BELOW those of a file system that knows no locks: each try to
// lock one fails with the error number NO_LOCKS_ERRNO.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int refused(int descriptor) {
  const char *folder = getenv("NO_LOCKS_BELOW");
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path);
  if (folder == NULL || length < (ssize_t)strlen(folder) || strncmp(path, folder, strlen(folder)) != 0) return 0;
  errno = atoi(getenv("NO_LOCKS_ERRNO"));
  return 1;
}

static int control(const char *name, int descriptor, int command, void *argument) {
  const int locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
  if (locks && refused(descriptor)) return -1;
  return ((int (*)(int, int, void *))dlsym(RTLD_NEXT, name))(descriptor, command, argument);
}

#define CONTROL(name)                               \
  int name(int descriptor, int command, ...) {      \
    va_list rest;                                   \
    va_start(rest, command);                        \
    void *argument = va_arg(rest, void *);          \
    va_end(rest);                                   \
    return control(#name, descriptor, command, argument); \
  }

CONTROL(fcntl)
CONTROL(fcntl64)

int flock(int descriptor, int operation) {
  if (refused(descriptor)) return -1;
  return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(descriptor, operation);
}
