/* The pairs of a text while it is merged: their counts, where they begin, and which of them is next. See training.h. */

#ifndef BACKLIGHT_PAIRS_H
#define BACKLIGHT_PAIRS_H

#include "pieces.h"

#define BYTES 256

enum { DONE = 0, NO_MEMORY = -1, TOO_LONG = -2 };

typedef struct {
    int32_t id;
    uint32_t times; /* how often the piece occurred */
} cell;

typedef struct {
    int32_t left, right;
    int64_t count;
    uint64_t places, end; /* the part of the trainer's `places` that lists where it began */
} pair;

typedef struct { /* an entry of the heap: a pair, with its count and first place at some time */
    int64_t count;
    uint32_t first, pair;
} candidate;

typedef struct {
    uint64_t pair_key;
    uint32_t pair;
} pair_slot;

typedef struct { /* a token that a merge found beside the new one, on one side of it */
    int32_t other;
    int64_t count; /* of the new pair */
    int64_t gone;  /* of the pair that it replaces */
    uint64_t places, used;
} beside;

typedef struct { /* a place where it found that */
    uint32_t place, beside;
} found;

typedef struct {
    pieces seen; /* until merging starts; then they lie in the cells */
    cell *cells;
    int64_t size; /* of cells */
    uint32_t *lengths;
    int32_t tokens, most_tokens;
    pair *pairs;
    uint64_t pair_count, pair_room;
    uint32_t *places;
    uint64_t place_count, place_room;
    pair_slot *slots; /* of pairs, by their two ids */
    uint64_t slot_mask;
    candidate *heap;
    uint64_t heap_size, heap_room;
    int32_t *by_left, *by_right; /* for each token, its row in `sides`, or -1 */
    beside *sides;
    uint64_t side_count, side_room;
    found *finds;
    uint64_t find_count, find_room;
} trainer;

/* Makes room for one more in an array that grows. */
#define ROOM(array, count, room)                                                                  \
    ((count) < (room) || grown((void **)&(array), &(room), (count) + 1, sizeof *(array)))

static int grown(void **array, uint64_t *room, uint64_t wanted, size_t size) {
    uint64_t larger = wanted + wanted / 2 + 64;
    void *moved = realloc(*array, larger * size);
    if (!moved) return 0;
    *array = moved;
    *room = larger;
    return 1;
}

/* -- pairs -------------------------------------------------------------------------------------------------------- */

INLINE uint64_t pair_key(int32_t left, int32_t right) { return (uint64_t)(uint32_t)left << 32 | (uint32_t)right; }

/* The slot of a pair, or the empty one where it belongs; an empty slot's pair is UINT32_MAX. */
INLINE pair_slot *pair_slot_of(const trainer *t, uint64_t key) {
    for (uint64_t i = mixed(key, key) >> 20;; i++) {
        pair_slot *s = t->slots + (i & t->slot_mask);
        if (s->pair == UINT32_MAX || s->pair_key == key) return s;
    }
}

static int slots_begin(trainer *t, uint64_t size) {
    pair_slot *slots = malloc(size * sizeof *slots);
    if (!slots) return 0;
    free(t->slots);
    t->slots = slots;
    t->slot_mask = size - 1;
    for (uint64_t i = 0; i < size; i++) slots[i].pair = UINT32_MAX;
    for (uint64_t i = 0; i < t->pair_count; i++) {
        uint64_t key = pair_key(t->pairs[i].left, t->pairs[i].right);
        *pair_slot_of(t, key) = (pair_slot){key, (uint32_t)i};
    }
    return 1;
}

INLINE int is_there(const trainer *t, const pair *p, uint32_t place) {
    return t->cells[place].id == p->left && t->cells[place + t->lengths[p->left]].id == p->right;
}

/* -- the heap ----------------------------------------------------------------------------------------------------- */

INLINE int before(const candidate *a, const candidate *b) {
    return a->count > b->count || (a->count == b->count && a->first < b->first);
}

static void sift_down(candidate *heap, uint64_t size, uint64_t i) {
    candidate moved = heap[i];
    for (uint64_t child; (child = 2 * i + 1) < size; i = child) {
        if (child + 1 < size && before(heap + child + 1, heap + child)) child++;
        if (!before(heap + child, &moved)) break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

static int push(trainer *t, uint32_t index) {
    if (!ROOM(t->heap, t->heap_size, t->heap_room)) return 0;
    const pair *p = t->pairs + index;
    candidate added = {p->count, t->places[p->places], index};
    uint64_t i = t->heap_size++;
    for (uint64_t parent; i && before(&added, t->heap + (parent = (i - 1) / 2)); i = parent)
        t->heap[i] = t->heap[parent];
    t->heap[i] = added;
    return 1;
}

/* The pair to merge next, or NULL if there is none left. */
static pair *best(trainer *t) {
    while (t->heap_size) {
        candidate *top = t->heap;
        pair *p = t->pairs + top->pair;
        if (p->count) {
            while (!is_there(t, p, t->places[p->places])) p->places++;
            uint32_t first = t->places[p->places];
            if (top->count == p->count && top->first == first) return p;
            top->count = p->count;
            top->first = first;
        } else {
            *top = t->heap[--t->heap_size];
        }
        sift_down(t->heap, t->heap_size, 0);
    }
    return 0;
}

#endif
