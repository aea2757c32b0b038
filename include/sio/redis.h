/*
 * redis.h -- several servers that share rooms over Redis, or Valkey: the
 * adapters of Node's @socket.io/redis-adapter and redis-streams-adapter.
 * Servers of Node may be among them.
 *
 *     sio_redis_options redis;
 *
 *     sio_redis_options_init(&redis);
 *     redis.url = "redis://10.0.0.5:6379";
 *     options.cluster = sio_redis_adapter();
 *     options.cluster_config = &redis;
 *     server = sio_server_new(&options);
 *
 * What is emitted, joined, left, disconnected, fetched and asked then reaches
 * the sockets of all servers; what is `local` does not. Redis may be away: each
 * server then goes on with its own sockets, and connects again by itself. See
 * docs/CLUSTER.md for what is lost meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_REDIS_H
#define SIO_REDIS_H

#include <sio/adapter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All servers of a cluster have to have the same. */
typedef enum sio_redis_kind {
    SIO_REDIS_CLASSIC, /* PUBLISH, PSUBSCRIBE; createAdapter() in Node */
    SIO_REDIS_SHARDED, /* SPUBLISH, SSUBSCRIBE, since Redis 7;
                          createShardedAdapter() */
    SIO_REDIS_STREAMS  /* XADD, XREAD; @socket.io/redis-streams-adapter. Its
                          clients may come back on any server: see
                          <sio/recovery.h> */
} sio_redis_kind;

/* SIO_REDIS_SHARDED: which rooms have a channel of their own. */
typedef enum sio_redis_mode {
    SIO_REDIS_DYNAMIC,        /* all but those of sockets' ids */
    SIO_REDIS_STATIC,         /* none */
    SIO_REDIS_DYNAMIC_PRIVATE /* all */
} sio_redis_mode;

/* All of it is borrowed as long as the server. */
typedef struct sio_redis_options {
    size_t size; /* sizeof(sio_redis_options) in the caller's build */

    sio_redis_kind adapter; /* SIO_REDIS_CLASSIC */

    /* "redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]", "rediss://..." with TLS,
     * "unix:PATH". USER and PASSWORD may be percent-encoded; of a cluster,
     * several HOST:PORT with commas between. */
    const char *url;              /* "redis://127.0.0.1" */
    const char *user;             /* NULL: that of the url, if any */
    const char *password;         /* NULL: the same */
    unsigned db;                  /* 0: that of the url */
    bool cluster;                 /* false; true: a Redis Cluster */
    const char *tls_ca;           /* NULL: CAs that the system trusts */
    const char *tls_certificate;  /* NULL: none is shown */
    const char *tls_key;          /* NULL: it is beside the certificate */
    const char *tls_key_password; /* NULL: the key is not encrypted */
    bool tls_insecure;            /* false; true: the server's certificate
                                     is not checked */
    uint32_t connect_timeout_ms;  /* 5000: to connect and log in */
    uint32_t command_timeout_ms;  /* 5000: for Redis to answer */
    size_t max_queued; /* 64 MiB: bytes that wait to be sent, or for an answer;
                          what comes on top is dropped, and counted */
    size_t max_reply;  /* 64 MiB: bytes of one message */

    const char *prefix;           /* "socket.io": of all channels. (Node: key,
                                     channelPrefix) */
    uint32_t requests_timeout_ms; /* 5000: for other servers to answer */

    /* SIO_REDIS_CLASSIC */
    bool publish_on_specific_response_channel; /* false; true: answers are heard
                                                  by who has asked alone */
    /* SIO_REDIS_SHARDED */
    sio_redis_mode subscription_mode; /* SIO_REDIS_DYNAMIC; the same on all
                                         servers */
    /* SIO_REDIS_STREAMS */
    const char *stream_name;        /* "socket.io" */
    unsigned stream_count;          /* 1 */
    uint64_t max_len;               /* 10000: entries that are kept, about */
    unsigned read_count;            /* 100: entries read at once */
    uint32_t block_time_ms;         /* 5000: for how long one read waits */
    const char *session_key_prefix; /* "sio:session:" */
    bool use_sharded_pub_sub;       /* false; true: SPUBLISH, SSUBSCRIBE for
                                       questions and answers */
    bool only_plaintext;            /* false; true: entries are JSON always */
} sio_redis_options;

/* Fill *options with the defaults; the macro records the caller's build. */
SIO_API void sio_redis_options_init_sized(sio_redis_options *options,
                                          size_t size);
#define sio_redis_options_init(options) \
    sio_redis_options_init_sized((options), sizeof *(options))

/*
 * For sio_options.cluster. Its cluster_config is a sio_redis_options; NULL: the
 * defaults. Of a library that was built without Redis, sio_server_new() fails,
 * and says so.
 *
 * Returns  never NULL, static storage. Any thread.
 */
SIO_API const sio_cluster_ops *sio_redis_adapter(void);

#ifdef __cplusplus
}
#endif

#endif /* SIO_REDIS_H */
