#include "cport/error.h"

#include <stddef.h>

static const struct {
    const char *name, *text;
} errors[] = {
#define X(code, name, text) {name, text},
    CP_ERRORS(X)
#undef X
};

int cp_error_index(int code)
{
    int index = code - CP_ERROR_BASE - 1;
    return index >= 0 && index < CP_ERROR_COUNT ? index : CP_EOTHER - CP_ERROR_BASE - 1;
}

const char *cp_error_name(int code)
{
    return errors[cp_error_index(code)].name;
}

const char *cp_error_text(int code)
{
    return errors[cp_error_index(code)].text;
}
