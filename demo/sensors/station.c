/*
 * station.c -- a weather station with a thread of its own; see station.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/sensors/station.h"

#include <math.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name, *unit;
    int digits;
    uint32_t interval_ms;
    double middle, swing, period_s, noise;
} kinds[SENSOR_COUNT] = {
    { "temperature", "°C", 2, 250, 19.5, 2.5, 47, 0.12 },
    { "wind", "m/s", 1, 250, 7.0, 4.0, 13, 1.1 },
    { "humidity", "%", 1, 500, 58.0, 9.0, 71, 0.5 },
    { "pressure", "hPa", 2, 1000, 1013.2, 1.6, 97, 0.06 },
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -0.5 to 0.5: a generator of its own, so that the numbers need no lock. */
static double noise(struct station *station)
{
    station->noise = station->noise * 1664525u + 1013904223u;
    return (station->noise >> 8) / (double)(1u << 24) - 0.5;
}

/* What a driver would do: it may take its time, nobody waits. */
static double read_sensor(struct station *station, size_t i, int64_t time_ms)
{
    double t = (double)time_ms / 1000 / kinds[i].period_s * 6.283185307;
    double value = kinds[i].middle + kinds[i].swing * sin(t) +
                   kinds[i].swing / 3 * sin(2.7 * t + 1) +
                   kinds[i].noise * noise(station);
    double unit = pow(10, kinds[i].digits);

    return round(value * unit) / unit;
}

static void keep(struct station *station, struct sensor *sensor,
                 const struct reading *reading)
{
    pthread_mutex_lock(&station->lock);
    sensor->history[sensor->count++ % HISTORY] = *reading;
    pthread_mutex_unlock(&station->lock);
}

/* The sensor that is due, or -1 and when the next one is. */
static int next_due(struct station *station, int64_t now, int64_t *when)
{
    *when = now + INTERVAL_MOST_MS;
    for (int i = 0; i < SENSOR_COUNT; i++) {
        struct sensor *sensor = &station->sensors[i];

        if (sensor->due_ms <= now) {
            sensor->due_ms += sensor->interval_ms;
            if (sensor->due_ms <= now) /* the machine slept, or is busy */
                sensor->due_ms = now + sensor->interval_ms;
            return i;
        }
        if (sensor->due_ms < *when)
            *when = sensor->due_ms;
    }
    return -1;
}

/* Wait until a sensor is due; false: it is time to end. */
static bool wait_for(struct station *station, int *which)
{
    bool ending;
    int64_t when;

    pthread_mutex_lock(&station->lock);
    while (!station->ending &&
           (*which = next_due(station, clock_ms(CLOCK_MONOTONIC), &when)) < 0) {
        struct timespec until = { .tv_sec = when / 1000,
                                  .tv_nsec = when % 1000 * 1000000 };

        pthread_cond_timedwait(&station->wake, &station->lock, &until);
    }
    ending = station->ending;
    pthread_mutex_unlock(&station->lock);
    return !ending;
}

static void *run(void *self)
{
    struct station *station = self;
    int which;

    while (wait_for(station, &which)) {
        struct sensor *sensor = &station->sensors[which];
        struct reading reading = { .time_ms = clock_ms(CLOCK_REALTIME) };

        reading.value = read_sensor(station, (size_t)which, reading.time_ms);
        /* Kept first: who joins the room in between finds it in the history,
         * and nothing falls between the two. */
        keep(station, sensor, &reading);
        station->on_reading(station->user, sensor, &reading);
    }
    return NULL;
}

bool station_start(struct station *station)
{
    pthread_condattr_t monotonic;
    int64_t now = clock_ms(CLOCK_MONOTONIC);

    for (size_t i = 0; i < SENSOR_COUNT; i++) {
        station->sensors[i] = (struct sensor){
            .name = kinds[i].name,
            .unit = kinds[i].unit,
            .digits = kinds[i].digits,
            .interval_ms = kinds[i].interval_ms,
            .due_ms = now,
        };
    }
    station->ending = false;
    pthread_mutex_init(&station->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&station->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return pthread_create(&station->thread, NULL, run, station) == 0;
}

void station_stop(struct station *station)
{
    pthread_mutex_lock(&station->lock);
    station->ending = true;
    pthread_cond_signal(&station->wake);
    pthread_mutex_unlock(&station->lock);
    pthread_join(station->thread, NULL);
    pthread_cond_destroy(&station->wake);
    pthread_mutex_destroy(&station->lock);
}

struct sensor *station_find(struct station *station, const char *name)
{
    for (size_t i = 0; i < SENSOR_COUNT; i++)
        if (strcmp(station->sensors[i].name, name) == 0)
            return &station->sensors[i];
    return NULL;
}

void station_set_interval(struct station *station, struct sensor *sensor,
                          uint32_t ms)
{
    pthread_mutex_lock(&station->lock);
    sensor->interval_ms = ms;
    sensor->due_ms = clock_ms(CLOCK_MONOTONIC) + ms;
    pthread_cond_signal(&station->wake);
    pthread_mutex_unlock(&station->lock);
}

uint32_t station_interval(struct station *station, struct sensor *sensor)
{
    uint32_t ms;

    pthread_mutex_lock(&station->lock);
    ms = sensor->interval_ms;
    pthread_mutex_unlock(&station->lock);
    return ms;
}

size_t station_history(struct station *station, struct sensor *sensor,
                       struct reading out[HISTORY])
{
    size_t n, first;

    pthread_mutex_lock(&station->lock);
    n = sensor->count < HISTORY ? sensor->count : HISTORY;
    first = sensor->count - n;
    for (size_t i = 0; i < n; i++)
        out[i] = sensor->history[(first + i) % HISTORY];
    pthread_mutex_unlock(&station->lock);
    return n;
}
