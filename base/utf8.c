/* UTF-8 by the table of RFC 3629. The ranges of the second byte leave out overlong forms,
 * surrogates and what lies beyond Unicode. */
#include "base/utf8.h"

size_t utf8_bytes(const char *at)
{
    const unsigned char *text = (const unsigned char *)at;
    static const struct {
        unsigned char first, last, low, high, bytes;
    } rows[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (text[0] < rows[i].first || text[0] > rows[i].last)
            continue;
        if (rows[i].bytes > 1 && (text[1] < rows[i].low || text[1] > rows[i].high))
            return 0;
        for (size_t k = 2; k < rows[i].bytes; k++)
            if (text[k] < 0x80 || text[k] > 0xbf)
                return 0;
        return rows[i].bytes;
    }
    return 0;
}
