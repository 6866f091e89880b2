/* What engines share: the blocks and the failure of an operation, the role of an adopted socket. */
#include "cport/port.h"

#include <assert.h>

int64_t op_failed(struct cp_op *op, int os_error)
{
    op->os_error = os_error;
    return cp_error_from_os(os_error);
}

int64_t op_take_blocks(struct cp_op *op)
{
    op->block_count = op->source.take(op->source.context, op->blocks, op->block_room);
    assert(op->block_count <= op->block_room);
    return op->block_count > 0 ? 0 : CP_ENOBUFS;
}

void op_return_blocks(struct cp_op *op)
{
    op->source.give(op->source.context, op->blocks, op->block_count);
    op->block_count = 0;
}

unsigned op_unsent(const struct cp_op *op, struct cp_block *blocks)
{
    size_t skip = op->done_bytes;
    unsigned count = 0;
    for (unsigned index = 0; index < op->block_count; index++) {
        const struct cp_block *block = &op->blocks[index];
        size_t from = skip < block->bytes ? skip : block->bytes;
        skip -= from;
        if (from < block->bytes)
            blocks[count++] = (struct cp_block){(char *)block->data + from, block->bytes - from};
    }
    return count;
}

/* A connection that was reset before it was adopted may have no peer any more, like a fresh socket.
 * Unlike that, it has an error to report, once, or data. */
void socket_adopted(struct cp_socket *socket, bool listening, int64_t peek_code)
{
    if (listening) {
        socket->role = ROLE_LISTENING;
    } else if (peek_code != CP_ENOTCONN) {
        socket->role = ROLE_CONNECTED;
        socket->broken = peek_code < 0 ? (int)peek_code : 0;
    }
}
