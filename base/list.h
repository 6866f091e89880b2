/* Doubly linked lists through a node in each member: no memory of their own, any member leaves in
 * one step. A zeroed node is in no list. */
#ifndef FANIN_LIST_H
#define FANIN_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *before, *after; /* of a list's head: its last and its first member */
};

#define LIST_MEMBER(node, type, field) ((type *)(void *)((char *)(node)-offsetof(type, field)))

static inline void list_init(struct list_node *head)
{
    head->before = head->after = head;
}

static inline struct list_node *list_first(const struct list_node *head)
{
    return head->after == head ? NULL : head->after;
}

static inline bool list_has(const struct list_node *node)
{
    return node->after != NULL;
}

static inline void list_append(struct list_node *head, struct list_node *node)
{
    node->before = head->before;
    node->after = head;
    head->before->after = node;
    head->before = node;
}

/* list_remove: also of a node that is in no list. */
static inline void list_remove(struct list_node *node)
{
    if (!list_has(node))
        return;
    node->before->after = node->after;
    node->after->before = node->before;
    node->before = node->after = NULL;
}

#endif
