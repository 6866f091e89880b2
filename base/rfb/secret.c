/* VncAuth's challenge and answer. */
#include "base/rfb/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* VNC takes the bits of each character of a DES key in the other order. */
static uint8_t mirrored(uint8_t byte)
{
    uint8_t result = 0;
    for (unsigned i = 0; i < 8; i++)
        result = (uint8_t)(result << 1 | (byte >> i & 1));
    return result;
}

bool secret_answer(const char *password, const uint8_t challenge[SECRET_BYTES],
                   uint8_t answer[SECRET_BYTES])
{
    uint8_t key[SECRET_PASSWORD_MAX] = {0};
    for (unsigned i = 0; i < SECRET_PASSWORD_MAX && password[i] != '\0'; i++)
        key[i] = mirrored((uint8_t)password[i]);
    return secret_encrypt(key, challenge, answer) && secret_encrypt(key, challenge + 8, answer + 8);
}

bool secret_equal(const uint8_t one[SECRET_BYTES], const uint8_t other[SECRET_BYTES])
{
    unsigned differing = 0;
    for (unsigned i = 0; i < SECRET_BYTES; i++)
        differing |= one[i] ^ other[i];
    return differing == 0;
}

bool secret_read(const char *path, char password[SECRET_PASSWORD_MAX + 1], char *why,
                 size_t why_bytes)
{
    char line[SECRET_PASSWORD_MAX + 3] = ""; /* "\r\n" may follow */
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(why, why_bytes, "cannot read %s: %s", path, strerror(errno));
        return false;
    }
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    const size_t length = strcspn(line, "\r\n");
    line[length] = '\0';
    if (length == 0 || length > SECRET_PASSWORD_MAX) {
        snprintf(why, why_bytes,
                 length == 0 ? "%s: its first line is empty; a password is expected there"
                             : "%s: its first line has more than the 8 characters that VNC's "
                               "passwords have",
                 path);
        return false;
    }
    memcpy(password, line, length + 1);
    return true;
}
