/* The peers' programs: each is this file and the one that defines its peer_model. */
#include "base/os.h"
#include "client/peers/peer.h"

int main(int argc, char **argv)
{
    os_writes_fail();
    return peer_main(argc, argv, &peer_model);
}
