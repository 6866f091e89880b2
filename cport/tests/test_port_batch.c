/* Many receives that become ready together: each gets its own data. Over every engine. */
#include "cport/tests/port_fixture.h"

enum { CROWD = 48, BATCH_MAX = 64, ROOM = 5 };

enum kind { EARLY, SCATTERED, LATE, LATE_WITHOUT, FINISHED, RESET, INTO_NOTHING, KINDS };

struct member {
    struct connection connection;
    struct cp_op op;
    struct cp_block blocks[3];
    struct cp_source source;
    char data[ROOM];
    unsigned stock, taken, given, packets;
    int64_t result;
};

struct crowd {
    struct cport *port;
    struct member members[CROWD];
};

static unsigned member_take(void *context, struct cp_block *blocks, unsigned max)
{
    struct member *member = context;
    assert_true(max > 0);
    if (member->stock == 0)
        return 0;
    member->stock--;
    member->taken++;
    blocks[0] = (struct cp_block){member->data, ROOM};
    return 1;
}

static void member_give(void *context, struct cp_block *blocks, unsigned count)
{
    struct member *member = context;
    assert_int_equal(count, 1);
    assert_ptr_equal(blocks[0].data, member->data);
    member->stock++;
    member->given++;
}

static struct crowd *crowd_open(const char *engine)
{
    struct cport *port = port_of(engine, 1);
    struct crowd *crowd = calloc(1, sizeof *crowd);
    crowd->port = port;
    for (unsigned index = 0; index < CROWD; index++) {
        struct member *member = &crowd->members[index];
        member->source = (struct cp_source){member_take, member_give, member};
        remote_connect(port, index, &member->connection);
    }
    return crowd;
}

static void crowd_close(struct crowd *crowd)
{
    for (unsigned index = 0; index < CROWD; index++)
        remote_close(&crowd->members[index].connection);
    cp_free(crowd->port);
    free(crowd);
}

static void receive(struct member *member, enum kind kind)
{
    struct cp_socket near = member->connection.near;
    struct cp_block *blocks = member->blocks;
    member->packets = 0;
    member->stock = kind == LATE;
    blocks[0] = (struct cp_block){member->data, kind == SCATTERED ? 1 : ROOM};
    blocks[1] = (struct cp_block){member->data + 1, 2};
    blocks[2] = (struct cp_block){member->data + 3, 2};
    unsigned count = kind == SCATTERED ? 3 : kind == INTO_NOTHING ? 0 : 1;
    int code = kind == LATE || kind == LATE_WITHOUT
                   ? cp_receive_late(near, &member->op, blocks, 2, &member->source)
                   : cp_receive(near, &member->op, blocks, count);
    assert_int_equal(code, 0);
}

static void remote_act(struct member *member, enum kind kind)
{
    if (kind == FINISHED)
        remote_finish(&member->connection);
    else if (kind == RESET)
        remote_reset(&member->connection);
    else
        remote_send(&member->connection, "12345", ROOM);
}

/* Waits for a packet of each member. Returns how many came with the largest batch. */
static int collect(struct crowd *crowd)
{
    struct cp_packet packets[BATCH_MAX];
    int largest = 0;
    for (int total = 0; total < CROWD;) {
        int count = cp_wait(crowd->port, packets, BATCH_MAX, ms(PACKET_WAIT_MS));
        assert_true(count > 0);
        for (int index = 0; index < count; index++) {
            struct member *member = &crowd->members[packets[index].key];
            assert_ptr_equal(packets[index].op, &member->op);
            assert_int_equal(member->packets++, 0);
            member->result = packets[index].result;
        }
        total += count;
        largest = count > largest ? count : largest;
    }
    return largest;
}

EVERY_ENGINE(each_gets_its_own)
{
    struct crowd *crowd = crowd_open(*state);
    for (unsigned index = 0; index < CROWD; index++)
        receive(&crowd->members[index], index % KINDS);
    for (unsigned index = 0; index < CROWD; index++)
        remote_act(&crowd->members[index], index % KINDS);
    os_sleep_ns(ms(10));
    assert_true(collect(crowd) > CROWD / 2);
    const int64_t expected[KINDS] = {ROOM, ROOM, ROOM, CP_ENOBUFS, 0, CP_ERESET, 0};
    for (unsigned index = 0; index < CROWD; index++) {
        struct member *member = &crowd->members[index];
        assert_int_equal(member->result, expected[index % KINDS]);
        if (member->result == ROOM)
            assert_memory_equal(member->data, "12345", ROOM);
        assert_int_equal(member->taken, index % KINDS == LATE);
        assert_int_equal(member->given, 0);
    }
    crowd_close(crowd);
}

/* A receive that filled its blocks makes the next one try at once; there is no more data. */
EVERY_ENGINE(blocks_taken_for_nothing_come_back)
{
    struct crowd *crowd = crowd_open(*state);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned index = 0; index < CROWD; index++)
            receive(&crowd->members[index], LATE);
        if (round > 0)
            assert_no_packet(crowd->port);
        for (unsigned index = 0; index < CROWD; index++)
            remote_act(&crowd->members[index], LATE);
        collect(crowd);
        for (unsigned index = 0; index < CROWD; index++) {
            struct member *member = &crowd->members[index];
            assert_int_equal(member->result, ROOM);
            assert_int_equal(member->op.block_count, 1);
            assert_memory_equal(member->data, "12345", ROOM);
            assert_int_equal(member->taken - member->given, round + 1);
        }
    }
    crowd_close(crowd);
}
