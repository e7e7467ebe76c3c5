/* Threads that share out the parts of a job. pool.c has the code; it is compiled once, the kernels once per instruction set. */

#ifndef BACKLIGHT_POOL_H
#define BACKLIGHT_POOL_H

#include <stdint.h>

#define MOST_THREADS 64
#define MOST_PARTS 4096

#if defined(__GNUC__)
#define INTERNAL __attribute__((visibility("hidden")))
#else
#define INTERNAL
#endif

/* Computes a part of a job on one of its threads: `member` is 0 for the caller, else 1 .. threads - 1. */
typedef void (*part_of_job)(void *job, int64_t part, int member);

/* Compute parts 0 .. parts - 1 (at most MOST_PARTS) on up to `threads` threads, of which the caller is one, and return when all
   are done. Which thread computes a part is decided by who is free, so the result of a part must not depend on it. */
INTERNAL void parallel(int threads, int64_t parts, part_of_job compute, void *job);

/* Multiplies the least work for which kernels use a second thread: 1, or 0 in tests, to divide small arrays as well. */
INTERNAL extern double least_work;

#endif
