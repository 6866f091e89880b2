/* Texts from outside: lists of servers, scenarios, links. Whatever an editor shows as a line is a
 * line, or the text is refused: nothing in it can vanish unseen. A line ends with LF, CR LF or CR,
 * the last one also without. */
#ifndef FANIN_TEXT_H
#define FANIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* text_file: the whole file and a NUL, from malloc, its length in *bytes. Blocks as long as reading
 * does; a pipe is read to its end. NULL with errno set; EFBIG: longer than `bytes_max`. */
char *text_file(const char *path, size_t bytes_max, size_t *bytes);

/* text_start: `text` behind the byte-order mark of UTF-8, if it has one. */
const char *text_start(const char *text);

/* text_check: whether `text` of `bytes` holds only what every editor shows alike: no NUL byte and
 * no UTF-16, no control character but tab and the ends of lines, no separator or mark of Unicode
 * that is a line's end to some. False: `why` says what is there and what would be right, e.g.
 * "holds a form feed (0x0c); remove it", and *line where, from 1. */
bool text_check(const char *text, size_t bytes, unsigned *line, char *why, size_t why_bytes);

/* text_line: the length of the first line of `text`, without its end; *next is the line behind it,
 * or the NUL. */
size_t text_line(const char *text, const char **next);

/* text_trim: takes blanks and tabs off both ends of the `*bytes` at `text`; returns their begin. */
const char *text_trim(const char *text, size_t *bytes);

#endif
