/* Byte-pair encoding learnt from text. The same algorithm stands in training.py in Python; both give the same merges.

   Texts are split into pieces; each piece is kept once, with the number of times that it occurred. The pieces lie in one
   array of cells, a cell for each byte, with a gap between pieces. A token's id stands in the cell of its first byte and
   in that of its last, so that both neighbours of a token are found without links. A pair has its count, and the cells
   where it began, in order: a merge goes to those and nowhere else. Cells where the pair is no longer are passed over.

   The next merge is the most frequent pair, and of several the one whose first occurrence comes first. Both can only get
   worse for a pair once it has come into being, so a heap with outdated keys is enough: what comes out on top is
   put back if it is not as good as it was. */

#ifndef BACKLIGHT_TRAINING_H
#define BACKLIGHT_TRAINING_H

#include "pairs.h"

/* -- pieces ------------------------------------------------------------------------------------------------------- */

static int trainer_add_piece(trainer *t, const uint8_t *p, int64_t size, const uint8_t *limit) {
    key k = key_of(p, size, limit);
    entry *e = slot_of(&t->seen, k, p, size);
    if (e->of.high) {
        if (e->times == UINT32_MAX) return TOO_LONG;
        e->times++;
        return DONE;
    }
    if (t->seen.stored + (uint64_t)size + 1 >= UINT32_MAX) return TOO_LONG;
    if (!pieces_room(&t->seen, (uint64_t)size + 1)) return NO_MEMORY;
    *e = (entry){.of = k, .where = (uint32_t)t->seen.stored, .count = (uint32_t)size, .times = 1};
    memcpy(t->seen.store + e->where, p, (size_t)size);
    t->seen.stored += (uint64_t)size + 1; /* and a gap */
    t->seen.used++;
    return pieces_grow(&t->seen) ? DONE : NO_MEMORY;
}

static int trainer_add_texts(trainer *t, const rule *r, const uint8_t *data, const int64_t *ends, int64_t count) {
    const uint8_t *p = data, *limit = data + (count ? ends[count - 1] : 0);
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *end = data + ends[i];
        while (p < end) {
            const uint8_t *next = piece_end(r, p, end);
            int failed = next - p > 1 ? trainer_add_piece(t, p, next - p, limit) : DONE; /* one byte has no pair */
            if (failed) return failed;
            p = next;
        }
    }
    return DONE;
}

/* -- the start ---------------------------------------------------------------------------------------------------- */

/* Lays out the cells of all pieces, one after the other in the order in which they first came. */
static int lay_out(trainer *t) {
    t->size = (int64_t)t->seen.stored + 1;
    if (!(t->cells = malloc((size_t)t->size * sizeof(cell)))) return 0;
    for (int64_t i = 0; i < t->size; i++) t->cells[i] = (cell){GAP, 0};
    for (const entry *e = t->seen.slots; e <= t->seen.slots + t->seen.mask; e++)
        for (uint32_t i = 0; e->of.high && i < e->count; i++)
            t->cells[1 + e->where + i] = (cell){t->seen.store[e->where + i], (uint32_t)e->times};
    pieces_end(&t->seen);
    t->seen = (pieces){0};
    return 1;
}

/* Counts the pairs of bytes, and lists where each begins. */
static int count_bytes(trainer *t) {
    uint64_t *begins = calloc(BYTES * BYTES + 1, sizeof *begins);
    int64_t *counts = calloc(BYTES * BYTES, sizeof *counts);
    int fine = begins && counts;
#define EACH_PAIR(i, ab)                                                                      \
    for (int64_t i = 1, ab; i + 1 < t->size; i++)                                             \
        if (t->cells[i].id != GAP && t->cells[i + 1].id != GAP && (ab = t->cells[i].id * BYTES + t->cells[i + 1].id, 1))
    if (fine) {
        EACH_PAIR(i, ab) {
            begins[ab + 1]++;
            counts[ab] += t->cells[i].times;
        }
        for (int ab = 0; ab < BYTES * BYTES; ab++) begins[ab + 1] += begins[ab];
        t->place_count = t->place_room = begins[BYTES * BYTES];
        fine = (t->places = malloc((t->place_room + 1) * sizeof *t->places)) != 0;
    }
    for (int ab = 0; fine && ab < BYTES * BYTES; ab++)
        if (counts[ab] && (fine = ROOM(t->pairs, t->pair_count, t->pair_room)))
            t->pairs[t->pair_count++] = (pair){ab / BYTES, ab % BYTES, counts[ab], begins[ab], begins[ab + 1]};
    if (fine) {
        EACH_PAIR(i, ab) t->places[begins[ab]++] = (uint32_t)i;
    }
    free(begins);
    free(counts);
    return fine;
}

/* Gets ready to merge; no text can be added any more. */
static int trainer_start(trainer *t, int32_t merges) {
    t->tokens = BYTES;
    t->most_tokens = BYTES + merges;
    size_t tokens = (size_t)t->most_tokens;
    t->lengths = malloc(tokens * sizeof *t->lengths);
    t->by_left = malloc(tokens * sizeof *t->by_left);
    t->by_right = malloc(tokens * sizeof *t->by_right);
    if (!t->lengths || !t->by_left || !t->by_right) return NO_MEMORY;
    for (size_t i = 0; i < tokens; i++) {
        t->lengths[i] = 1;
        t->by_left[i] = t->by_right[i] = -1;
    }
    if (!lay_out(t) || !count_bytes(t)) return NO_MEMORY;
    uint64_t slots = 1024;
    while (slots < 4 * t->pair_count) slots *= 2;
    if (!slots_begin(t, slots)) return NO_MEMORY;
    for (uint64_t i = 0; i < t->pair_count; i++)
        if (!push(t, (uint32_t)i)) return NO_MEMORY;
    return DONE;
}

/* -- a merge ------------------------------------------------------------------------------------------------------ */

/* The row of what stands beside the new token, made if there is none. NULL without memory. */
INLINE beside *side(trainer *t, int32_t *rows, int32_t other) {
    if (rows[other] < 0) {
        if (!ROOM(t->sides, t->side_count, t->side_room)) return 0;
        t->sides[t->side_count] = (beside){.other = other};
        rows[other] = (int32_t)t->side_count++;
    }
    return t->sides + rows[other];
}

INLINE int find_there(trainer *t, const beside *s, int64_t place) {
    if (!ROOM(t->finds, t->find_count, t->find_room)) return 0;
    t->finds[t->find_count++] = (found){(uint32_t)place, (uint32_t)(s - t->sides)};
    return 1;
}

/* Merges a pair where it stands, from left to right, and notes what changes beside it. */
static int merge_everywhere(trainer *t, const pair *p, int32_t token) {
    const uint32_t left_length = t->lengths[p->left], length = t->lengths[token];
    for (uint64_t i = p->places; i < p->end; i++) {
        const uint32_t place = t->places[i];
        if (!is_there(t, p, place)) continue;
        cell *first = t->cells + place;
        const int32_t before = first[-1].id, after = first[length].id;
        const int64_t times = first->times;
        first[left_length].id = DEAD;
        first[0].id = first[length - 1].id = token;
        if (before != GAP) {
            beside *s = side(t, t->by_left, before);
            if (!s || !find_there(t, s, (int64_t)place - t->lengths[before])) return 0;
            s->count += times;
            if (before == token)
                t->sides[t->by_right[p->left]].count -= times; /* (token, left) came with the merge before this one */
            else
                s->gone += times;
        }
        if (after != GAP) {
            beside *s = side(t, t->by_right, after);
            if (!s || !find_there(t, s, place)) return 0;
            s->count += times;
            s->gone += times;
        }
    }
    return 1;
}

INLINE void lower(trainer *t, int32_t left, int32_t right, int64_t by) {
    if (by) t->pairs[pair_slot_of(t, pair_key(left, right))->pair].count -= by;
}

/* Turns what was noted into new pairs, each with its places in order, and lowers the counts of those that they replace. */
static int take_up(trainer *t, pair merged, int32_t token) {
    if (t->place_count + t->find_count > t->place_room &&
        !grown((void **)&t->places, &t->place_room, t->place_count + t->find_count, sizeof *t->places))
        return 0;
    for (uint64_t i = 0; i < t->find_count; i++) t->sides[t->finds[i].beside].used++;
    for (beside *s = t->sides; s < t->sides + t->side_count; s++) {
        s->places = t->place_count;
        t->place_count += s->used;
    }
    for (uint64_t i = 0; i < t->find_count; i++) t->places[t->sides[t->finds[i].beside].places++] = t->finds[i].place;
    for (uint64_t i = 0; i < t->side_count; i++) {
        beside s = t->sides[i];
        const int is_left = t->by_left[s.other] == (int32_t)i;
        if (is_left) {
            lower(t, s.other, merged.left, s.gone);
            t->by_left[s.other] = -1;
        } else {
            lower(t, merged.right, s.other, s.gone);
            t->by_right[s.other] = -1;
        }
        if (!s.count) continue;
        if (!ROOM(t->pairs, t->pair_count, t->pair_room) || t->pair_count == UINT32_MAX) return 0;
        pair made = {is_left ? s.other : token, is_left ? token : s.other, s.count, s.places - s.used, s.places};
        uint64_t key = pair_key(made.left, made.right);
        *pair_slot_of(t, key) = (pair_slot){key, (uint32_t)t->pair_count};
        t->pairs[t->pair_count++] = made;
        if (!push(t, (uint32_t)t->pair_count - 1)) return 0;
        if (t->pair_count * 2 > t->slot_mask && !slots_begin(t, (t->slot_mask + 1) * 2)) return 0;
    }
    t->side_count = t->find_count = 0;
    return 1;
}

/* Makes up to `count` merges, and writes the two ids of each. Returns how many there were: fewer if no pair is left. */
static int64_t trainer_merge(trainer *t, int64_t count, int32_t *merges) {
    for (int64_t done = 0; done < count; done++) {
        pair *p = t->tokens < t->most_tokens ? best(t) : 0;
        if (!p) return done;
        const int32_t token = t->tokens++;
        const uint32_t index = t->heap[0].pair;
        const pair merged = *p;
        t->lengths[token] = t->lengths[merged.left] + t->lengths[merged.right];
        if (!merge_everywhere(t, &merged, token) || !take_up(t, merged, token)) return NO_MEMORY;
        t->pairs[index].count = 0; /* it is nowhere left, whatever overlapping pairs, as in aaa, were counted */
        merges[2 * done] = merged.left;
        merges[2 * done + 1] = merged.right;
    }
    return count;
}

#endif
