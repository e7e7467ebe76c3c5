/* How the work of a kernel is divided among threads.

   Each number of a result is computed by one thread, in the same order of operations however the work is divided, so results do
   not depend on the number of threads.

   To wake a second thread takes its caller about 10 microseconds, once a step; to give it work while it is awake takes less
   than can be told from the noise of a call (docs/log.md). So work is divided only where each thread gets about 5. */

#ifndef BACKLIGHT_SHARING_H
#define BACKLIGHT_SHARING_H

#include "pool.h"
#include "vectors.h"

/* The least work of a part, in the time of as many float32 numbers that are read, changed and written */
#define NUMBERS 16384.0
#define MULTIPLICATIONS 12 /* of a product, in that time */

static _Thread_local int team = 1; /* threads that the kernels called by this thread may use */

/* The number of parts into which work is divided. */
INLINE int64_t parts_of(double numbers) {
    double most = numbers / (NUMBERS * least_work + 1);
    return most >= team ? team : most < 1 ? 1 : (int64_t)most;
}

#endif
