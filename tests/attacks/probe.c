// System calls that an attack would make, each harmless when it succeeds. Prints THROUGH where the kernel did it, or
// would have with better arguments; EPERM, EACCES and ENOSYS mean that the way is closed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int told(long result) {
  int closed = result < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS || errno == ESRCH);
  printf("%s %ld %s\n", closed ? "held" : "THROUGH", result, result < 0 ? strerror(errno) : "");
  return closed;
}

static const struct { const char *name; long number; } CALLS[] = {
#define CALL(name) {#name, SYS_##name}
  CALL(acct), CALL(add_key), CALL(adjtimex), CALL(bpf), CALL(chroot), CALL(clock_settime), CALL(delete_module),
  CALL(fanotify_init), CALL(finit_module), CALL(init_module), CALL(io_uring_setup), CALL(io_uring_enter),
  CALL(io_uring_register), CALL(kcmp), CALL(kexec_load), CALL(keyctl), CALL(mount), CALL(move_mount),
  CALL(name_to_handle_at), CALL(open_by_handle_at), CALL(open_tree), CALL(perf_event_open), CALL(pidfd_getfd),
  CALL(pidfd_open), CALL(pivot_root), CALL(prlimit64), CALL(process_vm_readv), CALL(process_vm_writev), CALL(ptrace),
  CALL(quotactl), CALL(reboot), CALL(request_key), CALL(setdomainname), CALL(sethostname), CALL(setns),
  CALL(settimeofday), CALL(swapoff), CALL(swapon), CALL(syslog), CALL(umount2), CALL(unshare), CALL(userfaultfd),
  CALL(fsopen), CALL(fsmount), CALL(fsconfig), CALL(fspick), CALL(setpriority), CALL(ioprio_set),
  CALL(sched_setaffinity), CALL(sched_setscheduler), CALL(process_madvise), CALL(tgkill), CALL(pidfd_send_signal),
  CALL(rt_sigqueueinfo), CALL(socket), CALL(shmget), CALL(shmat), CALL(msgget), CALL(semget), CALL(mq_open),
  CALL(mount_setattr), CALL(kexec_file_load), CALL(migrate_pages), CALL(move_pages), CALL(prctl),
#ifdef __x86_64__
  CALL(iopl), CALL(ioperm), CALL(modify_ldt),
  {"x32_getpid", 0x40000000 + 39},
  {"x32_mount", 0x40000000 + 165},
#endif
};

static char buffer[4096];

// A number, `p` for zeroed memory, or a text.
static long argument(const char *text) {
  char *end;
  if (!strcmp(text, "p")) return (long)buffer;
  long number = strtol(text, &end, 0);
  return *end ? (long)text : number;
}

// `call` asks whether the call is let in, `did` whether it did what was asked for.
static int call(int count, char **texts, int strict) {
  long a[6] = {0};
  for (int at = 1; at < count && at < 7; at++) a[at - 1] = argument(texts[at]);
  for (size_t at = 0; at < sizeof CALLS / sizeof *CALLS; at++)
    if (!strcmp(CALLS[at].name, texts[0]))
    {
      long result = syscall(CALLS[at].number, a[0], a[1], a[2], a[3], a[4], a[5]);
      if (strict && result < 0) errno = EPERM;
      return told(result);
    }
  fprintf(stderr, "unknown call: %s\n", texts[0]);
  return 2;
}

// Whatever is made in a namespace ends at once.
static int spawned(long pid) {
  if (pid == 0) _exit(0);
  int status, closed = told(pid);
  if (pid > 0) waitpid(pid, &status, __WALL);
  return closed;
}

static int memory_of(pid_t pid, unsigned long at, int writes) {
  struct iovec here = {buffer, 8}, there = {(void *)at, 8};
  if (!writes) return told(process_vm_readv(pid, &here, 1, &there, 1, 0));
  if (process_vm_readv(pid, &here, 1, &there, 1, 0) < 0) return told(-1);
  return told(process_vm_writev(pid, &here, 1, &there, 1, 0));
}

int main(int count, char **texts) {
  const char *what = count > 1 ? texts[1] : "";
  long number = count > 2 ? strtol(texts[2], NULL, 0) : 0;
  setvbuf(stdout, NULL, _IONBF, 0);
  if (!strcmp(what, "call")) return call(count - 2, texts + 2, 0);
  if (!strcmp(what, "did")) return call(count - 2, texts + 2, 1);
  if (!strcmp(what, "clone")) return spawned(syscall(SYS_clone, number | SIGCHLD, 0, 0, 0, 0));
  if (!strcmp(what, "clone3")) {
    struct clone_args wanted = {.flags = (uint64_t)number, .exit_signal = SIGCHLD};
    return spawned(syscall(SYS_clone3, &wanted, sizeof wanted));
  }
  if (!strcmp(what, "seize")) {
    long seized = ptrace(PTRACE_SEIZE, (pid_t)number, 0, 0);
    return told(seized);
  }
  if (!strcmp(what, "traceme")) return told(ptrace(PTRACE_TRACEME, 0, 0, 0));
  if (!strcmp(what, "read-memory")) return memory_of((pid_t)number, strtoul(texts[3], NULL, 16), 0);
  if (!strcmp(what, "write-memory")) return memory_of((pid_t)number, strtoul(texts[3], NULL, 16), 1);
  if (!strcmp(what, "type")) {
    int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (terminal < 0) return told(-1);
    // Typing into a terminal that is not the caller's own takes rights; the filter answers before that is asked.
    long typed = ioctl(terminal, (unsigned long)number, "x");
    if (typed < 0 && errno == EPERM) return told(-1);
    return told(0);
  }
  if (!strcmp(what, "fd-of")) {
    long process = syscall(SYS_pidfd_open, number, 0);
    return told(process < 0 ? -1 : syscall(SYS_pidfd_getfd, process, 0, 0));
  }
  if (!strcmp(what, "signal-by-fd")) {
    long process = syscall(SYS_pidfd_open, number, 0);
    return told(process < 0 ? -1 : syscall(SYS_pidfd_send_signal, process, SIGUSR1, 0, 0));
  }
  if (!strcmp(what, "made-setuid")) return told(open(texts[2], O_CREAT | O_WRONLY, 04755));
  if (!strcmp(what, "fchmodat2")) return told(syscall(452, AT_FDCWD, texts[2], 04755, 0));
  if (!strcmp(what, "openat2")) {
    uint64_t how[3] = {O_CREAT | O_WRONLY, 04755, 0};
    return told(syscall(437, AT_FDCWD, texts[2], how, sizeof how));
  }
  if (!strcmp(what, "euid")) return told(geteuid() == 0 && getuid() != 0 ? 0 : (errno = EPERM, -1));
#ifdef __x86_64__
  if (!strcmp(what, "i386")) {
    // getpid by the number that it has for 32-bit programs.
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    errno = (int)-result;
    return told(result < 0 ? -1 : result);
  }
#endif
  fprintf(stderr, "unknown: %s\n", what);
  return 2;
}
