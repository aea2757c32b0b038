/*
 * test_many.c -- ten thousand idle clients and one broadcast; and thousands of
 * bad ones, after which the memory in use is what it was.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/flow/world.h"

#define WANTED 10000
#define BLOCK 100
#define SPARE_FDS (BLOCK + 50) /* epoll, eventfd, stdio ... */

static struct world w;

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* How many clients the limit of descriptors allows, raised as far as it goes.
 */
static int most_clients(void)
{
    struct rlimit r;

    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_cur >= WANTED + SPARE_FDS)
        return WANTED;
    return (int)(r.rlim_cur - SPARE_FDS) / BLOCK * BLOCK;
}

/* Only the server's ends need a descriptor all the time: the clients' wait, a
 * block at a time, as messages in a socket. */
static int parking[2];

union block_control {
    char bytes[CMSG_SPACE(BLOCK * sizeof(int))];
    struct cmsghdr align;
};

static struct msghdr block_message(struct iovec *iov,
                                   union block_control *control)
{
    return (struct msghdr){ .msg_iov = iov,
                            .msg_iovlen = 1,
                            .msg_control = control->bytes,
                            .msg_controllen = sizeof control->bytes };
}

static bool park(const int block[BLOCK])
{
    union block_control control = { 0 };
    struct iovec iov = { (char[]){ 'x' }, 1 };
    struct msghdr m = block_message(&iov, &control);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(BLOCK * sizeof(int));
    memcpy(CMSG_DATA(c), block, BLOCK * sizeof(int));
    if (sendmsg(parking[0], &m, 0) != 1)
        return false;
    for (int i = 0; i < BLOCK; i++)
        close(block[i]);
    return true;
}

static bool fetch(int block[BLOCK])
{
    union block_control control;
    char x;
    struct iovec iov = { &x, 1 };
    struct msghdr m = block_message(&iov, &control);

    if (recvmsg(parking[1], &m, 0) != 1 || !CMSG_FIRSTHDR(&m))
        return false;
    memcpy(block, CMSG_DATA(CMSG_FIRSTHDR(&m)), BLOCK * sizeof(int));
    return true;
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(socket, "echo", sio_arg(event, 0));
}

static void join_all(int count)
{
    int block[BLOCK];

    for (int i = 0; i < count; i += BLOCK) {
        for (int k = 0; k < BLOCK; k++)
            block[k] = world_client(&w);
        CHECK(park(block), "cannot park a block of clients");
    }
}

/* Every client looks what has come, and leaves. */
static int leave_all(int count, const char *frames)
{
    int block[BLOCK], right = 0;

    for (int i = 0; i < count && fetch(block); i += BLOCK) {
        for (int k = 0; k < BLOCK; k++) {
            right += strcmp(world_frames(&w, block[k]), frames) == 0;
            close(block[k]);
        }
        world_turn(&w);
    }
    return right;
}

static void test_broadcast(void)
{
    int count = most_clients(), right;
    double start, joined, told;
    size_t before, after;
    int turns = 0;
    sio_stats s;

    T_CASE("S158 %d idle clients, one broadcast, all leave", count);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, parking) == 0, "no socketpair");
    CHECK(world_open(&w, NULL) && sio_of(w.server, "/"), "no server");
    before = world_memory();
    start = seconds();
    join_all(count);
    joined = seconds();
    after = world_memory();
    sio_get_stats(w.server, &s);
    CHECK(s.sockets == (size_t)count, "%zu sockets", s.sockets);

    sio_emit(sio_of(w.server, "/"), "news", sio_string("to all"));
    do { /* it is written in several turns: see test_fair.c */
        world_turn(&w);
        sio_get_stats(w.server, &s);
    } while (s.queued_bytes && turns++ < 20);
    told = seconds();
    CHECK(s.queued_bytes == 0, "%zu bytes are left", s.queued_bytes);
    right = leave_all(count, "T:42[\"news\",\"to all\"]|");
    CHECK(right == count, "%d got it", right);
    world_check_empty(&w);
    world_close(&w);
    close(parking[0]);
    close(parking[1]);
    printf("# joined in %.2f s, told in %.3f s", joined - start, told - joined);
    if (after)
        printf(", %zu bytes of memory per idle client",
               (after - before) / (size_t)count);
    printf("\n");
}

/* --------------------------------------------------------------- floods -- */

static void bad_requests(void)
{
    /* clang-format off */
    static const char *const requests[] = {
        "\x16\x03\x01\x02garbage\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
        "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "GET /socket.io/?EIO=4&transport=tobi HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
        "GET /socket.io/?EIO=4&transport=poll",
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(requests); i++)
        world_raw(&w, "%s", requests[i]);
}

static void bad_packets(void)
{
    static const char *const packets[] = {
        "4",      "42",   "42{}",  "42[\"disconnect\"]", "451-[\"x\"]", "45",
        "44\"\"", "4a",   "40",    "42/nope,[\"x\"]",    "2",           "x",
        "461-",   "43[]", "4599-", "42[\"x\",]"
    };

    for (size_t i = 0; i < COUNT(packets); i++) {
        int fd = world_client(&w);

        world_send_text(&w, fd, packets[i]);
        world_send_binary(&w, fd, "\0\1", 2);
        if (i % 2)
            world_write(&w, fd, "\xff\xff\xff", 3);
        world_hang_up(&w, fd);
    }
}

static void flood(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        bad_requests();
        bad_packets();
    }
    world_advance(&w, 100000);
}

static void test_floods(void)
{
    enum { ROUNDS = 200 };
    size_t before, after;
    int fd;

    T_CASE("%d bad requests, handshakes and packets leave nothing behind",
           ROUNDS * 27);
    CHECK(world_open(&w, NULL), "no server");
    sio_on(sio_of(w.server, "/"), "echo", on_echo, NULL);
    flood(20); /* fills what is kept to be used again, malloc's caches too */
    before = world_memory();
    flood(ROUNDS);
    after = world_memory();
    CHECK(after == before, "%zu bytes in use, %zu before", after, before);
    world_check_empty(&w);
    fd = world_client(&w);
    world_send_text(&w, fd, "42[\"echo\",1]");
    CHECK_FRAMES(&w, fd, "T:42[\"echo\",1]|");
    world_hang_up(&w, fd);
    world_check_empty(&w);
    world_close(&w);
}

int main(void)
{
    test_broadcast();
    test_floods();
    return t_done();
}
