/*
 * emitter.c -- the emitter, told by lines of JSON what to say; only public
 * headers:
 *
 *     emitter NAME=VALUE...    url, adapter (classic, sharded, streams),
 * prefix, streams, max_queued, command (ms)
 *
 *     {"op":"emit","nsp":"/chat","rooms":["r1"],"except":["r2"],
 *      "flags":["volatile","compress"],"args":["event",1,{"hex":"0102"}]}
 *
 * and join, leave (names in `to`), disconnect (`close`), notify, flush (`ms`),
 * stats. It says a line for each: the result as a number, or JSON; what is
 * logged goes to stderr. `{"op":"many","count":N}` emits N events from each of
 * four threads. It ends with its input, without a flush.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ARGS 8
#define THREADS 4

static sio_emitter *emitter;

static const char *text_of(const cJSON *spec, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(spec, name));
}

static double number_of(const cJSON *spec, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(spec, name);

    return item ? item->valuedouble : 0;
}

static sio_emission emission_of(const cJSON *spec)
{
    const char *nsp = text_of(spec, "nsp");
    sio_emission e = sio_emitter_of(emitter, nsp ? nsp : "/");
    const cJSON *it;

    cJSON_ArrayForEach(it, cJSON_GetObjectItem(spec, "rooms")) e =
        sio_emitter_to(e, it->valuestring);
    cJSON_ArrayForEach(it, cJSON_GetObjectItem(spec, "except")) e =
        sio_emitter_except(e, it->valuestring);
    cJSON_ArrayForEach(it, cJSON_GetObjectItem(spec, "flags")) e =
        strcmp(it->valuestring, "volatile") == 0
            ? sio_emitter_volatile(e)
            : sio_emitter_compress(e, strcmp(it->valuestring, "compress") == 0);
    return e;
}

/* {"hex":"0102"} is binary. */
static sio_value value_of(const cJSON *item)
{
    static unsigned char bytes[256];
    const char *hex = text_of(item, "hex");
    size_t n = 0;
    unsigned byte;

    if (!hex)
        return sio_json(item);
    while (n < sizeof bytes && sscanf(hex + 2 * n, "%2x", &byte) == 1)
        bytes[n++] = (unsigned char)byte;
    return sio_binary(bytes, n);
}

static int say_event(const cJSON *spec, bool to_servers)
{
    const cJSON *args = cJSON_GetObjectItem(spec, "args"), *it = args->child;
    sio_value values[ARGS];
    size_t n = 0;

    for (it = it->next; it && n < ARGS; it = it->next)
        values[n++] = value_of(it);
    return to_servers
               ? sio_emission_server_side_emit_values(
                     emission_of(spec), args->child->valuestring, values, n)
               : sio_emission_emit_values(emission_of(spec),
                                          args->child->valuestring, values, n);
}

static int move(const cJSON *spec, bool join)
{
    const cJSON *to = cJSON_GetObjectItem(spec, "to");
    const char *names[ARGS];
    size_t n = 0;

    for (const cJSON *it = to->child; it && n < ARGS; it = it->next)
        names[n++] = it->valuestring;
    return join ? sio_emission_sockets_join(emission_of(spec), names, n)
                : sio_emission_sockets_leave(emission_of(spec), names, n);
}

static void *emit_many(void *arg)
{
    const int *count = arg;

    for (int i = 0; i < *count; i++)
        if (sio_emitter_emit(emitter, "many", sio_int(i)) < 0)
            abort();
    return NULL;
}

static int many(int count)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, emit_many, &count) != 0)
            abort();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return SIO_OK;
}

static void say_stats(void)
{
    sio_emitter_stats s;

    sio_emitter_get_stats(emitter, &s);
    printf("{\"state\":%d,\"pending\":%zu,\"queued\":%zu,\"sent\":%llu,"
           "\"dropped\":%llu}\n",
           (int)s.state, s.pending, s.queued_bytes, (unsigned long long)s.sent,
           (unsigned long long)s.dropped);
}

static void obey(const cJSON *spec)
{
    const char *op = text_of(spec, "op");
    int r = SIO_E_INVAL;

    if (strcmp(op, "stats") == 0) {
        say_stats();
        return;
    }
    if (strcmp(op, "emit") == 0)
        r = say_event(spec, false);
    else if (strcmp(op, "notify") == 0)
        r = say_event(spec, true);
    else if (strcmp(op, "join") == 0 || strcmp(op, "leave") == 0)
        r = move(spec, *op == 'j');
    else if (strcmp(op, "disconnect") == 0)
        r = sio_emitter_disconnect_sockets(
            emission_of(spec),
            cJSON_IsTrue(cJSON_GetObjectItem(spec, "close")));
    else if (strcmp(op, "many") == 0)
        r = many((int)number_of(spec, "count"));
    else if (strcmp(op, "flush") == 0)
        r = sio_emitter_flush(emitter, (uint32_t)number_of(spec, "ms"));
    printf("%d\n", r);
}

static void on_log(void *user, sio_log_level level, const char *message)
{
    (void)user;
    fprintf(stderr, "%d %s\n", (int)level, message);
}

static void read_option(sio_redis_options *redis, const char *name,
                        const char *value)
{
    const unsigned long number = strtoul(value, NULL, 10);

    if (strcmp(name, "url") == 0)
        redis->url = value;
    else if (strcmp(name, "prefix") == 0)
        redis->prefix = value;
    else if (strcmp(name, "adapter") == 0)
        redis->adapter = strcmp(value, "streams") == 0   ? SIO_REDIS_STREAMS
                         : strcmp(value, "sharded") == 0 ? SIO_REDIS_SHARDED
                                                         : SIO_REDIS_CLASSIC;
    else if (strcmp(name, "streams") == 0)
        redis->stream_count = (unsigned)number;
    else if (strcmp(name, "max_queued") == 0)
        redis->max_queued = number;
    else if (strcmp(name, "command") == 0)
        redis->command_timeout_ms = (uint32_t)number;
}

int main(int argc, char **argv)
{
    static char line[1 << 16];
    sio_redis_options redis;
    sio_emitter_options options;

    sio_redis_options_init(&redis);
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (!value)
            return 2;
        *value++ = 0;
        read_option(&redis, argv[i], value);
    }
    sio_emitter_options_init(&options);
    options.redis = &redis;
    options.log = on_log;
    emitter = sio_emitter_new(&options);
    if (!emitter)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        cJSON *spec = cJSON_Parse(line);

        if (!spec)
            abort();
        obey(spec);
        cJSON_Delete(spec);
    }
    sio_emitter_free(emitter);
    return 0;
}
