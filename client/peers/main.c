/* The peers' programs: each is this file and the one that defines its peer_model. */
#include "client/peers/peer.h"

int main(int argc, char **argv)
{
    return peer_main(argc, argv, &peer_model);
}
