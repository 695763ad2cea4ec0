/* Stops a process at the n-th operation on files below a folder, or has the operation fail.
 *
 * Preloaded into all processes of a flowkit command (LD_PRELOAD). Each call of libc that changes
 * files below FAULTS_ROOT, makes them durable, locks them or opens them to be read is a point.
 * Points are counted for each role over all processes, in memory that they share. A role is told
 * by the command line, and by being forked: a child of the zygote is a worker.
 *
 *   FAULTS_ROOT   the folder, absolute
 *   FAULTS_STATE  a file of the size of `struct state`: what is asked for, and what came of it
 *   FAULTS_LOG    a file to note each point in: role, process, operation, path
 *
 * Operations are done by system calls of our own, so nothing here calls what it stands for.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define SHOWN __attribute__((visibility("default")))

enum role { COMMAND, ZYGOTE, WORKER, ROLES };
enum how { NOTHING, KILL_BEFORE, KILL_AFTER, KILL_TORN, FAIL };

/* Kinds of operations, as bits: `struct state` says which kinds may fail. */
enum kind {
    LOOK = 1,    /* opens what is there, to read it */
    MAKE = 2,    /* makes a name: a file opened for writing, a folder, a link, a new name */
    FILL = 4,    /* writes bytes, or changes a size */
    SYNC = 8,    /* waits for the disk */
    DROP = 16,   /* takes a name away */
    STAMP = 32,  /* times, modes, owners */
    LOCK = 64,
};

/* Known to faults.py. */
struct state {
    int64_t role; /* at whose operation */
    int64_t at;   /* at which one, from 1 */
    int64_t how;
    int64_t error;   /* what FAIL sets errno to */
    int64_t kinds;   /* which kinds of operations may fail */
    int64_t goes_on; /* whether all that follow fail too, whoever does them */
    char operation[16]; /* if given, not `at` says which, but this and a part of the path */
    char part[112];
    _Atomic int64_t done; /* how often a fault was injected */
    _Atomic int64_t counts[ROLES];
};

static const char *const role_names[] = {"command", "zygote", "worker"};
static int role = ROLES; /* none of ours */
static struct state *state;
static char root[PATH_MAX];
static size_t root_size;
static const char *log_path;

static bool is_below(const char *path)
{
    return strncmp(path, root, root_size) == 0 && (path[root_size] == '/' || !path[root_size]);
}

/* Returns where a path is, or NULL if that is none of our business. `room` is for the answer. */
static const char *place_of(int folder, const char *path, char *room)
{
    if (role == ROLES || !path)
        return NULL;
    if (path[0] == '/')
        return is_below(path) ? path : NULL;
    char link[64];
    if (folder == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/self/cwd");
    else
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t size = readlink(link, room, PATH_MAX - 1);
    if (size < 0)
        return NULL;
    snprintf(room + size, PATH_MAX - size, "%s%s", *path ? "/" : "", path);
    return is_below(room) ? room : NULL;
}

static const char *place_of_open(int descriptor, char *room)
{
    return place_of(descriptor, "", room);
}

static void note(const char *operation, int kind, const char *place)
{
    char line[PATH_MAX + 128];
    int size = snprintf(line, sizeof line, "%s %d %s %d %s\n", role_names[role], getpid(),
                        operation, kind, place + root_size);
    int descriptor = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    if (descriptor < 0)
        abort();
    syscall(SYS_write, descriptor, line, size);
    syscall(SYS_close, descriptor);
}

static void die(void)
{
    atomic_fetch_add(&state->done, 1);
    for (;;)
        syscall(SYS_kill, getpid(), SIGKILL);
}

/* Counts a point. Returns what is to be done at it; NOTHING and KILL_AFTER go on for now. */
static enum how arrive(const char *operation, int kind, const char *place)
{
    if (!place)
        return NOTHING;
    if (log_path)
        note(operation, kind, place);
    int64_t number = atomic_fetch_add(&state->counts[role], 1) + 1;
    if (state->how == NOTHING)
        return NOTHING;
    if (state->operation[0]) {
        bool is_it = !strcmp(operation, state->operation) && strstr(place + root_size, state->part);
        number = is_it ? state->at : state->at - 1;
    }
    if (state->how != FAIL) {
        if (role != state->role || number != state->at)
            return NOTHING;
        if (state->how == KILL_BEFORE)
            die();
        return state->how;
    }
    bool is_late = state->goes_on && state->done;
    if (role == state->role && number >= state->at && !state->done)
        is_late = true;
    if (!is_late || !(kind & state->kinds))
        return NOTHING;
    int64_t none = 0;
    if (!state->goes_on && !atomic_compare_exchange_strong(&state->done, &none, 1))
        return NOTHING;
    if (state->goes_on)
        atomic_fetch_add(&state->done, 1);
    errno = (int)state->error;
    return FAIL;
}

/* Wraps one call: counts it, lets it fail or does it, and may not outlive it. */
#define POINT(operation, kind, place, call)                                                        \
    do {                                                                                           \
        enum how how = arrive(operation, kind, place);                                             \
        if (how == FAIL)                                                                           \
            return -1;                                                                             \
        long answer = (call);                                                                      \
        if (how != NOTHING)                                                                        \
            die();                                                                                 \
        return answer;                                                                             \
    } while (0)

/* The same for calls that return an error's number. */
#define POINT_BY_NUMBER(operation, kind, place, call)                                              \
    do {                                                                                           \
        enum how how = arrive(operation, kind, place);                                             \
        if (how == FAIL)                                                                           \
            return errno;                                                                          \
        int answer = (call) < 0 ? errno : 0;                                                       \
        if (how != NOTHING)                                                                        \
            die();                                                                                 \
        return answer;                                                                             \
    } while (0)

/* --- names -------------------------------------------------------------------------------- */

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    char room[PATH_MAX];
    bool is_changing = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
    POINT(is_changing ? "open" : "look", is_changing ? MAKE : LOOK, place_of(folder, path, room),
          syscall(SYS_openat, folder, path, flags, mode));
}

#define MODE(flags, last)                                                                          \
    mode_t mode = 0;                                                                               \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                           \
        va_list more;                                                                              \
        va_start(more, last);                                                                      \
        mode = va_arg(more, mode_t);                                                               \
        va_end(more);                                                                              \
    }

SHOWN int open(const char *path, int flags, ...)
{
    MODE(flags, flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

SHOWN int open64(const char *path, int flags, ...)
{
    MODE(flags, flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

SHOWN int openat(int folder, const char *path, int flags, ...)
{
    MODE(flags, flags)
    return open_at(folder, path, flags, mode);
}

SHOWN int openat64(int folder, const char *path, int flags, ...)
{
    MODE(flags, flags)
    return open_at(folder, path, flags, mode);
}

SHOWN int creat(const char *path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

SHOWN DIR *opendir(const char *path)
{
    static _Atomic(DIR * (*)(const char *)) real;
    char room[PATH_MAX];
    if (!real)
        real = (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
    enum how how = arrive("look", LOOK, place_of(AT_FDCWD, path, room));
    if (how == FAIL)
        return NULL;
    DIR *answer = real(path);
    if (how != NOTHING)
        die();
    return answer;
}

SHOWN int mkdirat(int folder, const char *path, mode_t mode)
{
    char room[PATH_MAX];
    POINT("mkdir", MAKE, place_of(folder, path, room), syscall(SYS_mkdirat, folder, path, mode));
}

SHOWN int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

SHOWN int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    char room[PATH_MAX];
    POINT("rename", MAKE, place_of(to, new, room),
          syscall(SYS_renameat2, from, old, to, new, flags));
}

SHOWN int renameat(int from, const char *old, int to, const char *new)
{
    return renameat2(from, old, to, new, 0);
}

SHOWN int rename(const char *old, const char *new)
{
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

SHOWN int linkat(int from, const char *old, int to, const char *new, int flags)
{
    char room[PATH_MAX];
    POINT("link", MAKE, place_of(to, new, room), syscall(SYS_linkat, from, old, to, new, flags));
}

SHOWN int link(const char *old, const char *new)
{
    return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

SHOWN int symlinkat(const char *target, int folder, const char *path)
{
    char room[PATH_MAX];
    POINT("symlink", MAKE, place_of(folder, path, room),
          syscall(SYS_symlinkat, target, folder, path));
}

SHOWN int symlink(const char *target, const char *path)
{
    return symlinkat(target, AT_FDCWD, path);
}

SHOWN int unlinkat(int folder, const char *path, int flags)
{
    char room[PATH_MAX];
    POINT(flags & AT_REMOVEDIR ? "rmdir" : "unlink", DROP, place_of(folder, path, room),
          syscall(SYS_unlinkat, folder, path, flags));
}

SHOWN int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

SHOWN int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* --- bytes -------------------------------------------------------------------------------- */

/* Writes pieces; torn, only the first half of their bytes. `at` is -1 where the file stands. */
static ssize_t write_at(int descriptor, const struct iovec *pieces, int count, off_t at)
{
    char room[PATH_MAX];
    enum how how = arrive("write", FILL, place_of_open(descriptor, room));
    if (how == FAIL)
        return -1;
    if (how == KILL_TORN) {
        size_t size = 0;
        for (int i = 0; i < count; i++)
            size += pieces[i].iov_len;
        size /= 2;
        for (int i = 0; i < count && size; i++) {
            size_t part = pieces[i].iov_len < size ? pieces[i].iov_len : size;
            if (at < 0)
                syscall(SYS_write, descriptor, pieces[i].iov_base, part);
            else
                syscall(SYS_pwrite64, descriptor, pieces[i].iov_base, part, at);
            at += at < 0 ? 0 : (off_t)part;
            size -= part;
        }
        die();
    }
    /* One piece goes by the plain call: descriptors that are no files may know no other. */
    ssize_t answer;
    if (count == 1 && at < 0)
        answer = syscall(SYS_write, descriptor, pieces->iov_base, pieces->iov_len);
    else if (at < 0)
        answer = syscall(SYS_writev, descriptor, pieces, count);
    else
        answer = syscall(SYS_pwritev, descriptor, pieces, count, at, 0L);
    if (how == KILL_AFTER)
        die();
    return answer;
}

SHOWN ssize_t write(int descriptor, const void *data, size_t size)
{
    struct iovec piece = {(void *)data, size};
    return write_at(descriptor, &piece, 1, -1);
}

SHOWN ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    return write_at(descriptor, pieces, count, -1);
}

SHOWN ssize_t pwrite(int descriptor, const void *data, size_t size, off_t at)
{
    struct iovec piece = {(void *)data, size};
    return write_at(descriptor, &piece, 1, at);
}

SHOWN ssize_t pwrite64(int descriptor, const void *data, size_t size, off_t at)
{
    return pwrite(descriptor, data, size, at);
}

SHOWN ssize_t pwritev(int descriptor, const struct iovec *pieces, int count, off_t at)
{
    return write_at(descriptor, pieces, count, at);
}

SHOWN ssize_t pwritev64(int descriptor, const struct iovec *pieces, int count, off_t at)
{
    return write_at(descriptor, pieces, count, at);
}

SHOWN ssize_t pwritev64v2(int descriptor, const struct iovec *pieces, int count, off_t at,
                          int flags)
{
    (void)flags; /* hints */
    return write_at(descriptor, pieces, count, at);
}

SHOWN ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t size,
                              unsigned flags)
{
    char room[PATH_MAX];
    POINT("copy", FILL, place_of_open(to, room),
          syscall(SYS_copy_file_range, from, from_at, to, to_at, size, flags));
}

SHOWN ssize_t sendfile64(int to, int from, off_t *at, size_t size)
{
    char room[PATH_MAX];
    POINT("copy", FILL, place_of_open(to, room), syscall(SYS_sendfile, to, from, at, size));
}

SHOWN int ftruncate(int descriptor, off_t size)
{
    char room[PATH_MAX];
    POINT("truncate", FILL, place_of_open(descriptor, room),
          syscall(SYS_ftruncate, descriptor, size));
}

SHOWN int ftruncate64(int descriptor, off_t size)
{
    return ftruncate(descriptor, size);
}

SHOWN int truncate(const char *path, off_t size)
{
    char room[PATH_MAX];
    POINT("truncate", FILL, place_of(AT_FDCWD, path, room), syscall(SYS_truncate, path, size));
}

SHOWN int truncate64(const char *path, off_t size)
{
    return truncate(path, size);
}

SHOWN int posix_fallocate(int descriptor, off_t at, off_t size)
{
    char room[PATH_MAX];
    POINT_BY_NUMBER("allocate", FILL, place_of_open(descriptor, room),
                    syscall(SYS_fallocate, descriptor, 0, at, size));
}

SHOWN int posix_fallocate64(int descriptor, off_t at, off_t size)
{
    return posix_fallocate(descriptor, at, size);
}

SHOWN int fsync(int descriptor)
{
    char room[PATH_MAX];
    POINT("sync", SYNC, place_of_open(descriptor, room), syscall(SYS_fsync, descriptor));
}

SHOWN int fdatasync(int descriptor)
{
    char room[PATH_MAX];
    POINT("sync", SYNC, place_of_open(descriptor, room), syscall(SYS_fdatasync, descriptor));
}

/* --- times, modes, locks ------------------------------------------------------------------ */

SHOWN int utimensat(int folder, const char *path, const struct timespec times[2], int flags)
{
    char room[PATH_MAX];
    POINT("stamp", STAMP, place_of(folder, path, room),
          syscall(SYS_utimensat, folder, path, times, flags));
}

SHOWN int futimens(int descriptor, const struct timespec times[2])
{
    char room[PATH_MAX];
    POINT("stamp", STAMP, place_of_open(descriptor, room),
          syscall(SYS_utimensat, descriptor, NULL, times, 0));
}

SHOWN int utime(const char *path, const struct utimbuf *times)
{
    struct timespec both[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    if (times) {
        both[0] = (struct timespec){times->actime, 0};
        both[1] = (struct timespec){times->modtime, 0};
    }
    return utimensat(AT_FDCWD, path, both, 0);
}

SHOWN int fchmod(int descriptor, mode_t mode)
{
    char room[PATH_MAX];
    POINT("stamp", STAMP, place_of_open(descriptor, room), syscall(SYS_fchmod, descriptor, mode));
}

SHOWN int fchown(int descriptor, uid_t owner, gid_t group)
{
    char room[PATH_MAX];
    POINT("stamp", STAMP, place_of_open(descriptor, room),
          syscall(SYS_fchown, descriptor, owner, group));
}

SHOWN int flock(int descriptor, int how_to)
{
    char room[PATH_MAX];
    POINT("lock", LOCK, place_of_open(descriptor, room), syscall(SYS_flock, descriptor, how_to));
}

static int control(int descriptor, int command, void *argument)
{
    char room[PATH_MAX];
    bool is_lock = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK
                   || command == F_OFD_SETLKW;
    POINT("lock", LOCK, is_lock ? place_of_open(descriptor, room) : NULL,
          syscall(SYS_fcntl, descriptor, command, argument));
}

#define ARGUMENT(last)                                                                             \
    va_list more;                                                                                  \
    va_start(more, last);                                                                          \
    void *argument = va_arg(more, void *);                                                         \
    va_end(more);

SHOWN int fcntl(int descriptor, int command, ...)
{
    ARGUMENT(command)
    return control(descriptor, command, argument);
}

SHOWN int fcntl64(int descriptor, int command, ...)
{
    ARGUMENT(command)
    return control(descriptor, command, argument);
}

/* --- roles -------------------------------------------------------------------------------- */

/* A child of the zygote is a worker; what a worker or a command forks is what it was forked by. */
static void forked(void)
{
    if (role == ZYGOTE)
        role = WORKER;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* Tells the role by the words of the command line: `python … -m flowkit`, or the worker's file. */
static int told_role(void)
{
    char words[1 << 16];
    int descriptor = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    ssize_t size = read(descriptor, words, sizeof words - 1);
    syscall(SYS_close, descriptor);
    words[size > 0 ? size : 0] = 0;
    const char *before = "";
    for (const char *word = words; word < words + size; word += strlen(word) + 1) {
        if (strcmp(before, "-m") == 0)
            return strcmp(word, "flowkit") == 0 ? COMMAND : ROLES;
        if (ends_with(before, "flowkit/worker/__main__.py"))
            return strcmp(word, "zygote") == 0    ? ZYGOTE
                   : strcmp(word, "attempt") == 0 ? WORKER
                                                  : ROLES;
        before = word;
    }
    return ROLES;
}

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("FAULTS_ROOT"), *shared = getenv("FAULTS_STATE");
    if (!folder || !shared || strlen(folder) >= sizeof root)
        return;
    strcpy(root, folder);
    root_size = strlen(root);
    log_path = getenv("FAULTS_LOG");
    int descriptor = syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC, 0);
    if (descriptor < 0)
        abort();
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    syscall(SYS_close, descriptor);
    if (state == MAP_FAILED)
        abort();
    pthread_atfork(NULL, NULL, forked);
    role = told_role();
}
