/*
 * server.h -- the server as a whole: options, listening, running, stopping,
 * namespaces, and what else the same port serves.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_SERVER_H
#define SIO_SERVER_H

#include <sio/parser.h>
#include <sio/stats.h>
#include <sio/tls.h>
#include <sio/types.h>
#include <sio/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct sio_cluster_ops;

typedef struct sio_server sio_server;
typedef struct sio_namespace sio_namespace;
typedef struct sio_handshake sio_handshake;
typedef struct sio_http_call sio_http_call;
typedef struct sio_headers sio_headers;
typedef struct sio_connection_error sio_connection_error;

typedef enum sio_log_level {
    SIO_LOG_ERROR, /* the server could not do what it was told */
    SIO_LOG_WARN,  /* a client misbehaved or was turned away: why */
    SIO_LOG_INFO,  /* started, stopped; each session that ended, and why: see
                      docs/OPERATIONS.md */
    SIO_LOG_DEBUG  /* more of the same */
} sio_log_level;

/* One line, without newline; valid during the call. Loop thread. */
typedef void (*sio_log_fn)(void *user, sio_log_level level,
                           const char *message);

/* Bits of sio_options.transports. */
enum { SIO_TRANSPORT_POLLING = 1, SIO_TRANSPORT_WEBSOCKET = 2 };

/* What the trusted proxies write about the client. */
typedef enum sio_forwarded {
    SIO_FORWARDED_ANY,    /* X-Forwarded-For and -Proto; where there is no
                             X-Forwarded-For: Forwarded */
    SIO_FORWARDED_X,      /* X-Forwarded-For and -Proto, nothing else */
    SIO_FORWARDED_RFC7239 /* Forwarded, nothing else */
} sio_forwarded;

/* Names and defaults are those of Node's socket.io. Strings are copied by
 * sio_server_new(). */
typedef struct sio_options {
    size_t size; /* sizeof(sio_options) in the caller's build */

    /* "/socket.io": where clients connect. A request is for us when its target
     * begins with the path: byte for byte, case-sensitive, not decoded. */
    const char *path;
    bool add_trailing_slash; /* true: the path ends in "/", given or not; false:
                                "/socket.iox" is ours, too */
    uint32_t ping_interval_ms;   /* 25000; at least 1 */
    uint32_t ping_timeout_ms;    /* 20000; at least 1 */
    uint32_t upgrade_timeout_ms; /* 10000: for a WebSocket to complete */
    uint32_t connect_timeout_ms; /* 45000: to join a namespace; 0 = 45000 */
    size_t max_http_buffer_size; /* 1000000: bytes per message or POST body */
    unsigned transports;         /* both */
    bool allow_upgrades;         /* true */
    bool allow_eio3; /* false; true: clients of Engine.IO 3, those of Socket.IO
                        2; their sockets' ids give the session ids away */

    /* CORS, as the npm package `cors`: which origins' pages may read answers.
     * Off while all five are unset. It keeps nobody out. */
    const char *cors_origin;         /* NULL; "*", or one for everybody */
    const char *const *cors_origins; /* NULL; the origins that may */
    size_t cors_origin_count;
    /* NULL; more of them: POSIX extended regular expressions, which an origin
     * fits that holds what they describe. Say "^" and "$", and "\\." for ".".
     */
    const char *const *cors_origin_patterns;
    size_t cors_origin_pattern_count;
    bool cors_reflect;                /* false; true: every origin may */
    const char *cors_methods;         /* "GET,HEAD,PUT,PATCH,POST,DELETE" */
    const char *cors_allowed_headers; /* NULL: those that are asked for */
    const char *cors_exposed_headers; /* NULL: none */
    bool cors_credentials;            /* false */
    int64_t cors_max_age_s;           /* -1: not said */
    int cors_success_status;          /* 204: of the answer to a preflight */
    bool cors_preflight_continue;     /* false; true: OPTIONS is not answered */
    /* NULL; asked for each request instead, before every middleware: it calls
     * sio_call_allow_origin(), sio_call_cors(), sio_call_next() (no CORS for
     * this one) or sio_call_fail(); see <sio/hooks.h>. Is given hook_user. */
    void (*cors_request)(sio_http_call *call, void *user);

    /* The cookie that the handshake of a polling session sets, for load
     * balancers; its value is the session id. */
    const char *cookie_name;      /* NULL: no cookie; Node's is "io" */
    const char *cookie_path;      /* "/"; NULL: no Path */
    const char *cookie_domain;    /* NULL: no Domain */
    int64_t cookie_max_age_s;     /* -1: no Max-Age */
    bool cookie_http_only;        /* true */
    bool cookie_secure;           /* false */
    bool cookie_partitioned;      /* false */
    const char *cookie_priority;  /* NULL; "Low", "Medium" or "High" */
    const char *cookie_same_site; /* "Lax"; "Strict", "None"; NULL: not said */

    /* Polls of at least so many bytes are compressed (gzip, deflate) for
     * clients that accept it, unless everything in them was sent with
     * sio_compress(..., false). */
    bool http_compression;             /* true */
    size_t http_compression_threshold; /* 1024 bytes */

    /* permessage-deflate (RFC 7692) for WebSockets that offer it. It costs up
     * to 300 KiB a connection, and every message is compressed for every one of
     * them. Where no context is kept between messages all share one codec, a
     * broadcast is compressed once, and only from the threshold on. */
    bool per_message_deflate;             /* false */
    size_t per_message_deflate_threshold; /* 1024 bytes */
    bool server_no_context_takeover;      /* false */
    bool client_no_context_takeover;      /* false */
    unsigned server_max_window_bits;      /* 0: 15; or 9 to 15 */
    unsigned client_max_window_bits;      /* 0: 15; or 8 to 15 */
    int deflate_level;                    /* -1: zlib's default; or 0 to 9 */

    /* Which pages may connect: a handshake whose Origin is not in the list is
     * refused, over polling and over WebSocket (403 and 400, "Forbidden"). One
     * without Origin comes from no page and is let through. NULL: everybody. */
    const char *const *allowed_origins;
    size_t allowed_origin_count;

    /* Proxies in front, whose word on the client's address and on https is
     * taken: networks ("10.0.0.0/8", "::1/128", one address), "unix" (every
     * unix socket), or the words "loopback", "linklocal", "private". Anybody
     * else's X-Forwarded-For and Forwarded fields are ignored. See
     * docs/PROXY.md. Of the server: of no effect in sio_engine_new(). */
    const char *const *trusted_proxies; /* NULL: none */
    size_t trusted_proxy_count;
    sio_forwarded forwarded; /* SIO_FORWARDED_ANY: which fields they write */

    /* Connections that may be open, also of the server. One more is closed at
     * once. An address is that of the connection (or of its PROXY header), the
     * first 64 bits of an IPv6 one; trusted proxies and unix sockets may have
     * any number up to max_connections. */
    size_t max_connections;             /* 100000; 0: no limit */
    size_t max_connections_per_address; /* 0: no limit */

    uint32_t keep_alive_timeout_ms; /* 5000: an HTTP connection may be idle so
                                       long between requests; 0: it is closed
                                       behind the answer. A proxy that keeps
                                       connections to us must keep them for
                                       less */

    /* Hooks: see <sio/hooks.h>. Each is given hook_user. */
    void (*allow_request)(sio_handshake *handshake, void *user); /* NULL */
    void (*generate_id)(sio_handshake *handshake, void *user);   /* NULL */
    void (*on_headers)(sio_headers *headers, void *user);        /* NULL */
    void (*on_connection_error)(const sio_connection_error *error,
                                void *user); /* NULL */
    void *hook_user;

    /* A first message that every session gets behind its OPEN packet: text, or
     * bytes. */
    const char *initial_packet; /* NULL */
    const void *initial_binary; /* NULL */
    size_t initial_binary_size; /* bytes */

    /* What nothing on the port handles. An upgrade is ended without a byte when
     * the timeout is over; with destroy_upgrade false it is left open, for 5
     * minutes at most. Any other request is answered unmatched_status: 404 as
     * Socket.IO does, 501 as plain Engine.IO does in Node. */
    bool destroy_upgrade;                /* true */
    uint32_t destroy_upgrade_timeout_ms; /* 1000; at least 1 */
    int unmatched_status;                /* 404; or 400 to 599 */

    /* NULL; folder of socket.io.js and its siblings, served under path: npm has
     * it as socket.io/client-dist. */
    const char *client_dir;

    /* Dynamic namespaces: see <sio/namespace.h>. */
    bool cleanup_empty_child_namespaces; /* false; true: they go with their last
                                            socket */
    uint32_t max_dynamic_namespaces;     /* 10000: that clients may have made at
                                            a time */
    uint32_t max_dynamic_namespaces_per_client; /* 256: that one connection may
                                                   be in at a time */

    /* Clients may come back as the sockets that they were: see
     * <sio/recovery.h>. */
    bool connection_state_recovery;         /* false */
    uint32_t max_disconnection_duration_ms; /* 120000: they may be away so long;
                                               at least 1 */
    bool skip_middlewares;     /* true: of the namespace, for those that do */
    size_t max_recovery_bytes; /* 64 MiB: of events and sessions kept for them,
                                  all together; the oldest go first */

    /* How packets are written into messages: see <sio/parser.h>. NULL: JSON
     * text. Borrowed as long as the server. */
    const sio_parser *parser;

    uint32_t max_attachments;    /* 10: binary attachments per packet */
    uint32_t max_json_depth;     /* 1000: nesting of a packet's payload, JSON or
                                    MessagePack */
    size_t max_buffered_amount;  /* 16 MiB: output waiting per client; more
                                    closes it, "slow consumer" */
    size_t max_volatile_amount;  /* 0: volatile packets are dropped, as in Node,
                                    while anything waits for the client; else
                                    while more bytes than this do */
    size_t max_unfinished_bytes; /* 0: 256 MiB, or 4 times max_http_buffer_size
                                    if that is more. Input held for POST bodies,
                                    WebSocket messages and binary packets that
                                    have not arrived whole, all clients
                                    together: whoever makes it more is closed,
                                    with 503, 1013 or "forced close" */
    unsigned loops; /* 1: event loops, each a thread; 0: one per core. With more
                       than one, handlers of several sockets run at the same
                       time: see docs/API.md, Threads. Not with event_base */

    /* How to reach the other servers of a cluster: see <sio/redis.h>,
     * <sio/adapter.h>. NULL: there are none. The adapter's own options, or
     * NULL. Both are borrowed as long as the server. With a cluster there is no
     * connection_state_recovery, unless its adapter can do that. */
    const struct sio_cluster_ops *cluster;
    const void *cluster_config;

    struct event_base *event_base; /* NULL; the program's own libevent base: it
                                      runs the loop, not sio_run() */
    bool handle_signals;           /* true: SIGINT and SIGTERM stop sio_run() */
    uint32_t drain_ms;  /* 0; SIGTERM is sio_drain() for so long first, and a
                           second signal ends that */
    bool drain_listens; /* false; true: while it drains, connections are taken
                           all the same, and only handshakes are refused */

    sio_log_fn log; /* NULL: errors and warnings are dropped */
    void *log_user;
    sio_log_level log_level; /* SIO_LOG_WARN: the least that is told */
} sio_options;

/* Fill *options with the defaults. Use the macro: it records which fields this
 * caller was built with, so that a newer library can still serve it. */
SIO_API void sio_options_init_sized(sio_options *options, size_t size);
#define sio_options_init(options) \
    sio_options_init_sized((options), sizeof *(options))

/*
 * Make a server; nothing listens yet.
 *
 * options  NULL: the defaults. Borrowed until return.
 * Returns  NULL when the options are invalid, or out of memory; what is wrong
 *          is told to options->log at level ERROR.
 * Thread   any; until sio_run() the thread that calls this counts as the
 *          loop's.
 */
SIO_API sio_server *sio_server_new(const sio_options *options);

/* Close what is open and free everything. Not while it runs; not from a
 * callback. NULL is allowed. */
SIO_API void sio_server_free(sio_server *server);

/* How one address is listened on. */
typedef struct sio_listen_options {
    size_t size; /* sizeof(sio_listen_options) in the caller's build */

    int backlog;  /* 4096: connections that the kernel may hold for us before
                     they are accepted (it caps this by net.core.somaxconn) */
    sio_tls *tls; /* NULL: plain; see <sio/tls.h>. The listener keeps what it
                     needs: sio_tls_free() may follow at once */
    unsigned unix_mode;  /* 0: by the umask; permissions of a unix socket: who
                            may write to it may connect (0660) */
    bool proxy_protocol; /* false; true: every connection begins with a PROXY
                            header (version 1 or 2), and comes from one of the
                            trusted_proxies; others are closed */
} sio_listen_options;

/* Fill *options with the defaults; the macro records the caller's build. */
SIO_API void sio_listen_options_init_sized(sio_listen_options *options,
                                           size_t size);
#define sio_listen_options_init(options) \
    sio_listen_options_init_sized((options), sizeof *(options))

/*
 * Listen on an address; may be called several times.
 *
 * address  "0.0.0.0:3000", "[::1]:3000", "localhost:3000", ":3000" (all
 *          addresses). Port 0 takes a free one: ask sio_port().
 *          "unix:/run/app.sock": a unix socket. A file there that nobody
 *          listens on any more is replaced; it is removed at the end.
 *          "unix:@app": the same without a file, of Linux.
 *          "fd:3": a listening socket that the process was started with; it is
 *          the server's from here on.
 *          "systemd": all sockets that systemd has passed (LISTEN_FDS);
 *          "systemd:NAME": those of that FileDescriptorName=. All or none.
 * options  NULL: the defaults. Borrowed until return.
 * Returns  SIO_OK; SIO_E_ADDRESS; SIO_E_SYS with errno (EADDRINUSE, EACCES);
 *          SIO_E_NOMEM; SIO_E_STATE while it drains or stops; SIO_E_INVAL
 *          (options). The log says more.
 * Thread   before sio_run(), or the loop's.
 */
SIO_API int sio_listen(sio_server *server, const char *address,
                       const sio_listen_options *options);

/* The port of the last successful sio_listen(); 0 when there was none, or it
 * was a unix socket. */
SIO_API unsigned sio_port(const sio_server *server);

/*
 * Serve until sio_stop(), or SIGINT/SIGTERM with handle_signals.
 *
 * Returns  SIO_OK after a stop, SIO_E_STATE when the server runs on its
 *          program's event_base, SIO_E_SYS.
 */
SIO_API int sio_run(sio_server *server);

/*
 * Stop as Node's io.close() does: no new connections; every socket gets
 * "disconnecting" and "disconnect" with "server shutting down"; WebSockets get
 * a close frame, waiting polls a close packet; sio_run() returns when the last
 * connection has ended, after 2 s at the latest. Namespaces and handlers stay:
 * from then on sio_listen() begins anew.
 *
 * Thread  any; also from a callback. Not from a signal handler.
 */
SIO_API void sio_stop(sio_server *server);

/*
 * Call fn when the server has stopped: its last connection has ended, and
 * sio_run() is about to return. Of use on an event_base of the program's, which
 * may then end its loop. fn may call sio_listen(), and sio_run() goes on; not
 * sio_server_free(). One function; NULL: none.
 *
 * Thread  before sio_run(), or the loop's, which is that of the call.
 */
SIO_API void sio_on_stopped(sio_server *server,
                            void (*fn)(sio_server *server, void *user),
                            void *user);

/*
 * Leave gently: new clients are refused, those that are there are closed one by
 * one, oldest first, evenly spread over `ms` and each at a random moment of its
 * share; then stop as sio_stop() does, at once when no client is left.
 *
 * A client is closed as by sio_stop(), but what is queued for it goes out
 * first, and a POST that is arriving is waited for, up to the end. It finds
 * another server, or this one's successor, by itself. Listening ends at once
 * (but see drain_listens); handshakes on connections that are kept are answered
 * 503 and closed. Routes and files are served to the end.
 *
 * ms      milliseconds; 0: all at once. Nothing when it drains or has stopped
 *         already; sio_stop() cuts it short.
 * Thread  any; also from a callback. Not from a signal handler.
 */
SIO_API void sio_drain(sio_server *server, uint32_t ms);

/* sio_drain() or sio_stop() was called: what a health check should say. Any
 * thread. */
SIO_API bool sio_draining(const sio_server *server);

/*
 * The namespace `name`, made when there is none yet; a missing leading "/" is
 * added, NULL and "" are "/". Lives as long as the server, unless it is made by
 * a rule of sio_of_regex(): see <sio/namespace.h>. NULL: out of memory.
 *
 * One that is made within a handler, with several loops, is there for clients
 * of the others from the end of that turn: what registers its handlers may
 * follow.
 *
 * Thread  before sio_run(), or a loop's.
 */
SIO_API sio_namespace *sio_of(sio_server *server, const char *name);

/* "/" or "/admin"; as long as the namespace lives. Any thread. */
SIO_API const char *sio_namespace_name(const sio_namespace *nsp);

/* Sockets connected to it now, on all loops; of a parent: to its children. Any
 * thread. */
SIO_API size_t sio_socket_count(const sio_namespace *nsp);

/*
 * Serve the files of `folder` under the URL prefix `prefix` ("/" for all): the
 * page of a demo or a small site, on the same port. A folder's index.html
 * stands for the folder. Files are read when asked for; hidden files and what
 * lies outside are not served.
 *
 * Returns  SIO_OK, SIO_E_INVAL (a prefix without leading "/"), SIO_E_NOMEM,
 *          SIO_E_SYS (the folder cannot be opened: errno).
 */
SIO_API int sio_serve_files(sio_server *server, const char *prefix,
                            const char *folder);

/* SIO_VERSION of the library that runs. */
SIO_API const char *sio_version(void);

#ifdef __cplusplus
}
#endif

#endif /* SIO_SERVER_H */
