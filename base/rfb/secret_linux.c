/* DES by nettle, random bytes of the kernel. */
#include "base/rfb/secret.h"

#include <nettle/des.h>
#include <sys/random.h>

bool secret_challenge(uint8_t challenge[SECRET_BYTES])
{
    return getrandom(challenge, SECRET_BYTES, 0) == SECRET_BYTES;
}

/* A weak key is a key: passwords may be empty or simple. */
bool secret_encrypt(const uint8_t key[8], const uint8_t from[8], uint8_t to[8])
{
    struct des_ctx context;
    des_set_key(&context, key);
    des_encrypt(&context, DES_BLOCK_SIZE, to, from);
    return true;
}
