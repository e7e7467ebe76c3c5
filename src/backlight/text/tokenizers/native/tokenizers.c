/* Byte-pair encoding in C: what tokenizers/native/library.py calls. Compiled once, for every level of processor. */

#include "encoding.h"
#include "training.h"

/* Writes where each piece of a text ends; returns how many there are. */
int64_t bpe_split(const rule *r, const uint8_t *data, int64_t size, int64_t *ends) {
    int64_t count = 0;
    for (const uint8_t *p = data; p < data + size; ends[count++] = p - data) p = piece_end(r, p, data + size);
    return count;
}

void *bpe_trainer(void) {
    trainer *t = calloc(1, sizeof *t);
    if (t && pieces_begin(&t->seen, 4096)) return t;
    free(t);
    return 0;
}

/* 0, NO_MEMORY or TOO_LONG */
int bpe_add(trainer *t, const rule *r, const uint8_t *data, const int64_t *ends, int64_t count) {
    return trainer_add_texts(t, r, data, ends, count);
}

int bpe_start(trainer *t, int32_t merges) { return trainer_start(t, merges); }

int64_t bpe_merge(trainer *t, int64_t count, int32_t *merges) { return trainer_merge(t, count, merges); }

void bpe_trainer_free(trainer *t) {
    pieces_end(&t->seen);
    void *owned[] = {t->cells, t->lengths, t->pairs, t->places, t->slots, t->heap, t->by_left, t->by_right, t->sides, t->finds};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
    free(t);
}

void bpe_encoder_free(encoder *e) {
    pieces_end(&e->known);
    free(e->slots);
    free(e->cells);
    free(e->heap);
    free(e);
}

/* merges: (count, 3) ids: left, right, what they make. lengths: of each token in bytes. Both must outlive the encoder. */
void *bpe_encoder(const int32_t *byte_ids, const int32_t *merges, int64_t count, const uint32_t *lengths) {
    encoder *e = calloc(1, sizeof *e);
    if (!e) return 0;
    if (encoder_begin(e, byte_ids, merges, count, lengths)) return e;
    bpe_encoder_free(e);
    return 0;
}

int64_t bpe_encode(encoder *e, const rule *r, const uint8_t *data, const int64_t *ends, int64_t count, int32_t *ids,
                   int64_t *id_ends) {
    return encode_texts(e, r, data, ends, count, ids, id_ends);
}
