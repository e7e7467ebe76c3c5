/* The versions of these functions that glibc 2.17 has, of 2012: what was built here then loads with an older glibc too. */

#ifndef BACKLIGHT_BASELINE_H
#define BACKLIGHT_BASELINE_H

#include <math.h>

#if defined(__GLIBC__) && defined(__x86_64__)
#define BASELINE(name) __asm__(".symver " #name ", " #name "@GLIBC_2.2.5")
#elif defined(__GLIBC__) && defined(__aarch64__)
#define BASELINE(name) __asm__(".symver " #name ", " #name "@GLIBC_2.17")
#endif

#ifdef BASELINE
BASELINE(exp2);
BASELINE(hypot);
BASELINE(log2);
BASELINE(logf);
#endif

#endif
