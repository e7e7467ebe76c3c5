/* Text to the ids of tokens: each piece is merged once, in the order in which the merges were learnt, and then remembered.

   The same algorithm stands in encoding.py in Python. */

#ifndef BACKLIGHT_ENCODING_H
#define BACKLIGHT_ENCODING_H

#include "pieces.h"

#define NO_MERGE UINT64_MAX
#define SCANNED 96      /* bytes of a piece up to which the next merge is found by looking at all pairs */
#define REMEMBERED 255  /* bytes of a piece up to which it is remembered */
#define MOST_PIECES (1u << 18)
#define MOST_STORED (1u << 26)
#define FIRST_SLOTS (1u << 12)

typedef struct {
    uint64_t pair;  /* the two ids */
    uint64_t merge; /* the rank above, the id of what they make below; NO_MERGE in an empty slot */
} merge_slot;

typedef struct {
    int32_t byte_ids[256];
    const int32_t *merges;   /* in order: left, right, what they make */
    const uint32_t *lengths; /* of each token, in bytes */
    merge_slot *slots;
    uint64_t mask;
    pieces known;
    int32_t *cells; /* for long pieces: see training.h */
    uint64_t *heap;
    int64_t room;
} encoder;

INLINE uint64_t ids_of(int32_t left, int32_t right) { return (uint64_t)(uint32_t)left << 32 | (uint32_t)right; }

INLINE uint64_t merge_of(const encoder *e, int32_t left, int32_t right) {
    const uint64_t pair = ids_of(left, right);
    for (uint64_t i = mixed(pair, pair) >> 20;; i++) {
        const merge_slot *s = e->slots + (i & e->mask);
        if (s->merge == NO_MERGE || s->pair == pair) return s->merge;
    }
}

static int encoder_begin(encoder *e, const int32_t *byte_ids, const int32_t *merges, int64_t count,
                         const uint32_t *lengths) {
    uint64_t slots = 1024;
    while (slots < 2 * (uint64_t)count) slots *= 2;
    memcpy(e->byte_ids, byte_ids, sizeof e->byte_ids);
    e->merges = merges;
    e->lengths = lengths;
    e->mask = slots - 1;
    if (!(e->slots = malloc(slots * sizeof *e->slots)) || !pieces_begin(&e->known, FIRST_SLOTS)) return 0;
    for (uint64_t i = 0; i < slots; i++) e->slots[i].merge = NO_MERGE;
    for (int64_t rank = 0; rank < count; rank++) {
        const int32_t *m = merges + 3 * rank; /* left, right, what they make */
        const uint64_t pair = ids_of(m[0], m[1]);
        uint64_t i = mixed(pair, pair) >> 20;
        while (e->slots[i & e->mask].merge != NO_MERGE) i++;
        e->slots[i & e->mask] = (merge_slot){pair, (uint64_t)rank << 32 | (uint32_t)m[2]};
    }
    return 1;
}

/* Merges a piece of at most SCANNED bytes; returns how many ids are left. */
static int64_t merge_short(const encoder *e, const uint8_t *p, int64_t size, int32_t *ids) {
    uint64_t merges[SCANNED];
    for (int64_t i = 0; i < size; i++) ids[i] = e->byte_ids[p[i]];
    for (int64_t i = 0; i + 1 < size; i++) merges[i] = merge_of(e, ids[i], ids[i + 1]);
    while (size > 1) {
        int64_t at = 0;
        for (int64_t i = 1; i + 1 < size; i++)
            if (merges[i] < merges[at]) at = i;
        if (merges[at] == NO_MERGE) break;
        ids[at] = (int32_t)(uint32_t)merges[at];
        size--;
        memmove(ids + at + 1, ids + at + 2, (size_t)(size - at - 1) * sizeof *ids);
        if (at + 1 < size) {
            memmove(merges + at + 1, merges + at + 2, (size_t)(size - at - 2) * sizeof *merges);
            merges[at] = merge_of(e, ids[at], ids[at + 1]);
        }
        if (at) merges[at - 1] = merge_of(e, ids[at - 1], ids[at]);
    }
    return size;
}

static void heap_down(uint64_t *heap, int64_t size, int64_t i) {
    uint64_t moved = heap[i];
    for (int64_t child; (child = 2 * i + 1) < size; i = child) {
        if (child + 1 < size && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= moved) break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

static void heap_push(uint64_t *heap, int64_t *size, uint64_t added) {
    int64_t i = (*size)++;
    for (int64_t parent; i && heap[parent = (i - 1) / 2] > added; i = parent) heap[i] = heap[parent];
    heap[i] = added;
}

/* Merges a piece of any length by a heap of (rank, place), as cells hold it; -1 if there is no memory. */
static int64_t merge_long(encoder *e, const uint8_t *p, int64_t size, int32_t *ids) {
    if (size > e->room) {
        free(e->cells);
        free(e->heap);
        e->cells = malloc((size_t)(size + 2) * sizeof *e->cells);
        e->heap = malloc((size_t)(2 * size) * sizeof *e->heap);
        e->room = e->cells && e->heap ? size : 0;
        if (!e->room) return -1;
    }
    int32_t *cells = e->cells;
    int64_t waiting = 0;
    cells[0] = cells[size + 1] = GAP;
    for (int64_t i = 0; i < size; i++) cells[i + 1] = e->byte_ids[p[i]];
#define RANK_AT(place, left, right) ((merge_of(e, left, right) & 0xffffffff00000000u) | (uint32_t)(place))
    for (int64_t i = 1; i < size; i++)
        if (merge_of(e, cells[i], cells[i + 1]) != NO_MERGE) e->heap[waiting++] = RANK_AT(i, cells[i], cells[i + 1]);
    for (int64_t i = waiting / 2; i-- > 0;) heap_down(e->heap, waiting, i);
    while (waiting) {
        const uint64_t top = e->heap[0];
        e->heap[0] = e->heap[--waiting];
        if (waiting) heap_down(e->heap, waiting, 0);
        const int64_t place = (int64_t)(uint32_t)top;
        const int32_t *m = e->merges + 3 * (top >> 32);
        const int64_t middle = place + e->lengths[m[0]];
        if (cells[place] != m[0] || cells[middle] != m[1]) continue; /* one of the two is now part of another token */
        const int64_t after = middle + e->lengths[m[1]];
        const int32_t made = m[2];
        cells[middle] = DEAD;
        cells[place] = cells[after - 1] = made;
        if (cells[after] >= 0 && merge_of(e, made, cells[after]) != NO_MERGE)
            heap_push(e->heap, &waiting, RANK_AT(place, made, cells[after]));
        const int32_t before = cells[place - 1];
        if (before >= 0 && merge_of(e, before, made) != NO_MERGE)
            heap_push(e->heap, &waiting, RANK_AT(place - e->lengths[before], before, made));
    }
    int64_t count = 0;
    for (int64_t i = 1; i <= size; i += e->lengths[cells[i]]) ids[count++] = cells[i];
    return count;
}

static int64_t merged(encoder *e, const uint8_t *p, int64_t size, int32_t *ids) {
    return size <= SCANNED ? merge_short(e, p, size, ids) : merge_long(e, p, size, ids);
}

/* Remembers a piece in an empty slot. Where there is no room, all others are forgotten: memory stays bounded. */
static int remember(encoder *e, entry *slot, key k, const uint8_t *p, int64_t size, const int32_t *ids, int64_t count) {
    pieces *t = &e->known;
    const uint64_t bytes = is_long(k) ? (uint64_t)(size + 3) / 4 * 4 : 0;
    const uint64_t wanted = bytes + (count > 2 ? 4 * (uint64_t)count : 0);
    if (t->used >= MOST_PIECES || t->stored + wanted > MOST_STORED) {
        memset(t->slots, 0, (t->mask + 1) * sizeof *t->slots);
        t->used = t->stored = 0;
        slot = slot_of(t, k, p, size);
    }
    if (!pieces_room(t, wanted)) return 0;
    *slot = (entry){.of = k, .where = (uint32_t)t->stored, .count = (uint32_t)count};
    if (bytes) memcpy(t->store + t->stored, p, (size_t)size);
    if (count > 2)
        memcpy(t->store + t->stored + bytes, ids, (size_t)count * sizeof *ids);
    else
        memcpy(slot->ids, ids, (size_t)count * sizeof *ids);
    t->stored += wanted;
    t->used++;
    return pieces_grow(t);
}

/* Writes the ids of a piece, of which there may be two more than it has bytes; returns their number, or -1. */
INLINE int64_t encode_piece(encoder *e, const uint8_t *p, int64_t size, const uint8_t *limit, int32_t *ids) {
    if (size > REMEMBERED) return merged(e, p, size, ids);
    const key k = key_of(p, size, limit);
    entry *slot = slot_of(&e->known, k, p, size);
    if (slot->of.high) {
        if (slot->count <= 2)
            memcpy(ids, slot->ids, sizeof slot->ids);
        else
            memcpy(ids, e->known.store + slot->where + (is_long(k) ? (size + 3) / 4 * 4 : 0), slot->count * sizeof *ids);
        return slot->count;
    }
    const int64_t count = merged(e, p, size, ids);
    return count < 0 || !remember(e, slot, k, p, size, ids, count) ? -1 : count;
}

/* Encodes texts, one after the other. `ids` has room for two more than there are bytes; `id_ends` is where each text's
   ids end. Returns how many ids there are, or -1 if there is no memory. */
static int64_t encode_texts(encoder *e, const rule *r, const uint8_t *data, const int64_t *ends, int64_t count,
                            int32_t *ids, int64_t *id_ends) {
    const uint8_t *p = data, *limit = data + (count ? ends[count - 1] : 0);
    int64_t done = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *end = data + ends[i];
        while (p < end) {
            const uint8_t *next = piece_end(r, p, end);
            const int64_t more = encode_piece(e, p, next - p, limit, ids + done);
            if (more < 0) return -1;
            done += more;
            p = next;
        }
        id_ends[i] = done;
    }
    return done;
}

#endif
