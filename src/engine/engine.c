/*
 * engine.c -- which requests are ours, and which are refused: the checks of an
 * Engine.IO request in Node's order, then to the transport.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/engine.h"

#include "src/engine/call.h"
#include "src/engine/hooks.h"
#include "src/engine/revision.h"
#include "src/net/random.h"

/* Bytes of a query value that can mean anything to us: the longest session id,
 * each character as "%XX"; and one, so that what is cut stays wrong. */
#define PARAM_MAX (3 * SIO_ID_MAX + 1)

/* How long a client of Engine.IO 3 may be silent. */
static uint32_t silence_ms(const struct eng_options *o)
{
    uint64_t sum = (uint64_t)o->ping_interval_ms + o->ping_timeout_ms;

    return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

int eng_init(struct engine *e, struct net_loop *loop,
             const struct eng_options *options, const struct eng_ops *ops,
             void *self)
{
    uint64_t seed[2];
    int r = net_random(seed, sizeof seed);

    if (r < 0)
        return r;
    memset(e, 0, sizeof *e);
    e->loop = loop;
    e->options = *options;
    e->ops = ops;
    e->self = self;
    e->home = -1;
    e->middlewares_end = &e->middlewares;
    map_init(&e->sessions, seed);
    map_init(&e->expected, seed);
    http_websockets_init(&e->websockets, loop,
                         &(struct http_websocket_options){
                             .ops = &transport_ops,
                             .max_message = options->max_payload,
                             .deflate = options->deflate,
                         });
    net_timer_queue_init(&e->pings, loop, options->ping_interval_ms,
                         session_ping_due);
    net_timer_queue_init(&e->pongs, loop, options->ping_timeout_ms,
                         session_pong_missing);
    net_timer_queue_init(&e->silences, loop, silence_ms(options),
                         session_pong_missing);
    net_timer_queue_init(&e->upgrades, loop, options->upgrade_timeout_ms,
                         upgrade_timed_out);
    net_timer_queue_init(&e->noops, loop, ENG_NOOP_MS, upgrade_noop);
    net_timer_queue_init(&e->poll_closes, loop, ENG_POLL_CLOSE_MS,
                         session_poll_never_came);
    return SIO_OK;
}

/* Behind the 16 random characters; those behind it still count. */
#define HOME_AT 16

static const char homes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
                            "yz0123456789-_";

void eng_set_home(struct engine *e, unsigned home)
{
    e->home = (int)home;
}

int eng_home_of(const char *sid)
{
    const char *at = sid[HOME_AT] ? strchr(homes, sid[HOME_AT]) : NULL;

    return at ? (int)(at - homes) : -1;
}

int engine_make_sid(struct engine *e, char sid[ENG_SID_LEN + 1])
{
    int r = net_random_id(sid, &e->sid_counter);

    if (e->home >= 0)
        sid[HOME_AT] = homes[e->home];
    return r;
}

void eng_refuse_new(struct engine *e)
{
    e->refuses_new = true;
}

void eng_shut(struct engine *e, enum eio_close_reason reason)
{
    struct map_node *node;

    e->shut = true;
    while ((node = map_first(&e->sessions)))
        eng_discard(container_of(node, struct eng_session, node), reason);
}

void eng_reopen(struct engine *e)
{
    e->shut = false;
    e->refuses_new = false;
}

void eng_destroy(struct engine *e)
{
    eng_shut(e, EIO_CLOSE_SERVER_SHUTDOWN);
    http_websockets_destroy(&e->websockets);
    http_compressor_free(&e->compressor);
    net_timer_queue_close(&e->pings);
    net_timer_queue_close(&e->pongs);
    net_timer_queue_close(&e->silences);
    net_timer_queue_close(&e->upgrades);
    net_timer_queue_close(&e->noops);
    net_timer_queue_close(&e->poll_closes);
    calls_free(e);
}

bool eng_unfinished(struct engine *e, size_t before, size_t after)
{
    return !e->options.http || http_unfinished(e->options.http, before, after);
}

/* ----------------------------------------------------------------- CORS -- */

size_t engine_fields(const struct engine *e, const struct http_exchange *ex,
                     struct http_field fields[ENG_FIELDS])
{
    bool options = str_eq(ex->request->method, STR("OPTIONS"));

    if (ex->has_cors)
        return 0;
    return http_cors_fields(&e->options.cors, ex->request, options, fields);
}

/* The answer to a CORS preflight (Fetch 3.2.2). */
static void respond_preflight(struct engine *e, struct http_exchange *ex)
{
    const struct http_cors *cors = &e->options.cors;
    struct http_field fields[ENG_FIELDS];
    size_t n = http_cors_fields(cors, ex->request, true, fields);

    if (engine_is_upgrade(e, ex->request))
        http_drop(ex); /* as Node: nobody asks that */
    else
        http_respond(ex,
                     &(struct http_response){ .status = cors->preflight_status,
                                              .fields = fields,
                                              .field_count = n });
}

/* --------------------------------------------------------------- checks -- */

struct params {
    char text[2][PARAM_MAX];
    sio_str transport, sid;
    bool v3;
};

/* A longer value cannot be right; it is cut, and so stays wrong. */
static sio_str param(sio_str raw, char out[PARAM_MAX])
{
    if (raw.n > PARAM_MAX)
        raw.n = PARAM_MAX;
    return (sio_str){ out, raw.p ? http_percent_decode(raw, true, out) : 0 };
}

static void read_params(struct params *p, sio_str query)
{
    const sio_str keys[] = { STR("transport"), STR("sid"), STR("EIO") };
    sio_str values[3];

    http_query_values(query, keys, values, 3);
    p->transport = param(values[0], p->text[0]);
    p->sid = param(values[1], p->text[1]);
    p->v3 = revision_names_3(values[2]);
}

static unsigned transport_bit(const struct engine *e, sio_str name)
{
    unsigned bit = str_eq(name, STR("polling"))     ? ENG_POLLING
                   : str_eq(name, STR("websocket")) ? ENG_WEBSOCKET
                                                    : 0;

    return bit & e->options.transports;
}

/* TAB, 0x20-0x7E and 0x80-0xFF are fine in an Origin. */
static bool origin_is_valid(sio_str origin)
{
    for (size_t i = 0; i < origin.n; i++) {
        unsigned char c = (unsigned char)origin.p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool engine_is_upgrade(const struct engine *e, const struct http_request *r)
{
    return r->upgrade && (e->options.transports & ENG_WEBSOCKET);
}

static void refuse(struct engine *e, struct http_exchange *ex,
                   enum eio_refusal code, const char *name)
{
    engine_refuse(e, ex,
                  &(sio_connection_error){ .code = (int)code, .name = name });
}

static int revision(bool v3)
{
    return v3 ? 3 : 4;
}

/* What a request of a session has to agree on with it. False: refused. */
static bool check_session(struct engine *e, struct http_exchange *ex,
                          const struct params *p, struct eng_session *s)
{
    bool upgrade = engine_is_upgrade(e, ex->request);
    sio_str transport = str_of(eng_transport(s));
    sio_connection_error error = { .code = EIO_REFUSED_BAD_REQUEST };

    if (!upgrade && (!str_eq(p->transport, transport) || s->websocket)) {
        error.name = "TRANSPORT_MISMATCH";
        error.transport = p->transport;
        error.previous_transport = transport;
    } else if (p->v3 != s->v3) {
        error.name = "PROTOCOL_MISMATCH";
        error.protocol = revision(p->v3);
        error.previous_protocol = revision(s->v3);
    } else {
        return true;
    }
    engine_refuse(e, ex, &error);
    return false;
}

static void handle_known(struct engine *e, struct http_exchange *ex,
                         const struct params *p)
{
    struct eng_session *s = session_find(e, p->sid);
    sio_str method = ex->request->method;

    if (!s)
        engine_refuse(e, ex,
                      &(sio_connection_error){ .code = EIO_REFUSED_UNKNOWN_SID,
                                               .sid = p->sid });
    else if (!check_session(e, ex, p, s))
        return;
    else if (engine_is_upgrade(e, ex->request))
        upgrade_begin(s, ex);
    else if (str_eq(method, STR("GET")))
        polling_get(s, ex);
    else if (str_eq(method, STR("POST")))
        polling_post(s, ex);
    else
        http_respond(ex, &(struct http_response){ .status = 500 });
}

static bool wants_websocket(const struct http_exchange *ex)
{
    char text[PARAM_MAX];

    return str_eq(
        param(http_query_value(ex->request->query, STR("transport")), text),
        STR("websocket"));
}

void engine_open(struct engine *e, struct http_exchange *ex, sio_str sid)
{
    if (e->shut || e->refuses_new)
        http_respond_text(ex, 503, "Service Unavailable", true);
    else if (wants_websocket(ex))
        websocket_handshake(e, ex, sid);
    else
        polling_handshake(e, ex, sid);
}

void engine_admit(struct engine *e, struct http_exchange *ex)
{
    if (revision_is_3(ex->request->query) && !e->options.allow_eio3)
        engine_refuse(
            e, ex,
            &(sio_connection_error){ .code = EIO_REFUSED_UNSUPPORTED_PROTOCOL,
                                     .protocol = revision(true) });
    else if (e->options.generate_id && !e->shut)
        hooks_ask_id(e, ex);
    else
        engine_open(e, ex, (sio_str){ NULL, 0 });
}

/* A browser tells the truth about its page's origin; who is no browser sends
 * what it likes, or nothing. */
static bool origin_is_allowed(const struct engine *e,
                              const struct http_exchange *ex)
{
    sio_str origin = http_field_value(ex->request, STR("origin"));

    if (!e->options.allowed_origins || !origin.p)
        return true;
    for (size_t i = 0; i < e->options.allowed_origin_count; i++)
        if (str_eq(e->options.allowed_origins[i], origin))
            return true;
    return false;
}

static void handle_new(struct engine *e, struct http_exchange *ex,
                       const struct params *p)
{
    bool upgrade = engine_is_upgrade(e, ex->request);

    if (!str_eq(ex->request->method, STR("GET")))
        refuse(e, ex, EIO_REFUSED_BAD_HANDSHAKE_METHOD, NULL);
    else if (str_eq(p->transport, STR("websocket")) && !upgrade)
        refuse(e, ex, EIO_REFUSED_BAD_REQUEST, "TRANSPORT_HANDSHAKE_ERROR");
    else if (!origin_is_allowed(e, ex))
        engine_refuse(
            e, ex,
            &(sio_connection_error){
                .code = EIO_REFUSED_FORBIDDEN,
                .name = "ORIGIN_NOT_ALLOWED",
                .origin = http_field_value(ex->request, STR("origin")) });
    else if (e->options.allow_request)
        hooks_ask(e, ex);
    else
        engine_admit(e, ex);
}

/* transport=polling on a WebSocket handshake: Node completes the handshake and
 * closes at once, whatever the sid. */
static void handle_polling_upgrade(struct engine *e, struct http_exchange *ex)
{
    struct eng_ws *ws = websocket_accept(e, ex, NULL);

    if (ws)
        websocket_close(ws, WS_CLOSE_NO_STATUS);
}

void engine_check(struct engine *e, struct http_exchange *ex)
{
    const struct http_request *r = ex->request;
    sio_str origin = http_field_value(r, STR("origin"));
    struct params p;

    read_params(&p, r->query);
    if (!transport_bit(e, p.transport))
        engine_refuse(
            e, ex,
            &(sio_connection_error){ .code = EIO_REFUSED_UNKNOWN_TRANSPORT,
                                     .transport = p.transport });
    else if (!origin_is_valid(origin))
        engine_refuse(e, ex,
                      &(sio_connection_error){ .code = EIO_REFUSED_BAD_REQUEST,
                                               .name = "INVALID_ORIGIN",
                                               .origin = origin });
    else if (engine_is_upgrade(e, r) && str_eq(p.transport, STR("polling")))
        handle_polling_upgrade(e, ex);
    else if (p.sid.n)
        handle_known(e, ex, &p);
    else
        handle_new(e, ex, &p);
}

bool eng_handle(struct engine *e, struct http_exchange *ex)
{
    if (!str_starts(ex->request->target, e->options.path))
        return false;
    if (e->middlewares || e->options.cors_request)
        calls_run(e, ex);
    else if (http_cors_is_preflight(&e->options.cors, ex->request))
        respond_preflight(e, ex);
    else
        engine_check(e, ex);
    return true;
}
