/* Where the next piece of a text ends, by the patterns of GPT-2 and GPT-4, without a regular expression engine.

   The text is UTF-8. `classes` says of each code point whether it is a letter, a number or white space; anything else
   is "other". The patterns stand in splitting.py; each case below names the alternative that it is. */

#ifndef BACKLIGHT_SPLITTING_H
#define BACKLIGHT_SPLITTING_H

#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

enum { OTHER, LETTER, NUMBER, SPACE };
enum { WHOLE, GPT2, GPT4 };

typedef struct {
    const uint8_t *classes; /* of each of the 0x110000 code points */
    int32_t pattern;        /* WHOLE, GPT2 or GPT4 */
    int32_t digits;         /* GPT4: numbers are cut after so many characters */
    int32_t tail;           /* GPT4: white space at the end of the text is one piece, whatever line ends are in it */
} rule;

typedef struct {
    uint8_t class;
    uint8_t bytes;
} character;

/* The character at p, where p < end and the text is valid UTF-8. */
INLINE character at(const rule *r, const uint8_t *p) {
    uint32_t first = *p;
    if (first < 0x80) return (character){r->classes[first], 1};
    if (first < 0xe0) return (character){r->classes[(first & 0x1f) << 6 | (p[1] & 0x3f)], 2};
    if (first < 0xf0) return (character){r->classes[(first & 0x0f) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f)], 3};
    uint32_t code = (first & 0x07) << 18 | (p[1] & 0x3f) << 12 | (p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    return (character){r->classes[code], 4};
}

INLINE const uint8_t *run_of(const rule *r, const uint8_t *p, const uint8_t *end, uint8_t class) {
    while (p < end) {
        character c = at(r, p);
        if (c.class != class) break;
        p += c.bytes;
    }
    return p;
}

INLINE int is_line_end(uint8_t byte) { return byte == '\n' || byte == '\r'; }

/* 's 't 'm 'd 're 've 'll behind the apostrophe at p: their bytes, or 0. `fold` is 0x20 where case does not count; then
   U+017F, the long s, is an s too. */
INLINE int contraction(const uint8_t *p, const uint8_t *end, uint8_t fold) {
    if (end - p < 2) return 0;
    uint8_t a = p[1] | fold, b = end - p > 2 ? p[2] | fold : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return fold && end - p > 2 && p[1] == 0xc5 && p[2] == 0xbf ? 3 : 0;
}

/* \s+(?!\S)|\s+ : white space up to the last character before something else, which goes with what follows. */
INLINE const uint8_t *white_space(const rule *r, const uint8_t *p, const uint8_t *end, int lines_first) {
    const uint8_t *q = p, *last = p, *line = 0;
    while (q < end) {
        character c = at(r, q);
        if (c.class != SPACE) break;
        last = q;
        q += c.bytes;
        if (is_line_end(*last)) line = q;
    }
    if (lines_first && line && !(r->tail && q == end)) return line; /* \s*[\r\n]+ */
    return q == end || last == p ? q : last;
}

/* '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
INLINE const uint8_t *gpt2_piece(const rule *r, const uint8_t *p, const uint8_t *end) {
    if (*p == '\'') {
        int bytes = contraction(p, end, 0);
        if (bytes) return p + bytes;
    }
    const uint8_t *q = p + (*p == ' ' && end - p > 1);
    character c = at(r, q);
    if (c.class == SPACE) return white_space(r, p, end, 0);
    return run_of(r, q + c.bytes, end, c.class);
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
INLINE const uint8_t *gpt4_piece(const rule *r, const uint8_t *p, const uint8_t *end) {
    if (*p == '\'') {
        int bytes = contraction(p, end, 0x20);
        if (bytes) return p + bytes;
    }
    character c = at(r, p);
    if (c.class == LETTER) return run_of(r, p + c.bytes, end, LETTER);
    const uint8_t *q = p + c.bytes;
    if (c.class == NUMBER) {
        for (int left = r->digits - 1; left && q < end; left--) {
            c = at(r, q);
            if (c.class != NUMBER) break;
            q += c.bytes;
        }
        return q;
    }
    if (q < end && !is_line_end(*p)) {
        character next = at(r, q);
        if (next.class == LETTER) return run_of(r, q + next.bytes, end, LETTER);
        if (*p == ' ' && next.class == OTHER) c = next;
    }
    if (c.class == SPACE) return white_space(r, p, end, 1);
    q = run_of(r, q, end, OTHER);
    while (q < end && is_line_end(*q)) q++;
    return q;
}

/* The end of the piece that begins at p < end. */
INLINE const uint8_t *piece_end(const rule *r, const uint8_t *p, const uint8_t *end) {
    if (r->pattern == GPT2) return gpt2_piece(r, p, end);
    if (r->pattern == GPT4) return gpt4_piece(r, p, end);
    return end;
}

#endif
