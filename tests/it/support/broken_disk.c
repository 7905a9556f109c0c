// Loaded into a program by LD_PRELOAD: of all that it writes below the folder BROKEN_BELOW, step BROKEN_AT goes wrong, counted
// from 0. BROKEN_HOW: `full` and from then on no write has room; `short` the same, but the first one takes three bytes;
// `io` that step alone fails. Once it has struck, the file BROKEN_TOLD is there.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long came;

static int is_below(const char *path) {
  const char *below = getenv("BROKEN_BELOW");
  return below && path[0] == '/' && strncmp(path, below, strlen(below)) == 0;
}

static int is_open_below(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0)
    return 0;
  path[length] = 0;
  return is_below(path);
}

enum fate { WELL, SHORT, FAILS };

// What becomes of the next step; a write, or something else.
static enum fate next(int writes) {
  const char *how = getenv("BROKEN_HOW"), *at = getenv("BROKEN_AT");
  if (!how || !at)
    return WELL;
  long step = atomic_fetch_add(&came, 1), wanted = atol(at);
  if (step < wanted)
    return WELL;
  if (step == wanted) {
    int told = creat(getenv("BROKEN_TOLD"), 0600);
    if (told >= 0)
      close(told);
    if (!strcmp(how, "short") && writes)
      return SHORT;
    errno = strcmp(how, "io") ? ENOSPC : EIO;
    return FAILS;
  }
  errno = ENOSPC;
  return strcmp(how, "io") && writes ? FAILS : WELL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t count) {
  enum fate fate = is_open_below(fd) ? next(1) : WELL;
  if (fate == FAILS)
    return -1;
  return REAL(write)(fd, bytes, fate == SHORT && count > 3 ? 3 : count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  if (is_open_below(fd) && next(1) != WELL)
    return -1;
  return REAL(pwrite64)(fd, bytes, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (is_open_below(fd) && next(1) != WELL)
    return -1;
  return REAL(writev)(fd, parts, count);
}

int fsync(int fd) { return is_open_below(fd) && next(0) != WELL ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return is_open_below(fd) && next(0) != WELL ? -1 : REAL(fdatasync)(fd); }

int rename(const char *from, const char *to) { return is_below(to) && next(0) != WELL ? -1 : REAL(rename)(from, to); }

int link(const char *from, const char *to) { return is_below(to) && next(0) != WELL ? -1 : REAL(link)(from, to); }

int mkdir(const char *path, mode_t mode) { return is_below(path) && next(1) != WELL ? -1 : REAL(mkdir)(path, mode); }

#define OPENS(name)                                                                                                    \
  int name(const char *path, int flags, ...) {                                                                         \
    va_list rest;                                                                                                      \
    va_start(rest, flags);                                                                                             \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                            \
    va_end(rest);                                                                                                      \
    if (flags & O_CREAT && is_below(path) && access(path, F_OK) != 0 && next(1) != WELL)                               \
      return -1;                                                                                                       \
    return REAL(name)(path, flags, mode);                                                                              \
  }

OPENS(open)
OPENS(open64)
