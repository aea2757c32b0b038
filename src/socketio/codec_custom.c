/*
 * codec_custom.c -- a parser of the program: <sio/parser.h>; see codec.h. Both
 * ways its values are checked here, so that a parser cannot bring into a
 * handler, nor be given, what the built-in ones would refuse.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"
#include "protocol/socketio/msgpack.h"
#include "protocol/socketio/scan.h"
#include "protocol/socketio/skip.h"
#include "src/socketio/codec.h"

static const sio_parser json_parser = { .size = sizeof json_parser,
                                        .name = "json" };
static const sio_parser msgpack_parser = { .size = sizeof msgpack_parser,
                                           .name = "msgpack",
                                           .binary = true };

const sio_parser *sio_json_parser(void)
{
    return &json_parser;
}

const sio_parser *sio_msgpack_parser(void)
{
    return &msgpack_parser;
}

const struct so_codec *so_codec_of(const sio_parser *parser)
{
    return !parser || parser == &json_parser ? &so_codec_json
           : parser == &msgpack_parser       ? &so_codec_msgpack
                                             : &so_codec_custom;
}

static sio_str bytes_of(const sio_value *v)
{
    return (sio_str){ v->data, v->size };
}

static bool is_text(sio_str s)
{
    return utf8_valid(s.p, s.n);
}

/* -------------------------------------------------------------- decoding -- */

struct sio_decoder {
    struct so_client *client;
    struct sio_event *slot;
    bool complete;
};

static const struct so_options *options_of(const sio_decoder *d)
{
    return &d->client->shard->hub->options;
}

void *sio_decoder_alloc(sio_decoder *decoder, size_t n)
{
    return arena_alloc(&decoder->slot->arena, n);
}

void **sio_decoder_state(sio_decoder *decoder)
{
    return &decoder->client->parser_state;
}

uint32_t sio_decoder_max_attachments(const sio_decoder *decoder)
{
    return options_of(decoder)->limits.max_attachments;
}

/* A value from the parser; raw text is looked through once, here. */
static bool take_value(sio_value *v, uint32_t max_depth)
{
    size_t ignored = 0;

    v->trusted = false;
    switch (v->kind) {
    case SIO_STRING:
        return is_text(bytes_of(v));
    case SIO_RAW_JSON:
        v->trusted = json_valid(bytes_of(v), max_depth);
        return v->trusted && sp_count_binaries(v, &ignored) == SIO_OK;
    case SIO_RAW_MSGPACK:
        v->trusted = mp_check(bytes_of(v), max_depth);
        return v->trusted;
    case SIO_NULL:
    case SIO_BOOL:
    case SIO_INT:
    case SIO_NUMBER:
    case SIO_BINARY:
        return true;
    default:
        return false;
    }
}

/* The values, an event's name in front of them. */
static int take_values(sio_decoder *d, const sio_parser_packet *packet)
{
    const size_t first = packet->type == SIO_PARSER_EVENT;
    const size_t count = first + packet->count;
    struct sp_packet *p = &d->slot->packet;
    sio_value *values;

    if (packet->count >= SIZE_MAX / sizeof *values)
        return SIO_E_NOMEM;
    values = sio_decoder_alloc(d, count * sizeof *values);
    if (!values)
        return SIO_E_NOMEM;
    if (first)
        values[0] = sio_stringn(packet->event.p, packet->event.n);
    for (size_t i = first; i < count; i++) {
        values[i] = packet->values[i - first];
        if (!take_value(&values[i], options_of(d)->limits.max_depth))
            return SIO_E_INVAL;
    }
    p->json = (sio_str){ (const char *)values, count * sizeof *values };
    p->argc = count;
    for (size_t i = 0; i < count && i < SP_ARGS; i++)
        p->argv[i] = (sio_str){ (const char *)&values[i], sizeof *values };
    return SIO_OK;
}

/* CONNECT's auth: none, or an object. */
static int take_auth(sio_decoder *d, const sio_parser_packet *packet)
{
    int r = take_values(d, packet);
    sio_value *v;

    if (r < 0 || packet->count == 0)
        return r;
    v = (sio_value *)(uintptr_t)d->slot->packet.json.p;
    if (v->kind == SIO_RAW_JSON) { /* which may begin with blanks */
        const char *text = v->data, *end = text + v->size;

        v->data = json_skip_blank(text, end);
        v->size = (size_t)(end - (const char *)v->data);
    }
    if (packet->count > 1 ||
        !(v->kind == SIO_RAW_JSON      ? json_kind(bytes_of(v)) == JSON_OBJECT
          : v->kind == SIO_RAW_MSGPACK ? mp_kind(bytes_of(v)) == MP_MAP
                                       : false))
        return SIO_E_INVAL;
    return SIO_OK;
}

static bool is_ack_id(int64_t id)
{
    return id == SIO_NO_ACK_ID || (id >= 0 && id <= SP_MAX_ID);
}

int sio_decoder_packet(sio_decoder *decoder, const sio_parser_packet *packet)
{
    struct sp_packet *p = &decoder->slot->packet;
    int r;

    if (decoder->complete)
        return SIO_E_STATE;
    if (!is_text(packet->nsp) || !is_ack_id(packet->ack_id))
        return SIO_E_INVAL;
    *p = (struct sp_packet){ .type = (enum sp_type)packet->type,
                             .nsp = packet->nsp,
                             .id = packet->ack_id };
    switch (packet->type) {
    case SIO_PARSER_EVENT:
        if (!is_text(packet->event) || sp_reserved_event(packet->event))
            return SIO_E_INVAL;
        r = take_values(decoder, packet);
        break;
    case SIO_PARSER_ACK:
        r = take_values(decoder, packet);
        break;
    case SIO_PARSER_CONNECT:
        r = take_auth(decoder, packet);
        break;
    case SIO_PARSER_DISCONNECT:
        r = packet->count ? SIO_E_INVAL : SIO_OK;
        break;
    default:
        r = SIO_E_INVAL; /* only a server sends the others */
    }
    decoder->complete = r == SIO_OK;
    return r;
}

/* What was decoded is nobody's event: its memory goes now. */
static void handle_and_free(struct so_client *client, struct sio_event *slot)
{
    struct sio_event own = *slot; /* the slot may be needed meanwhile */

    arena_init(&slot->arena);
    so_client_packet(client, &own);
    arena_free(&own.arena);
}

/* While a packet is unfinished each of its messages has so long to come. The
 * timer may still be that of joining a namespace: then that one goes on. */
static void time_packet(struct so_client *client)
{
    if (client->unfinished &&
        (client->packet_timed || !net_timer_running(&client->timer))) {
        net_timer_start(&client->shard->partial_timeouts, &client->timer);
        client->packet_timed = true;
    } else if (!client->unfinished && client->packet_timed) {
        net_timer_stop(&client->timer);
        client->packet_timed = false;
    }
}

static void receive(struct so_client *client, bool binary, uint8_t *data,
                    size_t n)
{
    const sio_parser *parser = client->shard->hub->options.parser;
    sio_decoder d = { .client = client, .slot = so_batch_next(client->shard) };
    const char *wrong;

    if (client->deaf) /* making room ran a handler that closed it */
        return;
    wrong = parser->decode(&d, binary, data, n, parser->user);
    time_packet(client);
    if (wrong) {
        arena_free(&d.slot->arena);
        so_client_bad_packet(client, wrong);
    } else if (!d.complete) {
        arena_free(&d.slot->arena);
    } else if (d.slot->packet.type == SP_EVENT ||
               d.slot->packet.type == SP_ACK) {
        so_client_packet(client, d.slot);
    } else {
        handle_and_free(client, d.slot);
    }
}

static void forget(struct so_client *client)
{
    const sio_parser *parser = client->shard->hub->options.parser;

    if (parser->forget)
        parser->forget(client->parser_state, parser->user);
    client->parser_state = NULL;
}

/* -------------------------------------------------------------- encoding -- */

struct sio_encoder {
    struct grow *out;
    struct sp_attachments *bin;
    int error; /* the first one */
};

static int noted(sio_encoder *e, int r)
{
    if (e->error == SIO_OK)
        e->error = r;
    return r;
}

int sio_encoder_write(sio_encoder *encoder, const void *p, size_t n)
{
    return noted(encoder, grow_append(encoder->out, p, n));
}

int sio_encoder_write_json(sio_encoder *encoder, const sio_value *value)
{
    return noted(encoder, sp_encode_value(encoder->out, encoder->bin, value));
}

int sio_encoder_attach(sio_encoder *encoder, const void *p, size_t n)
{
    return noted(encoder, sp_attachments_add(encoder->bin, (sio_str){ p, n }));
}

size_t sio_encoder_attached(const sio_encoder *encoder)
{
    return encoder->bin->count;
}

static void *arena_copy(struct arena *a, const void *p, size_t n)
{
    void *copy = arena_alloc(a, n ? n : 1);

    if (copy && n)
        memcpy(copy, p, n);
    return copy;
}

/* A tree, or MessagePack: as JSON text. */
static int make_raw(struct arena *a, sio_value *v, size_t max)
{
    struct sp_attachments bin;
    struct grow text;
    int r;

    grow_init(&text, max);
    sp_attachments_init(&bin);
    r = sp_encode_value(&text, &bin, v);
    if (r == SIO_OK) {
        *v = sio_raw_json_binary(
            arena_copy(a, text.data, text.len), text.len,
            arena_copy(a, bin.items, bin.count * sizeof *bin.items), bin.count);
        v->trusted = true;
        r = v->data && v->attachments ? SIO_OK : SIO_E_NOMEM;
    }
    sp_attachments_free(&bin);
    grow_free(&text);
    return r;
}

/* A value for the parser. */
static int give_value(struct arena *a, sio_value *v, size_t max)
{
    size_t ignored = 0;

    if (v->kind == SIO_JSON || v->kind == SIO_RAW_MSGPACK)
        return make_raw(a, v, max);
    if (v->kind == SIO_STRING && !is_text(bytes_of(v)))
        return SIO_E_INVAL;
    if (v->kind > SIO_RAW_MSGPACK)
        return SIO_E_INVAL;
    return sp_count_binaries(v, &ignored);
}

/* All of a message's values, `extra` at their end. */
static int give_values(struct arena *a, const struct sp_message *m, size_t max,
                       sio_parser_packet *packet)
{
    sio_value *values = arena_alloc(a, (m->count + 1) * sizeof *values);
    int r = values ? SIO_OK : SIO_E_NOMEM;

    packet->values = values;
    packet->count = m->count;
    for (size_t i = 0; r == SIO_OK && i < m->count; i++) {
        values[i] = m->values[i];
        r = give_value(a, &values[i], max);
    }
    if (r == SIO_OK && m->extra.p)
        values[packet->count++] = sio_stringn(m->extra.p, m->extra.n);
    return r;
}

static int encode(const struct so_hub *hub, struct grow *out,
                  struct sp_attachments *bin, const struct sp_message *m)
{
    const sio_parser *parser = hub->options.parser;
    const size_t before = out->len;
    sio_encoder encoder = { out, bin, SIO_OK };
    sio_parser_packet packet = { .type = (sio_parser_type)m->type,
                                 .nsp = m->nsp,
                                 .ack_id = m->id,
                                 .event = m->event };
    struct arena arena;
    int r;

    arena_init(&arena);
    bin->count = 0;
    r = m->type == SP_EVENT && !is_text(m->event)
            ? SIO_E_INVAL
            : give_values(&arena, m, out->max, &packet);
    if (r == SIO_OK)
        r = parser->encode(&encoder, &packet, parser->user);
    if (r == SIO_OK)
        r = encoder.error;
    /* attachments point into the values, or what those were made of */
    if (r != SIO_OK) {
        out->len = before;
        bin->count = 0;
    }
    arena_free(&arena);
    return r;
}

static int encode_plain(const struct so_hub *hub, struct grow *out,
                        struct sp_attachments *bin, enum sp_type type,
                        sio_str nsp, const sio_value *payload)
{
    const struct sp_message m = { .type = type,
                                  .nsp = nsp,
                                  .id = SP_NO_ID,
                                  .values = payload,
                                  .count = payload != NULL };

    return encode(hub, out, bin, &m);
}

const struct so_codec so_codec_custom = {
    .args = &so_args_values,
    .receive = receive,
    .forget = forget,
    .encode = encode,
    .encode_plain = encode_plain,
};
