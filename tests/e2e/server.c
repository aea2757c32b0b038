/*
 * server.c -- the server under the end-to-end tests, on the public API only.
 *
 *     e2e PORT|ADDRESS [option=value...]
 *
 * Listens on 127.0.0.1 or the address, prints "ready PORT", ends with status 0
 * on SIGTERM. GET /counters: what is alive. Options: pingInterval pingTimeout
 * connectTimeout upgradeTimeout maxPayload transports=polling|websocket|both
 * client=FOLDER trust=NETWORK (again for more) forwarded=rfc7239|x
 * proxyProtocol=1 unixMode=OCTAL maxConnections maxPerAddress maxBuffered drain
 * parser=json|msgpack|toy.
 *
 *     "/"
 *     echo ...args              emits echo ...args
 *     ack ...args, ack          ack(...args)
 *     ack-thread arg, ack       ack(arg), from another thread
 *     burst n                   emits burst 0 .. burst n-1
 *     ask ms, event, ...args    asks this client; ack(error, ...)
 *     ask-room room, ms         asks a room "question"; the same
 *     join room, leave room     ack(sorted rooms)
 *     send how, event, ...args  how: {from: "io" or "socket", to: [],
 *                               except: [], volatile: bool}
 *     whoami                    ack({id, transport, address, auth, query,
 *                               header})
 *     bye close                 sio_disconnect(socket, close)
 *     admit                     lets in who waits at /slow
 *     count, stats              ack(sockets in /), ack({...})
 *     handshake, all ...args    ack(handshake); emits all ...args to children
 *     set-data json             what fetch shows
 *     fetch room                ack([{id, rooms, data}, ...])
 *     move from, to             those in `from` join `to`
 *     clear from, room          those in `from` leave `room`
 *     kick room                 disconnects those in it
 *     namespaces                ack(dynamic ones there are)
 *
 *     others
 *     /admin                    echo; needs auth.token "secret"
 *     /slow                     a middleware waits for "admit"
 *     /filter                   "old" becomes "echo", "no" is refused, "later"
 *                               waits for another thread and acks, seen:
 *                               ack(what listeners have seen)
 *     /dynamic-N                a regular expression: hello; auth.refuse is
 *                               refused
 *     /ask-...                  a function: as who waits at /slow
 *     /watch                    gets gone (id, reason, nsp) and going (id,
 *                               number of rooms)
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/toy.h"
#include "tests/servers/counters.h"

#include <cjson/cJSON.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 16
#define TRUST_MAX 8

static sio_server *server;
static sio_tls_options tls_options;
static sio_tls *tls; /* NULL: plain */
static sio_namespace *root, *watch, *dynamic, *asked;
static sio_next *waiting[WAITING_MAX]; /* at the door of /slow */
static size_t waiting_count;
static const char *trusted[TRUST_MAX];
static sio_listen_options listen_options;

/* ----------------------------------------------------------------- helpers */

/* The arguments from `first` on, passed through as they came. */
static size_t pass(const sio_event *event, size_t first,
                   sio_value values[SIO_MAX_VALUES])
{
    size_t n = 0;

    for (size_t i = first; i < sio_arg_count(event) && n < SIO_MAX_VALUES; i++)
        values[n++] = sio_arg(event, i);
    return n;
}

static const char *string_arg(sio_event *event, size_t i)
{
    const char *text = "";

    sio_arg_string(event, i, &text, NULL);
    return text;
}

static int64_t int_arg(const sio_event *event, size_t i)
{
    int64_t n = 0;

    sio_arg_int(event, i, &n);
    return n;
}

static void ack_tree(sio_event *event, cJSON *tree)
{
    sio_ack(event, sio_json(tree));
    cJSON_Delete(tree);
}

/* -------------------------------------------------------- echo, ack, burst */

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    sio_value values[SIO_MAX_VALUES];
    size_t n = pass(event, 0, values);

    (void)user;
    sio_socket_emit_values(socket, "echo", values, n);
}

static void on_ack(sio_socket *socket, sio_event *event, void *user)
{
    sio_value values[SIO_MAX_VALUES];
    size_t n = pass(event, 0, values);

    (void)socket, (void)user;
    sio_ack_values(event, values, n);
}

struct errand {
    sio_pending_ack *ack;
    int64_t value;
};

static void *run_errand(void *arg)
{
    struct errand *errand = arg;

    sio_answer(errand->ack, sio_int(errand->value));
    free(errand);
    return NULL;
}

static void on_ack_thread(sio_socket *socket, sio_event *event, void *user)
{
    struct errand *errand = malloc(sizeof *errand);
    pthread_t thread;

    (void)socket, (void)user;
    if (!errand)
        return;
    errand->value = int_arg(event, 0);
    errand->ack = sio_ack_later(event);
    if (errand->ack && pthread_create(&thread, NULL, run_errand, errand) == 0) {
        pthread_detach(thread);
        return;
    }
    if (errand->ack)
        sio_answer_drop(errand->ack);
    free(errand);
}

static void on_burst(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    for (int64_t i = 0; i < int_arg(event, 0); i++)
        sio_emit(socket, "burst", sio_int(i));
}

/* ------------------------------------------------------------------ asking */

static void on_reply(int error, sio_event *answers, void *user)
{
    sio_value values[1 + SIO_MAX_VALUES];
    size_t n = pass(answers, 0, values + 1);

    /* Error first, as Node's callbacks have it. */
    values[0] = error == SIO_OK ? sio_null() : sio_string(sio_strerror(error));
    sio_answer_values(user, values, 1 + n);
}

static void ask(sio_target target, sio_event *event, const char *name,
                size_t first)
{
    sio_value values[SIO_MAX_VALUES];
    size_t n = pass(event, first, values);
    sio_pending_ack *ack = sio_ack_later(event);
    int rc;

    if (!ack)
        return;
    rc = sio_emit_ack_values(target, on_reply, ack, name, values, n);
    if (rc != SIO_OK)
        sio_answer(ack, sio_string(sio_strerror(rc)));
}

static void on_ask(sio_socket *socket, sio_event *event, void *user)
{
    uint32_t ms = (uint32_t)int_arg(event, 0);
    sio_target target = sio_target_socket(socket);

    (void)user;
    ask(ms > 0 ? sio_timeout(target, ms) : target, event, string_arg(event, 1),
        2);
}

static void on_ask_room(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    ask(sio_timeout(sio_to(root, string_arg(event, 0)),
                    (uint32_t)int_arg(event, 1)),
        event, "question", 2);
}

/* ------------------------------------------------------------------- rooms */

static void add_room(void *user, sio_str room)
{
    char name[128];

    snprintf(name, sizeof name, "%.*s", (int)room.n, room.p);
    cJSON_AddItemToArray(user, cJSON_CreateString(name));
}

static void ack_rooms(sio_socket *socket, sio_event *event)
{
    cJSON *list = cJSON_CreateArray();

    sio_each_room(socket, add_room, list);
    ack_tree(event, list);
}

static void on_join(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_join(socket, string_arg(event, 0));
    ack_rooms(socket, event);
}

static void on_leave(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_leave(socket, string_arg(event, 0));
    ack_rooms(socket, event);
}

static void on_send(sio_socket *socket, sio_event *event, void *user)
{
    sio_value values[SIO_MAX_VALUES];
    const cJSON *how, *room;
    const char *from;
    sio_target target;

    (void)user;
    if (sio_arg_json(event, 0, &how) != SIO_OK)
        return;
    from = cJSON_GetStringValue(cJSON_GetObjectItem(how, "from"));
    target = from && strcmp(from, "io") == 0 ? sio_target_namespace(root)
                                             : sio_broadcast(socket);
    cJSON_ArrayForEach(room, cJSON_GetObjectItem(how, "to")) target =
        sio_to(target, room->valuestring);
    cJSON_ArrayForEach(room, cJSON_GetObjectItem(how, "except")) target =
        sio_except(target, room->valuestring);
    if (cJSON_IsTrue(cJSON_GetObjectItem(how, "volatile")))
        target = sio_volatile(target);
    sio_emit_values(target, string_arg(event, 1), values,
                    pass(event, 2, values));
    sio_ack(event);
}

/* ------------------------------------------------------------- information */

static void on_whoami(sio_socket *socket, sio_event *event, void *user)
{
    sio_str auth = sio_auth(socket);
    sio_str header = sio_request_header(socket, "x-test");
    const sio_certificate *certificate = sio_request_certificate(socket);
    cJSON *tree = cJSON_CreateObject();
    char query[64] = "", head[64];

    (void)user;
    sio_request_query(socket, "who", query, sizeof query);
    snprintf(head, sizeof head, "%.*s", (int)header.n,
             header.p ? header.p : "");
    cJSON_AddStringToObject(tree, "id", sio_id(socket));
    cJSON_AddStringToObject(tree, "transport", sio_transport(socket));
    cJSON_AddStringToObject(tree, "address", sio_address(socket));
    cJSON_AddBoolToObject(tree, "secure", sio_request_secure(socket));
    cJSON_AddItemToObject(tree, "auth", cJSON_ParseWithLength(auth.p, auth.n));
    cJSON_AddStringToObject(tree, "query", query);
    cJSON_AddStringToObject(tree, "header", head);
    cJSON_AddBoolToObject(tree, "secure", sio_request_secure(socket));
    if (certificate) {
        cJSON_AddBoolToObject(tree, "verified", certificate->verified);
        cJSON_AddStringToObject(tree, "subject", certificate->subject);
        cJSON_AddStringToObject(tree, "sha256", certificate->sha256);
    }
    ack_tree(event, tree);
}

static void on_reload(sio_socket *socket, sio_event *event, void *user)
{
    char why[SIO_TLS_WHY] = "";

    (void)socket, (void)user;
    if (tls)
        sio_tls_reload(tls, why, sizeof why);
    sio_ack(event, sio_string(why));
}

static void on_count(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_ack(event, sio_int((int64_t)sio_socket_count(root)));
}

static void on_stats(sio_socket *socket, sio_event *event, void *user)
{
    cJSON *tree = cJSON_CreateObject();
    sio_stats s;

    (void)socket, (void)user;
    sio_get_stats(server, &s);
#define ADD(field) cJSON_AddNumberToObject(tree, #field, (double)s.field)
    ADD(connections);
    ADD(tls);
    ADD(tls_handshakes);
    ADD(tls_failures);
    ADD(requests);
    ADD(sessions);
    ADD(websockets);
    ADD(sockets);
    ADD(rooms);
    ADD(pending_acks);
    ADD(queued_bytes);
    ADD(handshakes);
    ADD(refused);
    ADD(dropped);
    ADD(events_in);
    ADD(events_out);
    ADD(polling);
    ADD(upgrades);
    ADD(packets_in);
    ADD(packets_out);
    ADD(bytes_in);
    ADD(bytes_out);
    ADD(volatile_dropped);
    ADD(discarded_bytes);
#undef ADD
    cJSON_AddNumberToObject(tree, "slow",
                            (double)s.closed[SIO_CLOSE_SLOW_CONSUMER]);
    ack_tree(event, tree);
}

/* ------------------------------------------------------- coming and leaving */

static void on_bye(sio_socket *socket, sio_event *event, void *user)
{
    bool close = false;

    (void)user;
    sio_arg_bool(event, 0, &close);
    sio_disconnect(socket, close);
}

static void on_going(sio_socket *socket, const char *reason, void *user)
{
    (void)reason, (void)user;
    sio_emit(watch, "going", sio_string(sio_id(socket)),
             sio_int((int64_t)sio_each_room(socket, NULL, NULL)));
}

static void on_gone(sio_socket *socket, const char *reason, void *user)
{
    sio_namespace *nsp = sio_namespace_of(socket);

    (void)user;
    sio_emit(watch, "gone", sio_string(sio_id(socket)), sio_string(reason),
             sio_string(sio_namespace_name(nsp)));
}

static void check_token(sio_socket *socket, sio_next *next, void *user)
{
    static const char why[] = "{\"code\":\"E_AUTH\",\"retry\":false}";
    sio_value data = sio_raw_json(why, sizeof why - 1);
    char token[16];

    (void)user;
    if (sio_auth_string(socket, "token", token, sizeof token) == 6 &&
        strcmp(token, "secret") == 0)
        sio_next_ok(next);
    else
        sio_next_error(next, "not authorized", &data);
}

static void on_admin(sio_socket *socket, void *user)
{
    (void)user;
    sio_emit(socket, "hello", sio_string(sio_id(socket)));
}

static void hold(sio_socket *socket, sio_next *next, void *user)
{
    (void)user;
    sio_join(socket, "held"); /* left again should the client go away */
    if (waiting_count < WAITING_MAX)
        waiting[waiting_count++] = next;
    else
        sio_next_error(next, "full", NULL);
}

static void on_admit(sio_socket *socket, sio_event *event, void *user)
{
    size_t n = waiting_count;

    (void)socket, (void)user;
    if ((int64_t)n < int_arg(event, 0)) /* not before so many wait */
        n = 0;
    while (n && waiting_count > 0)
        sio_next_ok(waiting[--waiting_count]);
    sio_ack(event, sio_int((int64_t)n));
}

/* --------------------------------------------- dynamic namespaces, many at
 * once */

static void refuse_some(sio_socket *socket, sio_next *next, void *user)
{
    char why[8];

    (void)user;
    if (sio_auth_string(socket, "refuse", why, sizeof why) > 0)
        sio_next_error(next, "refused", NULL);
    else
        sio_next_ok(next);
}

/* As hold(): until "admit". */
static void ask_later(const char *name, sio_str auth, sio_next *next,
                      void *user)
{
    (void)auth, (void)user;
    if (strncmp(name, "/ask-", 5) != 0 || waiting_count == WAITING_MAX)
        sio_next_error(next, "no", NULL);
    else
        waiting[waiting_count++] = next;
}

static void on_all(sio_socket *socket, sio_event *event, void *user)
{
    sio_value values[SIO_MAX_VALUES];
    size_t n = pass(event, 0, values);

    (void)socket, (void)user;
    sio_emit_values(sio_target_namespace(dynamic), "all", values, n);
    sio_emit_values(sio_target_namespace(asked), "all", values, n);
}

static void on_namespaces(sio_socket *socket, sio_event *event, void *user)
{
    sio_stats s;

    (void)socket, (void)user;
    sio_get_stats(server, &s);
    sio_ack(event, sio_int((int64_t)s.dynamic_namespaces));
}

static void on_handshake(sio_socket *socket, sio_event *event, void *user)
{
    static char json[65536];
    int n = sio_handshake_json(socket, json, sizeof json);

    (void)user;
    sio_ack(event, sio_raw_json(json, n < 0 ? 0 : (size_t)n));
}

static void on_set_data(sio_socket *socket, sio_event *event, void *user)
{
    sio_str json;

    (void)user;
    if (sio_arg_raw(event, 0, &json) == SIO_OK)
        sio_set_data_json(socket, json.p, json.n);
    sio_ack(event);
}

static void on_fetched(int error, const sio_remote_socket *const *sockets,
                       size_t count, void *user)
{
    cJSON *list = cJSON_CreateArray();

    (void)error;
    for (size_t i = 0; i < count; i++) {
        sio_str data = sio_remote_data_json(sockets[i]);
        cJSON *one = cJSON_CreateObject(),
              *rooms = cJSON_AddArrayToObject(one, "rooms");

        sio_remote_each_room(sockets[i], add_room, rooms);
        cJSON_AddStringToObject(one, "id", sio_remote_id(sockets[i]));
        cJSON_AddItemToObject(one, "data",
                              cJSON_ParseWithLength(data.p, data.n));
        cJSON_AddItemToArray(list, one);
    }
    sio_answer((sio_pending_ack *)user, sio_json(list));
    cJSON_Delete(list);
}

static sio_target room_or_all(sio_event *event)
{
    const char *room = string_arg(event, 0);

    return *room ? sio_to(root, room) : sio_target_namespace(root);
}

static void on_fetch(sio_socket *socket, sio_event *event, void *user)
{
    sio_pending_ack *ack = sio_ack_later(event);

    (void)socket, (void)user;
    if (ack && sio_fetch_sockets(room_or_all(event), on_fetched, ack) != SIO_OK)
        sio_answer_drop(ack);
}

static void on_move(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_sockets_join(room_or_all(event), string_arg(event, 1));
    sio_ack(event);
}

static void on_clear(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_sockets_leave(room_or_all(event), string_arg(event, 1));
    sio_ack(event);
}

static void on_kick(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_disconnect_sockets(room_or_all(event), true);
}

static int register_more(void)
{
    int rc;

    dynamic = sio_of_regex(server, "^/dynamic-[0-9]+$");
    asked = sio_of_function(server, ask_later, NULL);
    if (!dynamic || !asked)
        return SIO_E_NOMEM;
    if ((rc = sio_use(dynamic, refuse_some, NULL)) ||
        (rc = sio_on_connection(dynamic, on_admin, NULL)) ||
        (rc = sio_on(dynamic, "echo", on_echo, NULL)) ||
        (rc = sio_on_connection(asked, on_admin, NULL)) ||
        (rc = sio_on(root, "all", on_all, NULL)) ||
        (rc = sio_on(root, "namespaces", on_namespaces, NULL)) ||
        (rc = sio_on(root, "handshake", on_handshake, NULL)) ||
        (rc = sio_on(root, "set-data", on_set_data, NULL)) ||
        (rc = sio_on(root, "fetch", on_fetch, NULL)) ||
        (rc = sio_on(root, "move", on_move, NULL)) ||
        (rc = sio_on(root, "clear", on_clear, NULL)))
        return rc;
    return sio_on(root, "kick", on_kick, NULL);
}

/* -------------------------------------------------------------------- main */

static void print_log(void *user, sio_log_level level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "e2e: %s\n", message);
}

static bool set_tls_option(const char *name, const char *value)
{
    if (strcmp(name, "tlsCert") == 0)
        tls_options.certificate = value;
    else if (strcmp(name, "tlsKey") == 0)
        tls_options.key = value;
    else if (strcmp(name, "tlsCa") == 0)
        tls_options.ca = value;
    else if (strcmp(name, "tlsClients") == 0)
        tls_options.clients = strcmp(value, "require") == 0
                                  ? SIO_TLS_CLIENTS_REQUIRE
                                  : SIO_TLS_CLIENTS_REQUEST;
    else
        return false;
    return true;
}

/* Options of addresses; -1: another. */
static int set_address_option(sio_options *o, const char *name,
                              const char *value)
{
    uint32_t n = (uint32_t)strtoul(value, NULL, 10);

    if (strcmp(name, "trust") == 0 && o->trusted_proxy_count < TRUST_MAX)
        trusted[o->trusted_proxy_count++] = value;
    else if (strcmp(name, "forwarded") == 0)
        o->forwarded = strcmp(value, "rfc7239") == 0 ? SIO_FORWARDED_RFC7239
                       : strcmp(value, "x") == 0     ? SIO_FORWARDED_X
                                                     : SIO_FORWARDED_ANY;
    else if (strcmp(name, "maxConnections") == 0)
        o->max_connections = n;
    else if (strcmp(name, "maxPerAddress") == 0)
        o->max_connections_per_address = n;
    else if (strcmp(name, "proxyProtocol") == 0)
        listen_options.proxy_protocol = n;
    else if (strcmp(name, "unixMode") == 0)
        listen_options.unix_mode = (unsigned)strtoul(value, NULL, 8);
    else
        return -1;
    o->trusted_proxies = trusted;
    return 0;
}

static int set_option(sio_options *o, const char *name, const char *value)
{
    uint32_t n = (uint32_t)strtoul(value, NULL, 10);

    if (strcmp(name, "pingInterval") == 0)
        o->ping_interval_ms = n;
    else if (strcmp(name, "pingTimeout") == 0)
        o->ping_timeout_ms = n;
    else if (strcmp(name, "connectTimeout") == 0)
        o->connect_timeout_ms = n;
    else if (strcmp(name, "upgradeTimeout") == 0)
        o->upgrade_timeout_ms = n;
    else if (strcmp(name, "maxPayload") == 0)
        o->max_http_buffer_size = n;
    else if (strcmp(name, "maxBuffered") == 0)
        o->max_buffered_amount = n;
    else if (strcmp(name, "drain") == 0)
        o->drain_ms = n;
    else if (strcmp(name, "loops") == 0)
        o->loops = (unsigned)n;
    else if (strcmp(name, "eio3") == 0)
        o->allow_eio3 = n;
    else if (strcmp(name, "cleanup") == 0)
        o->cleanup_empty_child_namespaces = n;
    else if (strcmp(name, "recovery") == 0) {
        o->connection_state_recovery = true;
        o->max_disconnection_duration_ms = (uint32_t)n;
    } else if (strcmp(name, "client") == 0)
        o->client_dir = value;
    else if (strcmp(name, "parser") == 0)
        o->parser = strcmp(value, "msgpack") == 0 ? sio_msgpack_parser()
                    : strcmp(value, "toy") == 0   ? toy_parser()
                                                  : NULL;
    else if (strcmp(name, "transports") == 0)
        o->transports = strcmp(value, "polling") == 0 ? SIO_TRANSPORT_POLLING
                        : strcmp(value, "websocket") == 0
                            ? SIO_TRANSPORT_WEBSOCKET
                            : o->transports;
    else
        return set_address_option(o, name, value);
    return 0;
}

static int parse(sio_options *options, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value)
            *value++ = '\0';
        if (!value || (!set_tls_option(argv[i], value) &&
                       set_option(options, argv[i], value) < 0)) {
            fprintf(stderr, "e2e: unknown option %s\n", argv[i]);
            return -1;
        }
    }
    return 0;
}

/* ----------------------------------------------------------------- /filter */

static unsigned port;
static char seen[4096]; /* "any old,out echo,..." */

static void see(const char *what, const char *name)
{
    size_t n = strlen(seen);

    snprintf(seen + n, sizeof seen - n, "%s%s %s", n ? "," : "", what, name);
}

static void see_event(sio_socket *socket, sio_event *event, void *what)
{
    (void)socket;
    see(what, sio_event_name(event));
}

static void see_error(sio_socket *socket, const char *message,
                      const sio_value *data, void *user)
{
    (void)socket;
    (void)data;
    (void)user;
    see("error", message);
}

static void *let_pass(void *next)
{
    sio_next_ok(next);
    return NULL;
}

static void filter(sio_socket *socket, sio_event *event, sio_next *next,
                   void *user)
{
    const char *name = sio_event_name(event);
    sio_value values[SIO_MAX_VALUES];
    pthread_t thread;

    (void)socket;
    (void)user;
    if (strcmp(name, "later") == 0 &&
        pthread_create(&thread, NULL, let_pass, next) == 0) {
        pthread_detach(thread);
        return;
    }
    if (strcmp(name, "old") == 0)
        sio_event_replace(event, "echo", values, pass(event, 0, values));
    if (strcmp(name, "no") == 0)
        sio_next_error(next, "no", NULL);
    else
        sio_next_ok(next);
}

static void on_seen(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)user;
    sio_ack(event, sio_string(seen));
    seen[0] = 0;
}

static int register_filter(void)
{
    static char any[] = "any", out[] = "out";
    sio_namespace *nsp = sio_of(server, "/filter");
    int rc;

    if (!nsp)
        return SIO_E_NOMEM;
    if ((rc = sio_on_any(nsp, see_event, any)) ||
        (rc = sio_on_any_outgoing(nsp, see_event, out)) ||
        (rc = sio_use_events(nsp, filter, NULL)) ||
        (rc = sio_on_error(nsp, see_error, NULL)) ||
        (rc = sio_on(nsp, "echo", on_echo, NULL)) ||
        (rc = sio_on(nsp, "later", on_ack, NULL)))
        return rc;
    return sio_on(nsp, "seen", on_seen, NULL);
}

/* At the same port again, as soon as it has stopped. */
static void begin_again(sio_server *stopped, void *user)
{
    const char *counters = getenv("SIO_COUNTERS");
    char address[200];

    (void)user;
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    sio_listen(stopped, address, &listen_options);
    snprintf(address, sizeof address, "unix:%s", counters ? counters : "");
    if (counters)
        sio_listen(stopped, address, NULL);
    sio_on_stopped(stopped, NULL, NULL);
}

static void on_restart(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)event;
    (void)user;
    sio_on_stopped(server, begin_again, NULL);
    sio_stop(server);
}

static int register_all(void)
{
    static const struct {
        const char *event;
        sio_event_fn fn;
    } handlers[] = {
        { "echo", on_echo },     { "ack", on_ack },
        { "burst", on_burst },   { "ack-thread", on_ack_thread },
        { "ask", on_ask },       { "ask-room", on_ask_room },
        { "join", on_join },     { "leave", on_leave },
        { "send", on_send },     { "whoami", on_whoami },
        { "count", on_count },   { "stats", on_stats },
        { "bye", on_bye },       { "admit", on_admit },
        { "reload", on_reload }, { "restart", on_restart },
    };
    sio_namespace *admin = sio_of(server, "/admin");
    sio_namespace *slow = sio_of(server, "/slow");
    int rc = SIO_OK;

    root = sio_of(server, "/");
    watch = sio_of(server, "/watch");
    if (!root || !watch || !admin || !slow)
        return SIO_E_NOMEM;
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers && !rc; i++)
        rc = sio_on(root, handlers[i].event, handlers[i].fn, NULL);
    if (rc != SIO_OK || (rc = sio_on_disconnecting(root, on_going, NULL)) ||
        (rc = sio_on_disconnect(root, on_gone, NULL)) ||
        (rc = sio_on_disconnect(admin, on_gone, NULL)) ||
        (rc = sio_use(admin, check_token, NULL)) ||
        (rc = sio_on_connection(admin, on_admin, NULL)) ||
        (rc = sio_on(admin, "echo", on_echo, NULL)))
        return rc;
    if ((rc = sio_use(slow, hold, NULL)))
        return rc;
    return register_filter();
}

static int listen_at(const char *address)
{
    char why[SIO_TLS_WHY] = "";

    if (tls_options.certificate) {
        listen_options.tls = tls = sio_tls_new(&tls_options, why, sizeof why);
        if (!tls) {
            fprintf(stderr, "e2e: %s\n", why);
            return SIO_E_INVAL;
        }
    }
    return sio_listen(server, address, &listen_options);
}

int main(int argc, char **argv)
{
    sio_options options;
    char address[200];
    int rc;

    if (argc < 2) {
        fprintf(stderr, "usage: e2e PORT [option=value...]\n");
        return 2;
    }
    sio_options_init(&options);
    sio_tls_options_init(&tls_options);
    sio_listen_options_init(&listen_options);
    options.log = print_log;
    if (parse(&options, argc, argv) < 0)
        return 2;
    server = sio_server_new(&options);
    if (!server)
        return 1;
    snprintf(address, sizeof address, "%s%s",
             strspn(argv[1], "0123456789") == strlen(argv[1]) ? "127.0.0.1:"
                                                              : "",
             argv[1]);
    rc = register_all();
    if (rc == SIO_OK)
        rc = register_more();
    if (rc == SIO_OK)
        rc = serve_counters(server);
    if (rc == SIO_OK)
        rc = listen_at(address);
    if (rc == SIO_OK) {
        port = sio_port(server);
        printf("ready %u\n", port);
        fflush(stdout);
        rc = sio_run(server);
    }
    if (rc != SIO_OK)
        fprintf(stderr, "e2e: %s: %s\n", sio_strerror(rc), strerror(errno));
    sio_server_free(server);
    sio_tls_free(tls);
    return rc == SIO_OK ? 0 : 1;
}
