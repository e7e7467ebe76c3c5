/* A pool of threads for the kernels.

   A job has parts; the caller and the threads of the pool take one part after the other until none is left. If the pool's
   threads do not run, since other processes have the processors, the caller computes all parts itself and waits for nobody.

   A thread without work looks for some for SPIN nanoseconds, as the kernels of a step follow each other within microseconds.
   Then it sleeps until it is woken, so that none uses a processor while Python prepares the next step or does something else.

   A second job at the same time, from another thread of Python, is computed by its caller alone. A child process after fork()
   has none of its parent's threads; it starts its own when it needs them. Without POSIX threads (Windows, a browser), and if
   the system refuses a thread, the caller computes everything. */

#include "pool.h"

double least_work = 1;

void set_least_work(double factor) { least_work = factor; } /* for tests */

#if defined(_WIN32) || (defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__))

void parallel(int threads, int64_t parts, part_of_job compute, void *job) {
    (void)threads;
    for (int64_t part = 0; part < parts; part++) compute(job, part, 0);
}

int pool_threads(void) { return 0; }

#else

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "baseline.h"

#define SPIN 50000      /* nanoseconds; docs/log.md has the measurements */
#define PARTS_LEFT 8191 /* the bits of a ticket that count the parts */

static struct {
    /* The number of the job, and the number of its parts that nobody has taken. A thread takes a part by decreasing this. It
       succeeds only if the ticket is still the same, and then what it has read of the job before is of that job. */
    _Atomic uint64_t ticket;
    _Atomic(part_of_job) compute;
    _Atomic(void *) job;
    _Atomic int members;
    _Atomic int64_t done;
    _Atomic int asleep;
    atomic_flag taken; /* by the caller whose job is computed */
    int started;       /* threads, without callers */
    pthread_mutex_t lock;
    pthread_cond_t work;
} pool = {.taken = ATOMIC_FLAG_INIT, .lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Take parts of the present job and compute them until none is left; returns the ticket that had none for this member. */
static uint64_t take_parts(int member) {
    for (;;) {
        uint64_t seen = atomic_load(&pool.ticket);
        if (!(seen & PARTS_LEFT) || member >= atomic_load_explicit(&pool.members, memory_order_relaxed)) return seen;
        part_of_job compute = atomic_load_explicit(&pool.compute, memory_order_relaxed);
        void *job = atomic_load_explicit(&pool.job, memory_order_relaxed);
        if (!atomic_compare_exchange_strong(&pool.ticket, &seen, seen - 1)) continue;
        compute(job, (int64_t)(seen & PARTS_LEFT) - 1, member);
        atomic_fetch_add(&pool.done, 1);
    }
}

static void *work(void *number) {
    int member = (int)(intptr_t)number;
    for (;;) {
        uint64_t seen = take_parts(member);
        int64_t end = now() + SPIN;
        while (atomic_load(&pool.ticket) == seen && now() < end) relax();
        if (atomic_load(&pool.ticket) != seen) continue;
        pthread_mutex_lock(&pool.lock);
        atomic_fetch_add(&pool.asleep, 1);
        while (atomic_load(&pool.ticket) == seen) pthread_cond_wait(&pool.work, &pool.lock);
        atomic_fetch_sub(&pool.asleep, 1);
        pthread_mutex_unlock(&pool.lock);
    }
    return 0;
}

/* In the child of a fork, which has this thread only, and perhaps locks of others that will never be opened. */
static void start_anew(void) {
    pool.started = 0;
    atomic_store(&pool.asleep, 0);
    atomic_store(&pool.ticket, 0);
    atomic_flag_clear(&pool.taken);
    pool.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    pool.work = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

static void start_threads(int threads) {
    static int known;
    if (!known) {
        pthread_atfork(0, 0, start_anew);
        known = 1;
    }
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_t unused;
    while (pool.started < threads &&
           !pthread_create(&unused, &detached, work, (void *)(intptr_t)(pool.started + 1)))
        pool.started++;
    pthread_attr_destroy(&detached);
}

void parallel(int threads, int64_t parts, part_of_job compute, void *job) {
    if (threads > MOST_THREADS) threads = MOST_THREADS;
    if (threads < 2 || parts < 2 || atomic_flag_test_and_set(&pool.taken)) {
        for (int64_t part = 0; part < parts; part++) compute(job, part, 0);
        return;
    }
    if (pool.started < threads - 1) start_threads(threads - 1);
    atomic_store_explicit(&pool.compute, compute, memory_order_relaxed);
    atomic_store_explicit(&pool.job, job, memory_order_relaxed);
    atomic_store_explicit(&pool.members, threads, memory_order_relaxed);
    atomic_store_explicit(&pool.done, 0, memory_order_relaxed);
    uint64_t last = atomic_load(&pool.ticket);
    atomic_store(&pool.ticket, (last | PARTS_LEFT) + 1 + (uint64_t)parts);
    if (atomic_load(&pool.asleep)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.work);
        pthread_mutex_unlock(&pool.lock);
    }
    take_parts(0);
    for (int64_t began = 0; atomic_load(&pool.done) < parts;) {
        relax();
        if (!began) began = now();
        if (now() - began > SPIN) sched_yield(); /* a thread with a part is waiting for a processor */
    }
    atomic_flag_clear(&pool.taken);
}

/* The number of threads that have been started. */
int pool_threads(void) { return pool.started; }

#endif

/* `parallel` for tests, which call no function that the library hides. */
void compute_in_parallel(int threads, int64_t parts, part_of_job compute, void *job) { parallel(threads, parts, compute, job); }
