/*
 * json.c -- see json.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/json.h"

#include "protocol/base/str.h"
#include "protocol/socketio/scan.h"
#include "protocol/socketio/skip.h"

#include <cjson/cJSON.h>

struct cJSON *json_tree_parse(sio_str text)
{
    const char *end = text.p + text.n, *stop;
    struct cJSON *tree;

    tree = cJSON_ParseWithLengthOpts(text.p, text.n, &stop, false);
    /* old versions read no further than 63 characters into a number */
    if (tree && json_skip_blank(stop, end) != end) {
        cJSON_Delete(tree);
        return NULL;
    }
    return tree;
}

void json_tree_free(struct cJSON *tree)
{
    cJSON_Delete(tree);
}

/* The way from the root down to the node that is being written. */
struct path {
    uint32_t depth;
    const struct cJSON *open[JSON_DEPTH_LIMIT];
};

static int append_c_string(struct grow *out, const char *text)
{
    return text ? json_append_string(out, str_of(text)) : SIO_E_INVAL;
}

static int append_raw(struct grow *out, const char *text, uint32_t depth)
{
    const sio_str raw = str_of(text);

    if (!json_valid(raw, JSON_DEPTH_LIMIT - depth))
        return SIO_E_INVAL;
    return grow_append(out, raw.p, raw.n);
}

/* A node's text; of an array or object the opening bracket, and it becomes the
 * last of the path. */
static int append_node(struct grow *out, struct path *path,
                       const struct cJSON *node)
{
    const int type = node->type & 0xff;

    switch (type) {
    case cJSON_NULL:
        return grow_append(out, "null", 4);
    case cJSON_True:
        return grow_append(out, "true", 4);
    case cJSON_False:
        return grow_append(out, "false", 5);
    case cJSON_Number:
        return json_append_number(out, node->valuedouble);
    case cJSON_String:
        return append_c_string(out, node->valuestring);
    case cJSON_Raw:
        return append_raw(out, node->valuestring, path->depth);
    case cJSON_Array:
    case cJSON_Object:
        if (path->depth == JSON_DEPTH_LIMIT)
            return SIO_E_INVAL;
        path->open[path->depth++] = node;
        return grow_append_byte(out, type == cJSON_Array ? '[' : '{');
    default:
        return SIO_E_INVAL;
    }
}

static bool is_object(const struct cJSON *node)
{
    return (node->type & 0xff) == cJSON_Object;
}

static int append_child(struct grow *out, struct path *path,
                        const struct cJSON *child)
{
    const struct cJSON *parent = path->open[path->depth - 1];
    int r = SIO_OK;

    if (child != parent->child)
        r = grow_append_byte(out, ',');
    if (r == SIO_OK && is_object(parent)) {
        r = append_c_string(out, child->string);
        if (r == SIO_OK)
            r = grow_append_byte(out, ':');
    }
    return r == SIO_OK ? append_node(out, path, child) : r;
}

/* Depth first, without recursion: after a node comes its first child, or its
 * next sibling, or that of the closest ancestor that has one. */
static int append_tree(struct grow *out, const struct cJSON *root)
{
    const struct cJSON *node = root;
    struct path path;
    int r;

    path.depth = 0;
    r = append_node(out, &path, root);
    while (r == SIO_OK && path.depth > 0) {
        const struct cJSON *parent = path.open[path.depth - 1];

        node = node == parent ? parent->child : node->next;
        if (node) {
            r = append_child(out, &path, node);
        } else {
            r = grow_append_byte(out, is_object(parent) ? '}' : ']');
            node = parent;
            path.depth--;
        }
    }
    return r;
}

int json_tree_append(struct grow *out, const struct cJSON *tree)
{
    const size_t before = out->len;
    int r = tree ? append_tree(out, tree) : SIO_E_INVAL;

    if (r != SIO_OK)
        out->len = before;
    return r;
}
