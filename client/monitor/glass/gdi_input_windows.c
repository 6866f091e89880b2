/* Keys and pointer of Windows' windows: virtual keys become X11's keysyms, as RFB has them. */
#include "client/monitor/glass/gdi_windows.h"

#include <string.h>
#include <windowsx.h>

/* What has no character. Where two sides of the keyboard have it, the left one. */
static const struct {
    uint8_t key;
    uint16_t symbol;
} special_keys[] = {
    {VK_BACK, 0xff08},     {VK_TAB, 0xff09},      {VK_RETURN, 0xff0d},   {VK_PAUSE, 0xff13},
    {VK_SCROLL, 0xff14},   {VK_ESCAPE, 0xff1b},   {VK_HOME, 0xff50},     {VK_LEFT, 0xff51},
    {VK_UP, 0xff52},       {VK_RIGHT, 0xff53},    {VK_DOWN, 0xff54},     {VK_PRIOR, 0xff55},
    {VK_NEXT, 0xff56},     {VK_END, 0xff57},      {VK_SNAPSHOT, 0xff61}, {VK_INSERT, 0xff63},
    {VK_APPS, 0xff67},     {VK_NUMLOCK, 0xff7f},  {VK_SHIFT, 0xffe1},    {VK_CONTROL, 0xffe3},
    {VK_CAPITAL, 0xffe5},  {VK_MENU, 0xffe9},     {VK_LWIN, 0xffeb},     {VK_RWIN, 0xffec},
    {VK_DELETE, 0xffff},   {VK_MULTIPLY, 0xffaa}, {VK_ADD, 0xffab},      {VK_SEPARATOR, 0xffac},
    {VK_SUBTRACT, 0xffad}, {VK_DECIMAL, 0xffae},  {VK_DIVIDE, 0xffaf},
};

enum {
    SYMBOL_F1 = 0xffbe,
    SYMBOL_PAD_0 = 0xffb0,
    SYMBOL_UNICODE = 0x01000000, /* and the character, where it is not of Latin-1 */
    LEAVE_STATE = 1 << 2,        /* of ToUnicode: a dead key stays as it is */
};

static uint32_t symbol_of_character(wchar_t character)
{
    if (character >= 0x20 && character < 0x100 && character != 0x7f)
        return character;
    return character >= 0x100 ? SYMBOL_UNICODE | character : 0;
}

/* The character of a key, as it would be without Ctrl, which the screen adds itself. AltGr is Ctrl
 * and Alt together, and makes characters. */
static uint32_t typed(WPARAM key, LPARAM large)
{
    BYTE state[256];
    wchar_t text[8];
    GetKeyboardState(state);
    bool alt_gr = (state[VK_CONTROL] & 0x80) != 0 && (state[VK_MENU] & 0x80) != 0;
    if (!alt_gr)
        state[VK_CONTROL] = state[VK_LCONTROL] = state[VK_RCONTROL] = 0;
    int length = ToUnicode((UINT)key, (UINT)(large >> 16 & 0xff), state, text, 8, LEAVE_STATE);
    return length == 1 ? symbol_of_character(text[0]) : 0;
}

static uint32_t symbol_of(WPARAM key, LPARAM large)
{
    for (unsigned i = 0; i < sizeof special_keys / sizeof *special_keys; i++) {
        if (special_keys[i].key == key)
            return special_keys[i].symbol;
    }
    if (key >= VK_F1 && key <= VK_F24)
        return SYMBOL_F1 + (uint32_t)(key - VK_F1);
    if (key >= VK_NUMPAD0 && key <= VK_NUMPAD9)
        return SYMBOL_PAD_0 + (uint32_t)(key - VK_NUMPAD0);
    return typed(key, large);
}

/* The screen that the window's keys go to, or NOBODY. */
static int screen_of(const struct pane *pane)
{
    return pane->glass->config.grid ? pane->glass->grid.chosen : (int)pane->index;
}

void input_leaves(struct glass *glass)
{
    int screen = glass->focused;
    glass->focused = NOBODY;
    memset(glass->down, 0, sizeof glass->down);
    if (screen != NOBODY)
        glass->config.hooks->unfocused(glass->config.context, (unsigned)screen);
}

static void comes(struct glass *glass, int screen)
{
    if (screen == NOBODY || screen == glass->focused)
        return;
    input_leaves(glass);
    glass->focused = screen;
    glass->config.hooks->focused(glass->config.context, (unsigned)screen);
}

/* A key goes up as what it went down as; one that went down elsewhere does not go up here. */
static void on_key(struct pane *pane, WPARAM key, LPARAM large, bool press)
{
    struct glass *glass = pane->glass;
    int screen = screen_of(pane);
    uint32_t *down = &glass->down[key & 0xff];
    uint32_t symbol = press ? symbol_of(key, large) : *down;
    *down = press ? symbol : 0;
    if (symbol != 0 && screen != NOBODY)
        glass->config.hooks->key(glass->config.context, (unsigned)screen, symbol, press);
}

/* ---- pointer ------------------------------------------------------------------------------- */

static unsigned inside(int at, unsigned size)
{
    if (at < 0 || size == 0)
        return 0;
    return (unsigned)at < size ? (unsigned)at : size - 1;
}

static void point_in_grid(struct pane *pane, int x, int y, unsigned button, bool down)
{
    struct glass *glass = pane->glass;
    struct grid *grid = &glass->grid;
    unsigned picture_x, picture_y;
    uint8_t buttons;
    enum grid_act act = grid_point_at(grid, x, y, button, down, &picture_x, &picture_y, &buttons);
    if (act == GRID_POINTER)
        glass->config.hooks->pointer(glass->config.context, (unsigned)grid->chosen, picture_x,
                                     picture_y, buttons);
    if (act != GRID_CHOSEN)
        return;
    InvalidateRect(pane->window, NULL, FALSE);
    input_leaves(glass);
    comes(glass, grid->chosen);
}

/* `button` from 1, as X11 counts; 0: a move. */
static void on_pointer(struct pane *pane, int x, int y, unsigned button, bool down)
{
    struct glass *glass = pane->glass;
    if (glass->config.grid) {
        point_in_grid(pane, x, y, button, down);
        return;
    }
    uint8_t bit = (uint8_t)(button == 0 ? 0 : 1 << (button - 1));
    pane->buttons = (uint8_t)(down ? pane->buttons | bit : pane->buttons & ~bit);
    pthread_mutex_lock(&pane->lock);
    unsigned width = pane->picture.width, height = pane->picture.height;
    pthread_mutex_unlock(&pane->lock);
    glass->config.hooks->pointer(glass->config.context, pane->index, inside(x, width),
                                 inside(y, height), pane->buttons);
}

/* While a button is down the pointer's messages come here from anywhere. */
static void on_button(struct pane *pane, LPARAM large, unsigned button, bool down)
{
    if (down)
        SetCapture(pane->window);
    on_pointer(pane, GET_X_LPARAM(large), GET_Y_LPARAM(large), button, down);
    if (!down && pane->buttons == 0)
        ReleaseCapture();
}

static void on_wheel(struct pane *pane, WPARAM wide, LPARAM large)
{
    enum { UP = 4, DOWN = 5 };
    POINT at = {GET_X_LPARAM(large), GET_Y_LPARAM(large)};
    ScreenToClient(pane->window, &at);
    unsigned button = GET_WHEEL_DELTA_WPARAM(wide) > 0 ? UP : DOWN;
    on_pointer(pane, at.x, at.y, button, true);
    on_pointer(pane, at.x, at.y, button, false);
}

static bool pointer_message(struct pane *pane, UINT message, WPARAM wide, LPARAM large)
{
    enum { LEFT = 1, MIDDLE = 2, RIGHT = 3 };
    switch (message) {
    case WM_MOUSEMOVE:
        on_pointer(pane, GET_X_LPARAM(large), GET_Y_LPARAM(large), 0, false);
        return true;
    case WM_LBUTTONDOWN:
    case WM_LBUTTONUP:
        on_button(pane, large, LEFT, message == WM_LBUTTONDOWN);
        return true;
    case WM_MBUTTONDOWN:
    case WM_MBUTTONUP:
        on_button(pane, large, MIDDLE, message == WM_MBUTTONDOWN);
        return true;
    case WM_RBUTTONDOWN:
    case WM_RBUTTONUP:
        on_button(pane, large, RIGHT, message == WM_RBUTTONDOWN);
        return true;
    case WM_MOUSEWHEEL:
        on_wheel(pane, wide, large);
        return true;
    default:
        return false;
    }
}

bool input_message(struct pane *pane, UINT message, WPARAM wide, LPARAM large)
{
    switch (message) {
    case WM_KEYDOWN:
    case WM_SYSKEYDOWN:
        on_key(pane, wide, large, true);
        return true;
    case WM_KEYUP:
    case WM_SYSKEYUP:
        on_key(pane, wide, large, false);
        return true;
    case WM_SETFOCUS:
        comes(pane->glass, screen_of(pane));
        return true;
    case WM_KILLFOCUS:
        if (pane->glass->focused == screen_of(pane))
            input_leaves(pane->glass);
        return true;
    default:
        return pointer_message(pane, message, wide, large);
    }
}
