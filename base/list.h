/* Doubly linked lists through a link in each member: no memory of their own, any member leaves
 * in one step. A zeroed link is in no list. */
#ifndef FANIN_LIST_H
#define FANIN_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *before, *after; /* of a list's head: its last and its first member */
};

#define LIST_MEMBER(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))

static inline void list_init(struct link *head)
{
    head->before = head->after = head;
}

static inline struct link *list_first(const struct link *head)
{
    return head->after == head ? NULL : head->after;
}

static inline bool list_has(const struct link *link)
{
    return link->after != NULL;
}

static inline void list_append(struct link *head, struct link *link)
{
    link->before = head->before;
    link->after = head;
    head->before->after = link;
    head->before = link;
}

/* list_remove: also of a link that is in no list. */
static inline void list_remove(struct link *link)
{
    if (!list_has(link))
        return;
    link->before->after = link->after;
    link->after->before = link->before;
    link->before = link->after = NULL;
}

#endif
