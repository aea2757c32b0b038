/*
 * forwarded.c -- see forwarded.h.
 *
 * The lists are read forwards, in one pass, which comes to the same as walking
 * them from the end: an untrusted address makes all before it void, and so does
 * what is no address.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/forwarded.h"

#define NODE_MAX 64 /* bytes of an address with its port */

/* --------------------------------------------------------------- one node --
 */

/* "", ":4711" or ":_obfuscated" (RFC 7239 6.3); -1: none of these. */
static int parse_port(sio_str text)
{
    int port = 0;

    if (text.n == 0)
        return 0;
    if (text.n < 2 || text.p[0] != ':')
        return -1;
    if (text.p[1] == '_')
        return 0;
    for (size_t i = 1; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        port = port * 10 + (text.p[i] - '0');
        if (port > UINT16_MAX)
            return -1;
    }
    return port;
}

/* "192.0.2.7", "192.0.2.7:80", "2001:db8::7", "[2001:db8::7]:80". */
static bool parse_node(struct net_address *out, sio_str text)
{
    sio_str host = text, port = { "", 0 }, rest;
    int number;

    if (text.n && text.p[0] == '[') {
        host = str_split((sio_str){ text.p + 1, text.n - 1 }, ']', &port);
        if (!port.p || !memchr(host.p, ':', host.n))
            return false;
    } else {
        sio_str before = str_split(text, ':', &rest);

        if (rest.p && !memchr(rest.p, ':', rest.n)) { /* one colon: no IPv6 */
            host = before;
            port = (sio_str){ rest.p - 1, rest.n + 1 };
        }
    }
    number = parse_port(port);
    if (number < 0 || !net_address_parse(out, host))
        return false;
    out->port = (uint16_t)number;
    return true;
}

/* --------------------------------------------------------------- the walk --
 */

struct walk {
    const struct net_networks *trusted;
    struct http_client connection; /* who has connected */
    struct http_client found;
    bool any; /* found is from the list */
};

/* All before this is void. */
static void forget(struct walk *w)
{
    w->found = w->connection;
    w->any = false;
}

static void see(struct walk *w, const struct http_client *entry)
{
    if (w->any && net_networks_have(w->trusted, &entry->address))
        return;
    w->found = *entry;
    w->any = true;
}

/* -------------------------------------------------------- X-Forwarded-For --
 */

static bool is_https(sio_str proto)
{
    return str_eq_nocase(proto, STR("https")) ||
           str_eq_nocase(proto, STR("wss"));
}

static void read_x_forwarded_for(struct walk *w, sio_str value)
{
    while (value.p) {
        sio_str node = str_trim(str_split(value, ',', &value));
        struct http_client entry = { .secure = w->connection.secure };

        if (parse_node(&entry.address, node))
            see(w, &entry);
        else
            forget(w);
    }
}

/* The nearest proxy's word: nobody vouches for what stands before it. */
static void read_x_forwarded_proto(bool *secure, sio_str value)
{
    sio_str last = { NULL, 0 };

    while (value.p)
        last = str_trim(str_split(value, ',', &value));
    if (last.n)
        *secure = is_https(last);
}

/* -------------------------------------------------------------- Forwarded --
 */

/* The value of a pair, unquoted; longer ones are cut, and so are no address. */
struct value {
    char text[NODE_MAX];
    size_t n;
};

static void add(struct value *v, char c)
{
    if (v->n < NODE_MAX)
        v->text[v->n++] = c;
}

static char peek(sio_str s)
{
    return s.n ? s.p[0] : 0;
}

static char take(sio_str *s)
{
    s->n--;
    return *s->p++;
}

static bool read_quoted(sio_str *s, struct value *v)
{
    take(s);
    while (s->n) {
        char c = take(s);

        if (c == '"')
            return true;
        if (c == '\\' && s->n)
            c = take(s);
        add(v, c);
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(sio_str *s)
{
    while (is_blank(peek(*s)))
        take(s);
}

/* A token; also the characters of an address, which some forget to quote. */
static void read_plain(sio_str *s, struct value *v)
{
    while (s->n && !is_blank(s->p[0]) && !memchr(",;=\"\\", s->p[0], 5))
        add(v, take(s));
}

/* name=value up to the next ";" or ",". */
static bool read_pair(sio_str *s, struct value *name, struct value *value)
{
    name->n = value->n = 0;
    read_plain(s, name);
    if (name->n == 0 || peek(*s) != '=')
        return false;
    take(s);
    if (peek(*s) == '"') {
        if (!read_quoted(s, value))
            return false;
    } else {
        read_plain(s, value);
    }
    skip_blanks(s);
    return s->n == 0 || peek(*s) == ';' || peek(*s) == ',';
}

static sio_str text_of(const struct value *v)
{
    return (sio_str){ v->text, v->n };
}

/* One element: pairs between ";". False: malformed, *s is at what could not be
 * read. *empty: there was nothing, which lists may have (RFC 9110 5.6.1). */
static bool read_element(sio_str *s, struct walk *w, bool *empty)
{
    struct http_client entry = { .secure = w->connection.secure };
    struct value name, value;
    bool good = false;

    skip_blanks(s);
    *empty = s->n == 0 || peek(*s) == ',';
    if (*empty)
        return true;
    for (;;) {
        sio_str at = *s;

        if (!read_pair(s, &name, &value)) {
            *s = at;
            return false;
        }
        if (str_eq_nocase(text_of(&name), STR("for")))
            good = parse_node(&entry.address, text_of(&value));
        else if (str_eq_nocase(text_of(&name), STR("proto")))
            entry.secure = is_https(text_of(&value));
        if (peek(*s) != ';')
            break;
        take(s);
        skip_blanks(s);
    }
    if (good) {
        see(w, &entry);
    } else {
        forget(w);
        w->found.secure = entry.secure;
    }
    return true;
}

static void read_forwarded(struct walk *w, sio_str value)
{
    while (value.n) {
        sio_str rest;
        bool empty;

        if (!read_element(&value, w, &empty))
            forget(w); /* and go on behind the next comma: an open quote of the
                          client's must not swallow what proxies appended */
        str_split(value, ',', &rest);
        value = rest;
    }
}

/* ------------------------------------------------------------------- both --
 */

static void read_all(struct walk *w, const struct http_request *r, sio_str name,
                     void (*read)(struct walk *w, sio_str value))
{
    for (size_t i = 0; i < r->field_count; i++)
        if (str_eq(r->fields[i].name, name))
            read(w, r->fields[i].value);
}

static bool has(const struct http_request *r, sio_str name)
{
    return http_field_value(r, name).p != NULL;
}

void http_forwarded(const struct http_request *r,
                    const struct net_networks *trusted,
                    enum http_forwarded which, struct http_client *client)
{
    const sio_str x_for = STR("x-forwarded-for");
    struct walk w = { .trusted = trusted,
                      .connection = *client,
                      .found = *client };

    if (!net_networks_have(trusted, &client->address))
        return;
    if (which == HTTP_FORWARDED_RFC7239 ||
        (which == HTTP_FORWARDED_ANY && !has(r, x_for) &&
         has(r, STR("forwarded")))) {
        read_all(&w, r, STR("forwarded"), read_forwarded);
    } else {
        read_all(&w, r, x_for, read_x_forwarded_for);
        for (size_t i = 0; i < r->field_count; i++)
            if (str_eq(r->fields[i].name, STR("x-forwarded-proto")))
                read_x_forwarded_proto(&w.found.secure, r->fields[i].value);
    }
    *client = w.found;
}
