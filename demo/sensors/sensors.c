/*
 * sensors.c -- a server inside a program that has a life of its own: its event
 * loop, its timers and signals, and a thread that makes readings.
 *
 *     thread of station.c     sio_emit() to the sensor's room, from there
 *     the program's loop      sockets, the timer of "status", the signals
 *
 *     browser                               sensors.c
 *                                    <--    sensors list
 *     watch name, ack                -->    ack (error, readings so far)
 *                                    <--    reading name, time, value
 *     unwatch name                   -->
 *     interval name, ms, ack         -->    ack (error, ms)
 *                                    <--    interval name, ms: to the others
 *                                    <--    status seconds, clients, readings
 *
 * The end: a signal stops the server; when the last connection has gone the
 * loop is left, then the thread is told and waited for, and only then is the
 * server freed: until there, the thread may emit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/common/site.h"
#include "demo/sensors/station.h"

#include <sio/sio.h>

#include <cjson/cJSON.h>
#include <event2/event.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ROOM_SIZE 32   /* bytes of "sensor:" and the longest name */
#define STATUS_MS 1000 /* between two of them */

struct program {
    struct event_base *base;
    struct event *status, *sigint, *sigterm;
    sio_server *server;
    sio_namespace *nsp;
    struct station station;
    atomic_ulong readings; /* since the last status; the thread counts */
    int64_t seconds;       /* since the start */
};

static const char *room_of(const struct sensor *sensor, char room[ROOM_SIZE])
{
    snprintf(room, ROOM_SIZE, "sensor:%s", sensor->name);
    return room;
}

/* ------------------------------------------------- on the station's thread */

static void on_reading(void *user, const struct sensor *sensor,
                       const struct reading *reading)
{
    struct program *program = user;
    char room[ROOM_SIZE];

    atomic_fetch_add(&program->readings, 1);
    sio_emit(sio_to(program->nsp, room_of(sensor, room)), "reading",
             sio_string(sensor->name), sio_int(reading->time_ms),
             sio_number(reading->value));
}

/* ------------------------------------------------------------- on the loop */

static cJSON *describe(struct station *station)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; list && i < SENSOR_COUNT; i++) {
        struct sensor *sensor = &station->sensors[i];
        cJSON *item = cJSON_CreateObject();

        cJSON_AddStringToObject(item, "name", sensor->name);
        cJSON_AddStringToObject(item, "unit", sensor->unit);
        cJSON_AddNumberToObject(item, "digits", sensor->digits);
        cJSON_AddNumberToObject(item, "interval",
                                station_interval(station, sensor));
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

static void on_connection(sio_socket *socket, void *user)
{
    struct program *program = user;
    cJSON *list = describe(&program->station);

    sio_emit(socket, "sensors", sio_json(list));
    cJSON_Delete(list);
}

/* The sensor that argument 0 names. */
static struct sensor *sensor_of(struct program *program, sio_event *event)
{
    const char *name;

    if (sio_arg_string(event, 0, &name, NULL) != SIO_OK)
        return NULL;
    return station_find(&program->station, name);
}

/* Join first, then look back: a reading may come twice, but none is lost. The
 * page drops those that it has. */
static void on_watch(sio_socket *socket, sio_event *event, void *user)
{
    struct program *program = user;
    struct sensor *sensor = sensor_of(program, event);
    struct reading readings[HISTORY];
    double flat[2 * HISTORY];
    char room[ROOM_SIZE];
    cJSON *list;
    size_t n;

    if (!sensor || sio_join(socket, room_of(sensor, room)) != SIO_OK) {
        sio_ack(event, sio_string("There is no such sensor."));
        return;
    }
    n = station_history(&program->station, sensor, readings);
    for (size_t i = 0; i < n; i++) {
        flat[2 * i] = (double)readings[i].time_ms;
        flat[2 * i + 1] = readings[i].value;
    }
    list = cJSON_CreateDoubleArray(flat, (int)(2 * n));
    sio_ack(event, sio_null(), sio_json(list));
    cJSON_Delete(list);
}

static void on_unwatch(sio_socket *socket, sio_event *event, void *user)
{
    struct sensor *sensor = sensor_of(user, event);
    char room[ROOM_SIZE];

    if (sensor)
        sio_leave(socket, room_of(sensor, room));
    sio_ack(event);
}

static void on_interval(sio_socket *socket, sio_event *event, void *user)
{
    struct program *program = user;
    struct sensor *sensor = sensor_of(program, event);
    int64_t ms;

    if (!sensor || sio_arg_int(event, 1, &ms) != SIO_OK ||
        ms < INTERVAL_LEAST_MS || ms > INTERVAL_MOST_MS) {
        sio_ack(event, sio_string("An interval is 50 to 60000 ms."));
        return;
    }
    station_set_interval(&program->station, sensor, (uint32_t)ms);
    sio_ack(event, sio_null(), sio_int(ms));
    sio_emit(sio_broadcast(socket), "interval", sio_string(sensor->name),
             sio_int(ms));
}

/* ----------------------------------------- the program's timers and signals */

static void on_status(evutil_socket_t fd, short what, void *user)
{
    struct program *program = user;
    unsigned long readings = atomic_exchange(&program->readings, 0);

    (void)fd;
    (void)what;
    sio_emit(program->nsp, "status", sio_int(++program->seconds),
             sio_int((int64_t)sio_socket_count(program->nsp)),
             sio_int((int64_t)readings));
}

/* Everybody has gone. */
static void on_stopped(sio_server *server, void *user)
{
    struct program *program = user;

    (void)server;
    event_base_loopbreak(program->base);
}

static void on_signal(evutil_socket_t number, short what, void *user)
{
    struct program *program = user;

    (void)number;
    (void)what;
    event_del(program->sigint);
    event_del(program->sigterm);
    event_del(program->status);
    sio_stop(program->server);
}

/* -------------------------------------------------------------------- main */

static bool make_server(struct program *program, struct site *site)
{
    sio_options options;

    sio_options_init(&options);
    site_options(site, &options);
    options.event_base = program->base; /* sio_run() is not called then */
    program->server = sio_server_new(&options);
    program->nsp = program->server ? sio_of(program->server, "/") : NULL;
    if (program->server)
        sio_on_stopped(program->server, on_stopped, program);
    return program->nsp &&
           sio_on_connection(program->nsp, on_connection, program) == SIO_OK &&
           sio_on(program->nsp, "watch", on_watch, program) == SIO_OK &&
           sio_on(program->nsp, "unwatch", on_unwatch, program) == SIO_OK &&
           sio_on(program->nsp, "interval", on_interval, program) == SIO_OK;
}

static bool make_events(struct program *program)
{
    const struct timeval status = { .tv_sec = STATUS_MS / 1000 };
    struct event_base *base = program->base;

    program->status = event_new(base, -1, EV_PERSIST, on_status, program);
    program->sigint = evsignal_new(base, SIGINT, on_signal, program);
    program->sigterm = evsignal_new(base, SIGTERM, on_signal, program);
    return program->status && program->sigint && program->sigterm &&
           event_add(program->status, &status) == 0 &&
           event_add(program->sigint, NULL) == 0 &&
           event_add(program->sigterm, NULL) == 0;
}

static int run(struct program *program)
{
    program->station.on_reading = on_reading;
    program->station.user = program;
    if (!station_start(&program->station)) {
        fprintf(stderr, "sensors: no thread can be started\n");
        return EXIT_FAILURE;
    }
    event_base_dispatch(program->base);
    station_stop(&program->station);
    return EXIT_SUCCESS;
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

static void clean_up(struct program *program)
{
    sio_server_free(program->server); /* needs the base */
    free_event(program->status);
    free_event(program->sigint);
    free_event(program->sigterm);
    if (program->base)
        event_base_free(program->base);
}

int main(int argc, char **argv)
{
    static struct program program;
    struct site site;
    int status;

    if (!site_read(&site, "sensors", "the readings of four sensors", argc, argv,
                   &status))
        return status;
    program.base = event_base_new();
    if (!program.base || !make_server(&program, &site) ||
        !make_events(&program))
        fprintf(stderr, "sensors: out of memory\n");
    else if (site_open(&site, program.server))
        status = run(&program);
    clean_up(&program);
    return status;
}
