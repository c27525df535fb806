/* Kills its process at the n-th call that can change anything outside of it: see killing.py.

   Preloaded (LD_PRELOAD) into Python, it sees the calls of every library in the process: SQLite's, Arrow's, torch's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NOT_HERE, BEFORE, HALFWAY, AFTER };

static long *calls; /* shared by all processes of an attempt */
static long fatal;
static int how, all;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("KILL_COUNTS"), *at = getenv("KILL_AT"), *moment = getenv("KILL_HOW");
    char program[4096] = "";
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    int file = -1;
    if (length < 0 || !strstr(program, "python") || !path) return; /* what a library asks about the machine */
    if ((file = open(path, O_RDWR | O_CLOEXEC)) < 0) return;
    void *shared = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED) return;
    fatal = at ? atol(at) : 0;
    how = moment && !strcmp(moment, "before") ? BEFORE : moment && !strcmp(moment, "halfway") ? HALFWAY : AFTER;
    all = getenv("KILL_ALL") != NULL;
    calls = shared;
}

static int point(void) {
    return calls && __sync_add_and_fetch(calls, 1) == fatal ? how : NOT_HERE;
}

static void die(void) {
    kill(all ? 0 : getpid(), SIGKILL);
    for (;;) pause();
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* What writes bytes, and may be cut off in the middle of them. A single byte to a socket wakes up an event loop. */
#define BYTES(result, name, parameters, whole, half, counts) \
    result name parameters { \
        REAL(name); \
        int here = (counts) ? point() : NOT_HERE; \
        if (here == BEFORE) die(); \
        result done = here == HALFWAY ? real half : real whole; \
        if (here) die(); \
        return done; \
    }

BYTES(ssize_t, write, (int file, const void *from, size_t size), (file, from, size), (file, from, size / 2), file > 2)
BYTES(ssize_t, pwrite, (int file, const void *from, size_t size, off_t at), (file, from, size, at),
      (file, from, size / 2, at), 1)
BYTES(ssize_t, pwrite64, (int file, const void *from, size_t size, off64_t at), (file, from, size, at),
      (file, from, size / 2, at), 1)
BYTES(ssize_t, writev, (int file, const struct iovec *from, int count), (file, from, count),
      (file, from, (count + 1) / 2), file > 2)
BYTES(ssize_t, send, (int socket, const void *from, size_t size, int flags), (socket, from, size, flags),
      (socket, from, size / 2, flags), size > 1)
BYTES(ssize_t, sendmsg, (int socket, const struct msghdr *message, int flags), (socket, message, flags),
      (socket, message, flags), 1)
BYTES(ssize_t, sendfile, (int to, int from, off_t *at, size_t size), (to, from, at, size), (to, from, at, size / 2), 1)
BYTES(ssize_t, sendfile64, (int to, int from, off64_t *at, size_t size), (to, from, at, size),
      (to, from, at, size / 2), 1)

/* What is done or not. What was received is not counted as a change, but as the moment after which a reply is known. */
#define DEED(result, name, parameters, arguments, counts) BYTES(result, name, parameters, arguments, arguments, counts)

DEED(ssize_t, recv, (int socket, void *to, size_t size, int flags), (socket, to, size, flags), 1)
DEED(int, fsync, (int file), (file), 1)
DEED(int, fdatasync, (int file), (file), 1)
DEED(int, ftruncate, (int file, off_t size), (file, size), 1)
DEED(int, ftruncate64, (int file, off64_t size), (file, size), 1)
DEED(int, rename, (const char *from, const char *to), (from, to), 1)
DEED(int, renameat, (int from_folder, const char *from, int to_folder, const char *to),
     (from_folder, from, to_folder, to), 1)
DEED(int, unlink, (const char *path), (path), 1)
DEED(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags), 1)
DEED(int, rmdir, (const char *path), (path), 1)
DEED(int, mkdir, (const char *path, mode_t mode), (path, mode), 1)
DEED(int, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode), 1)

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }
#define OPENING(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        MODE(flags) \
        int here = flags & (O_CREAT | O_TRUNC) ? point() : NOT_HERE; \
        if (here == BEFORE) die(); \
        int file = real(path, flags, mode); \
        if (here) die(); \
        return file; \
    }

OPENING(open)
OPENING(open64)
