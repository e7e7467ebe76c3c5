/* Use the versions of these functions in glibc 2.17 (2012), so that the library also loads with an older glibc. */

#ifndef BACKLIGHT_BASELINE_H
#define BACKLIGHT_BASELINE_H

#include <math.h>

#if defined(__GLIBC__) && defined(__x86_64__)
#define BASELINE(name) __asm__(".symver " #name ", " #name "@GLIBC_2.2.5")
#elif defined(__GLIBC__) && defined(__aarch64__)
#define BASELINE(name) __asm__(".symver " #name ", " #name "@GLIBC_2.17")
#endif

#ifdef BASELINE
BASELINE(exp);
BASELINE(exp2);
BASELINE(hypot);
BASELINE(log);
BASELINE(log2);
BASELINE(logf);
BASELINE(pow);
BASELINE(pthread_create);
#endif

#endif
