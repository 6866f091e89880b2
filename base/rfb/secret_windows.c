/* DES and random bytes by Windows' CNG. */
#include "base/rfb/secret.h"

#include <windows.h>
#include <bcrypt.h>
#include <string.h>

bool secret_challenge(uint8_t challenge[SECRET_BYTES])
{
    return BCryptGenRandom(NULL, challenge, SECRET_BYTES, BCRYPT_USE_SYSTEM_PREFERRED_RNG) >= 0;
}

static bool encrypt_by(const wchar_t *algorithm, const uint8_t *key, unsigned key_bytes,
                       const uint8_t from[8], uint8_t to[8])
{
    BCRYPT_ALG_HANDLE provider = NULL;
    BCRYPT_KEY_HANDLE handle = NULL;
    ULONG written = 0;
    bool done =
        BCryptOpenAlgorithmProvider(&provider, algorithm, NULL, 0) >= 0 &&
        BCryptSetProperty(provider, BCRYPT_CHAINING_MODE, (PUCHAR)BCRYPT_CHAIN_MODE_ECB,
                          sizeof BCRYPT_CHAIN_MODE_ECB, 0) >= 0 &&
        BCryptGenerateSymmetricKey(provider, &handle, NULL, 0, (PUCHAR)key, key_bytes, 0) >= 0 &&
        BCryptEncrypt(handle, (PUCHAR)from, 8, NULL, NULL, 0, to, 8, &written, 0) >= 0;
    if (handle != NULL)
        BCryptDestroyKey(handle);
    if (provider != NULL)
        BCryptCloseAlgorithmProvider(provider, 0);
    return done && written == 8;
}

/* Wine has only the triple one, which with three equal keys is the single one. */
bool secret_encrypt(const uint8_t key[8], const uint8_t from[8], uint8_t to[8])
{
    uint8_t keys[24];
    for (unsigned i = 0; i < 3; i++)
        memcpy(keys + 8 * i, key, 8);
    return encrypt_by(BCRYPT_DES_ALGORITHM, key, 8, from, to) ||
           encrypt_by(BCRYPT_3DES_ALGORITHM, keys, sizeof keys, from, to);
}
