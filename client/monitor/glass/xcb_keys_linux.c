/* Keys of X11: from key codes to keysyms, by the keyboard's own table (X11's protocol, chapter 5).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/monitor/glass/xcb_linux.h"

enum {
    KEY_NUM_LOCK = 0xff7f,
    KEY_MODE_SWITCH = 0xff7e,
    KEY_LEVEL3 = 0xfe03,
    KEYPAD_FIRST = 0xff80,
    KEYPAD_LAST = 0xffbd,
    GROUP_SHIFT = 13, /* XKB tells the group in these bits of the state */
    GROUP_MASK = 3,
};

static xcb_keysym_t symbol_at(const struct keys *keys, xcb_keycode_t code, unsigned column)
{
    if (code < keys->first || code - keys->first >= keys->count || column >= keys->per_key)
        return 0;
    return keys->symbols[(code - keys->first) * keys->per_key + column];
}

static bool key_has(const struct keys *keys, xcb_keycode_t code, xcb_keysym_t symbol)
{
    for (unsigned column = 0; column < keys->per_key; column++) {
        if (symbol_at(keys, code, column) == symbol)
            return true;
    }
    return false;
}

/* Which of the eight modifiers these keys are is the keyboard's to choose. */
static void load_modifiers(struct keys *keys, const xcb_get_modifier_mapping_reply_t *reply)
{
    const xcb_keycode_t *codes = xcb_get_modifier_mapping_keycodes(reply);
    unsigned each = reply->keycodes_per_modifier;
    for (unsigned i = 0; i < 8 * each; i++) {
        uint16_t bit = (uint16_t)(1 << i / each);
        if (codes[i] == 0)
            continue;
        if (key_has(keys, codes[i], KEY_NUM_LOCK))
            keys->num_lock |= bit;
        if (key_has(keys, codes[i], KEY_LEVEL3))
            keys->level3 |= bit;
        if (key_has(keys, codes[i], KEY_MODE_SWITCH))
            keys->mode_switch |= bit;
    }
}

static bool load_symbols(struct keys *keys, const xcb_get_keyboard_mapping_reply_t *reply,
                         unsigned first, unsigned count)
{
    size_t symbols = (size_t)xcb_get_keyboard_mapping_keysyms_length(reply);
    xcb_keysym_t *copy = malloc((symbols + 1) * sizeof *copy);
    if (copy == NULL)
        return false;
    memcpy(copy, xcb_get_keyboard_mapping_keysyms(reply), symbols * sizeof *copy);
    free(keys->symbols);
    keys->symbols = copy;
    keys->first = first;
    keys->per_key = reply->keysyms_per_keycode;
    keys->count = keys->per_key == 0 ? 0 : (unsigned)symbols / keys->per_key;
    if (keys->count > count)
        keys->count = count;
    keys->num_lock = keys->level3 = keys->mode_switch = 0;
    return true;
}

int keys_load(struct keys *keys, xcb_connection_t *connection)
{
    const xcb_setup_t *setup = xcb_get_setup(connection);
    unsigned first = setup->min_keycode, count = setup->max_keycode - first + 1u;
    xcb_get_keyboard_mapping_cookie_t symbols =
        xcb_get_keyboard_mapping(connection, (xcb_keycode_t)first, (uint8_t)count);
    xcb_get_modifier_mapping_cookie_t modifiers = xcb_get_modifier_mapping(connection);
    xcb_get_keyboard_mapping_reply_t *symbol_reply =
        xcb_get_keyboard_mapping_reply(connection, symbols, NULL);
    xcb_get_modifier_mapping_reply_t *modifier_reply =
        xcb_get_modifier_mapping_reply(connection, modifiers, NULL);
    int error = symbol_reply == NULL || modifier_reply == NULL ? -EIO : 0;
    if (error == 0 && !load_symbols(keys, symbol_reply, first, count))
        error = -ENOMEM;
    if (error == 0)
        load_modifiers(keys, modifier_reply);
    free(symbol_reply);
    free(modifier_reply);
    return error;
}

void keys_free(struct keys *keys)
{
    free(keys->symbols);
    keys->symbols = NULL;
}

/* Letters of Latin-1 have their other case 32 beside them. */
static bool is_small(xcb_keysym_t symbol)
{
    return (symbol >= 'a' && symbol <= 'z') || (symbol >= 0xe0 && symbol <= 0xfe && symbol != 0xf7);
}

static bool is_letter(xcb_keysym_t small, xcb_keysym_t large)
{
    return is_small(small) && large == small - 32;
}

static bool is_keypad(xcb_keysym_t symbol)
{
    return symbol >= KEYPAD_FIRST && symbol <= KEYPAD_LAST;
}

/* The first of the two columns: groups have two each, and a third level lies behind them. */
static unsigned column_of(const struct keys *keys, uint16_t state)
{
    if ((state & keys->level3) != 0 && keys->level3 != 0)
        return 4;
    bool second = (state >> GROUP_SHIFT & GROUP_MASK) == 1 || (state & keys->mode_switch) != 0;
    return second ? 2 : 0;
}

xcb_keysym_t keys_symbol(const struct keys *keys, xcb_keycode_t code, uint16_t state)
{
    unsigned column = column_of(keys, state);
    xcb_keysym_t plain = symbol_at(keys, code, column);
    if (plain == 0 && column != 0)
        plain = symbol_at(keys, code, column = 0);
    xcb_keysym_t shifted = symbol_at(keys, code, column + 1);
    if (shifted == 0)
        shifted = is_small(plain) ? plain - 32 : plain;
    bool shift = (state & XCB_MOD_MASK_SHIFT) != 0;
    if (is_keypad(shifted))
        return shift != ((state & keys->num_lock) != 0) ? shifted : plain;
    if (is_letter(plain, shifted))
        return shift != ((state & XCB_MOD_MASK_LOCK) != 0) ? shifted : plain;
    return shift ? shifted : plain;
}
