/* A table of pieces of text: whether a piece was seen before, and what is known of it.

   A piece of up to 15 bytes is compared as two whole numbers that hold its bytes and its length. A longer one is
   compared by a hash, and then byte by byte with the copy that `store` keeps. */

#ifndef BACKLIGHT_PIECES_H
#define BACKLIGHT_PIECES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "splitting.h"

#define GAP (-1)  /* before and after a piece, where it lies in cells: see training.h */
#define DEAD (-2) /* where a token began that is now a later part of another */

#define SHORT 15
#define LONG_MARK ((uint64_t)0xff << 56)

typedef struct {
    uint64_t low, high; /* high is 0 in an empty slot, and never 0 otherwise */
} key;

typedef struct {
    key of;
    uint32_t where; /* in the store: the bytes of a long piece, and what else the owner keeps there */
    uint32_t count; /* these two are the owner's */
    union {
        uint64_t times;
        uint32_t ids[2];
    };
} entry;

typedef struct {
    entry *slots;
    uint64_t mask, used;
    uint8_t *store;
    uint64_t stored, room;
} pieces;

INLINE uint64_t mixed(uint64_t a, uint64_t b) {
    uint64_t h = (a ^ (b << 29 | b >> 35)) * 0x9e3779b97f4a7c15u;
    h ^= h >> 29;
    h += b * 0xc2b2ae3d27d4eb4fu;
    return (h ^ h >> 32) * 0x165667b19e3779f9u;
}

static key long_key(const uint8_t *p, int64_t size) {
    uint64_t a = 0x27d4eb2f165667c5u ^ (uint64_t)size, b = (uint64_t)size;
    for (int64_t i = 0; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        a = mixed(a, word);
        b = (b << 23 | b >> 41) + a;
    }
    uint64_t word;
    memcpy(&word, p + size - 8, 8); /* the last bytes, some of them again */
    a = mixed(a, word);
    return (key){a, LONG_MARK | (mixed(b, a) >> 8)};
}

/* The key of a piece of at least one byte; what lies between it and `limit` may be read. */
INLINE key key_of(const uint8_t *p, int64_t size, const uint8_t *limit) {
    if (size > SHORT) return long_key(p, size);
    key k = {0, 0};
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (limit - p >= 16) {
        memcpy(&k, p, 16);
        if (size < 8) {
            k.low &= ((uint64_t)1 << 8 * size) - 1;
            k.high = 0;
        } else {
            k.high &= ((uint64_t)1 << 8 * (size - 8)) - 1;
        }
    } else {
        memcpy(&k, p, (size_t)size);
    }
    k.high |= (uint64_t)size << 56;
#else
    uint8_t bytes[16] = {0};
    memcpy(bytes + 1, p, (size_t)size);
    memcpy(&k.low, bytes + 8, 8);
    bytes[0] = (uint8_t)size;
    memcpy(&k.high, bytes, 8);
#endif
    return k;
}

INLINE int is_long(key k) { return k.high >= LONG_MARK; }

/* The slot of a piece, or the empty one where it belongs. */
INLINE entry *slot_of(const pieces *t, key k, const uint8_t *p, int64_t size) {
    for (uint64_t i = mixed(k.low, k.high) >> 20;; i++) {
        entry *e = t->slots + (i & t->mask);
        if (!e->of.high) return e;
        if (e->of.low == k.low && e->of.high == k.high &&
            (!is_long(k) || !memcmp(t->store + e->where, p, (size_t)size)))
            return e;
    }
}

static int pieces_begin(pieces *t, uint64_t slots) {
    *t = (pieces){.slots = calloc(slots, sizeof(entry)), .mask = slots - 1};
    return t->slots != 0;
}

static void pieces_end(pieces *t) {
    free(t->slots);
    free(t->store);
}

/* Doubles the slots if more than half of them are used; 0 if there is no memory. Slots move. */
static int pieces_grow(pieces *t) {
    if (t->used * 2 <= t->mask) return 1;
    pieces larger;
    if (!pieces_begin(&larger, (t->mask + 1) * 2)) return 0;
    for (entry *e = t->slots; e <= t->slots + t->mask; e++)
        if (e->of.high) {
            uint64_t i = mixed(e->of.low, e->of.high) >> 20;
            while (larger.slots[i & larger.mask].of.high) i++;
            larger.slots[i & larger.mask] = *e;
        }
    free(t->slots);
    t->slots = larger.slots;
    t->mask = larger.mask;
    return 1;
}

/* Makes room for `size` more bytes in the store; 0 if there is no memory, or beyond 4 GiB. */
static int pieces_room(pieces *t, uint64_t size) {
    uint64_t wanted = t->stored + size;
    if (wanted > UINT32_MAX) return 0;
    if (wanted <= t->room) return 1;
    uint64_t room = wanted + wanted / 2 + 4096;
    uint8_t *larger = realloc(t->store, room);
    if (!larger) return 0;
    t->store = larger;
    t->room = room;
    return 1;
}

#endif
