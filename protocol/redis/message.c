/*
 * message.c -- see message.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/message.h"

static void set(struct pr_flags *flags, enum pr_flag flag)
{
    size_t i = 0;

    while (flags->order[i] && flags->order[i] != flag)
        i++;
    flags->order[i] = (uint8_t)flag;
}

void pr_set_volatile(struct pr_flags *flags)
{
    set(flags, PR_VOLATILE);
}

void pr_set_compress(struct pr_flags *flags, bool compress)
{
    set(flags, PR_COMPRESS);
    flags->compress = compress;
}

void pr_set_timeout(struct pr_flags *flags, double ms)
{
    set(flags, PR_TIMEOUT);
    flags->timeout_ms = ms;
}

void pr_set_single(struct pr_flags *flags)
{
    set(flags, PR_SINGLE);
}

bool pr_has_flag(const struct pr_flags *flags, enum pr_flag flag)
{
    for (size_t i = 0; i < sizeof flags->order; i++)
        if (flags->order[i] == flag)
            return true;
    return false;
}

struct sp_message pr_packet(const struct pr_message *m, int64_t id,
                            sio_str extra)
{
    return (struct sp_message){ .type = SP_EVENT,
                                .nsp = m->nsp,
                                .id = id,
                                .event = m->event,
                                .values = m->values,
                                .count = m->count,
                                .extra = extra };
}

bool pr_is_emitter(const struct pr_message *m)
{
    return str_eq(m->uid, STR(PR_EMITTER));
}

const char *pr_type_name(enum pr_type type)
{
    switch (type) {
#define X(name, number) \
    case PR_##name:     \
        return #name;
        PR_TYPES(X)
#undef X
    }
    return "?";
}

const char *pr_error_text(enum pr_error e)
{
    static const char *const texts[] = {
#define X(name, text) text,
        PR_ERRORS(X)
#undef X
    };

    return texts[e];
}
