/* A wall clock that can be set from outside, for the Python code (and SQLite) of the processes that load this library: the file named by
 * SHIFTED_CLOCK holds, as text, by how many seconds it is wrong. Other libraries keep the kernel's time, since they also wait until a
 * time of day, which the kernel would not know of; steady clocks are left alone, as they are when somebody sets the clock. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *const shifted[] = {"python", "libpython", "libsqlite3", "_sqlite3"};

static int is_shifted(void *caller) {
    Dl_info found;
    const char *name, *slash;
    size_t i;
    if (!dladdr(caller, &found) || !found.dli_fname) return 0;
    slash = strrchr(found.dli_fname, '/');
    name = slash ? slash + 1 : found.dli_fname;
    for (i = 0; i < sizeof shifted / sizeof *shifted; i++)
        if (strncmp(name, shifted[i], strlen(shifted[i])) == 0) return 1;
    return 0;
}

static long shift(void *caller) {
    const char *path = getenv("SHIFTED_CLOCK");
    long seconds = 0;
    FILE *file;
    if (!path || !is_shifted(caller) || !(file = fopen(path, "r"))) return 0;
    if (fscanf(file, "%ld", &seconds) != 1) seconds = 0;
    fclose(file);
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += shift(__builtin_return_address(0));
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    (void)zone;
    if (syscall(SYS_clock_gettime, CLOCK_REALTIME, &precise) != 0) return -1;
    now->tv_sec = precise.tv_sec + shift(__builtin_return_address(0));
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec precise;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &precise);
    precise.tv_sec += shift(__builtin_return_address(0));
    if (where) *where = precise.tv_sec;
    return precise.tv_sec;
}
