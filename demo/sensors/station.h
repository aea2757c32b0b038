/*
 * station.h -- a weather station: sensors that one thread reads, each as often
 * as it was told.
 *
 *     thread: reading --> on_reading(), on that thread --> sio_emit()
 *     loop:   station_set_interval(), station_history()
 *
 * The sensors are made up. What is real is the shape: a thread that blocks in
 * a driver, and a server that must not wait for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEMO_SENSORS_STATION_H
#define DEMO_SENSORS_STATION_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SENSOR_COUNT 4
#define HISTORY 600            /* readings of a sensor that are kept */
#define INTERVAL_LEAST_MS 50   /* between two readings of a sensor */
#define INTERVAL_MOST_MS 60000 /* the same */

struct reading {
    int64_t time_ms; /* since 1970 */
    double value;
};

struct sensor {
    const char *name; /* "temperature" */
    const char *unit;
    int digits; /* behind the point */

    /* What follows belongs to the lock. */
    uint32_t interval_ms;
    int64_t due_ms; /* the next reading, by the monotonic clock */
    struct reading history[HISTORY];
    size_t count; /* readings ever made; history[count % HISTORY] is next */
};

struct station {
    struct sensor sensors[SENSOR_COUNT];
    pthread_mutex_t lock;
    pthread_cond_t wake; /* an interval has changed, or it is time to end */
    bool ending;
    pthread_t thread;
    uint32_t noise; /* of the made-up values; the thread's */

    /* Called on the thread, without the lock. */
    void (*on_reading)(void *user, const struct sensor *sensor,
                       const struct reading *reading);
    void *user;
};

/* Start the thread; on_reading and user are set. False: it cannot be. */
bool station_start(struct station *station);

/* End the thread and wait for it: on_reading is not called any more. */
void station_stop(struct station *station);

/* By its name; NULL: there is none. */
struct sensor *station_find(struct station *station, const char *name);

/* Holds from now on, not from the next reading. Any thread. */
void station_set_interval(struct station *station, struct sensor *sensor,
                          uint32_t ms);
uint32_t station_interval(struct station *station, struct sensor *sensor);

/* Copy the last readings, oldest first; returns how many. Any thread. */
size_t station_history(struct station *station, struct sensor *sensor,
                       struct reading out[HISTORY]);

#endif /* DEMO_SENSORS_STATION_H */
