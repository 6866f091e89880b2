/* A source of pictures: the Windows desktop. GDI tells nobody what has changed: while a viewer
 * waits, the whole screen is copied again and again and compared with the picture that viewers
 * know. Keys and pointer go in by SendInput. */
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "base/options.h"
#include "base/os.h"
#include "mock_servers/screens/capture/capture.h"
#include "mock_servers/screens/capture/compare.h"
#include "mock_servers/screens/options.h"

enum { POLL_MS = 20, BUTTONS = 5, KEYS = 256, ABSOLUTE_MAX = 65535 };

struct gdi {
    struct source source;
    struct loop *loop;
    struct handler handler; /* its timer alone */
    HDC screen, memory;
    HBITMAP bitmap;
    HGDIOBJ before;         /* what `memory` had selected */
    int left, top;          /* of the desktop, which may begin left of the first monitor */
    struct rfb_picture now; /* the bitmap's pixels */
    struct rfb_picture picture;
    bool is_frozen;
    bool held[KEYS]; /* by virtual key */
    uint8_t buttons;
};

static const struct source_kind source_gdi;

static struct gdi *gdi_of(struct source *source)
{
    return (struct gdi *)(void *)source;
}

/* ---- capture --------------------------------------------------------------------------------- */

static bool capture(const struct gdi *gdi)
{
    const bool done = BitBlt(gdi->memory, 0, 0, (int)gdi->now.width, (int)gdi->now.height,
                             gdi->screen, gdi->left, gdi->top, SRCCOPY | CAPTUREBLT);
    GdiFlush();
    return done;
}

static bool row_differs(const struct gdi *gdi, unsigned row)
{
    const size_t at = (size_t)row * gdi->now.stride;
    return memcmp(gdi->now.pixels + at, gdi->picture.pixels + at,
                  gdi->now.width * sizeof *gdi->now.pixels) != 0;
}

/* The rows between the first and the last that differ; without area: none does. */
static struct rfb_box rows_changed(const struct gdi *gdi)
{
    unsigned first = 0, end = gdi->now.height;
    while (first < end && !row_differs(gdi, first))
        first++;
    while (end > first && !row_differs(gdi, end - 1))
        end--;
    return (struct rfb_box){0, first, gdi->now.width, end - first};
}

static void gdi_refresh(struct source *source)
{
    struct gdi *gdi = gdi_of(source);
    struct scene_change change = {.part_count = 0};
    loop_wake_at(gdi->loop, &gdi->handler, os_deadline_ns((uint64_t)POLL_MS * OS_NS_PER_MS));
    if (gdi->is_frozen || !capture(gdi))
        return;
    const struct rfb_box box = rows_changed(gdi);
    const struct rfb_picture now = {gdi->now.pixels + (size_t)box.y * gdi->now.stride, box.width,
                                    box.height, gdi->now.stride};
    if (box.height == 0)
        return;
    const unsigned stamps = compare_take(&gdi->picture, box, &now, &change);
    source->hooks->changed(source, &change, stamps);
}

static void gdi_handle(struct handler *handler, unsigned signs)
{
    struct gdi *gdi = LIST_MEMBER(handler, struct gdi, handler);
    gdi->source.hooks->stale(&gdi->source);
}

static void gdi_freeze(struct source *source)
{
    gdi_of(source)->is_frozen = true;
}

/* ---- input ----------------------------------------------------------------------------------- */

/* Virtual keys of keysyms that are no letters. */
static const struct {
    uint32_t keysym;
    WORD key;
} keys[] = {
    {0xff08, VK_BACK},     {0xff09, VK_TAB},      {0xff0d, VK_RETURN},  {0xff1b, VK_ESCAPE},
    {0xff50, VK_HOME},     {0xff51, VK_LEFT},     {0xff52, VK_UP},      {0xff53, VK_RIGHT},
    {0xff54, VK_DOWN},     {0xff55, VK_PRIOR},    {0xff56, VK_NEXT},    {0xff57, VK_END},
    {0xff63, VK_INSERT},   {0xffff, VK_DELETE},   {0xffe1, VK_LSHIFT},  {0xffe2, VK_RSHIFT},
    {0xffe3, VK_LCONTROL}, {0xffe4, VK_RCONTROL}, {0xffe9, VK_LMENU},   {0xffea, VK_RMENU},
    {0xffeb, VK_LWIN},     {0xffec, VK_RWIN},     {0xffe5, VK_CAPITAL},
};

static WORD key_of(uint32_t keysym)
{
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].keysym == keysym)
            return keys[i].key;
    return keysym >= 0xffbe && keysym <= 0xffc9 ? (WORD)(VK_F1 + (keysym - 0xffbe)) : 0;
}

/* Latin letters are their own keysyms, all others of Unicode have a bit above. */
static WORD character_of(uint32_t keysym)
{
    if (keysym >= 0x20 && keysym <= 0xff)
        return (WORD)keysym;
    return keysym > 0x1000000 && keysym <= 0x100ffff ? (WORD)keysym : 0;
}

static void send_key(WORD key, WORD character, bool down)
{
    INPUT input = {.type = INPUT_KEYBOARD};
    input.ki.wVk = key;
    input.ki.wScan = character;
    input.ki.dwFlags = (DWORD)((down ? 0 : KEYEVENTF_KEYUP) | (key == 0 ? KEYEVENTF_UNICODE : 0));
    SendInput(1, &input, sizeof input);
}

static bool modifier_is_held(const struct gdi *gdi)
{
    return gdi->held[VK_LCONTROL] || gdi->held[VK_RCONTROL] || gdi->held[VK_LMENU] ||
           gdi->held[VK_LWIN] || gdi->held[VK_RWIN];
}

/* A letter is sent as the character that the viewer means, whatever the layout here; with Control
 * or Alt it is the key that counts. */
static void gdi_key(struct source *source, uint32_t keysym, bool down)
{
    struct gdi *gdi = gdi_of(source);
    const WORD character = character_of(keysym);
    WORD key = key_of(keysym);
    if (key == 0 && character != 0 && (modifier_is_held(gdi) || !down)) {
        const WORD scanned = (WORD)VkKeyScanW(character) & 0xff;
        if (down || gdi->held[scanned])
            key = scanned;
    }
    if (key != 0 && key < KEYS)
        gdi->held[key] = down;
    if (key != 0 || character != 0)
        send_key(key, key != 0 ? 0 : character, down);
}

static void send_pointer(const struct gdi *gdi, unsigned x, unsigned y, DWORD flags, DWORD data)
{
    INPUT input = {.type = INPUT_MOUSE};
    input.mi.dx = (LONG)(((uint64_t)x * ABSOLUTE_MAX + gdi->now.width / 2) / gdi->now.width);
    input.mi.dy = (LONG)(((uint64_t)y * ABSOLUTE_MAX + gdi->now.height / 2) / gdi->now.height);
    input.mi.dwFlags = MOUSEEVENTF_ABSOLUTE | MOUSEEVENTF_VIRTUALDESK | flags;
    input.mi.mouseData = data;
    SendInput(1, &input, sizeof input);
}

static void gdi_pointer(struct source *source, unsigned x, unsigned y, uint8_t buttons)
{
    static const DWORD down[] = {MOUSEEVENTF_LEFTDOWN, MOUSEEVENTF_MIDDLEDOWN,
                                 MOUSEEVENTF_RIGHTDOWN};
    static const DWORD up[] = {MOUSEEVENTF_LEFTUP, MOUSEEVENTF_MIDDLEUP, MOUSEEVENTF_RIGHTUP};
    struct gdi *gdi = gdi_of(source);
    if (x >= gdi->now.width || y >= gdi->now.height)
        return;
    send_pointer(gdi, x, y, MOUSEEVENTF_MOVE, 0);
    for (unsigned i = 0; i < BUTTONS; i++) {
        const bool is_down = buttons >> i & 1;
        if (is_down == (gdi->buttons >> i & 1))
            continue;
        if (i < sizeof down / sizeof *down)
            send_pointer(gdi, x, y, is_down ? down[i] : up[i], 0);
        else if (is_down) /* the wheel: away, or here */
            send_pointer(gdi, x, y, MOUSEEVENTF_WHEEL,
                         (DWORD)(i == 3 ? WHEEL_DELTA : -WHEEL_DELTA));
    }
    gdi->buttons = buttons;
}

static void input_release(struct gdi *gdi)
{
    for (unsigned key = 0; key < KEYS; key++)
        if (gdi->held[key])
            send_key((WORD)key, 0, false);
    if (gdi->buttons != 0)
        gdi_pointer(&gdi->source, 0, 0, 0);
}

/* ---- a source -------------------------------------------------------------------------------- */

static int gdi_start(struct gdi *gdi, char *why, size_t why_bytes)
{
    const int width = GetSystemMetrics(SM_CXVIRTUALSCREEN),
              height = GetSystemMetrics(SM_CYVIRTUALSCREEN);
    BITMAPINFO format = {.bmiHeader = {.biSize = sizeof format.bmiHeader,
                                       .biWidth = width,
                                       .biHeight = -height, /* the first row is the upper one */
                                       .biPlanes = 1,
                                       .biBitCount = 32,
                                       .biCompression = BI_RGB}};
    void *pixels = NULL;
    gdi->left = GetSystemMetrics(SM_XVIRTUALSCREEN);
    gdi->top = GetSystemMetrics(SM_YVIRTUALSCREEN);
    gdi->screen = GetDC(NULL);
    gdi->memory = gdi->screen == NULL ? NULL : CreateCompatibleDC(gdi->screen);
    if (width <= 0 || height <= 0 || gdi->memory == NULL)
        return why_write(why, why_bytes, "there is no desktop; run it in the user's session");
    gdi->bitmap = CreateDIBSection(gdi->screen, &format, DIB_RGB_COLORS, &pixels, NULL, 0);
    const size_t bytes = (size_t)width * (size_t)height * sizeof *gdi->picture.pixels;
    uint32_t *picture = malloc(bytes);
    gdi->picture =
        (struct rfb_picture){picture, (unsigned)width, (unsigned)height, (unsigned)width};
    if (gdi->bitmap == NULL || picture == NULL)
        return why_write(why, why_bytes, "no memory for a picture of %d x %d", width, height);
    gdi->before = SelectObject(gdi->memory, gdi->bitmap);
    gdi->now = gdi->picture;
    gdi->now.pixels = pixels;
    if (!capture(gdi))
        return why_write(why, why_bytes, "the desktop cannot be copied (BitBlt)");
    memcpy(picture, pixels, bytes);
    loop_wake_at(gdi->loop, &gdi->handler, os_deadline_ns((uint64_t)POLL_MS * OS_NS_PER_MS));
    return 0;
}

static void gdi_close(struct source *source)
{
    struct gdi *gdi = gdi_of(source);
    loop_remove(gdi->loop, &gdi->handler);
    input_release(gdi);
    if (gdi->before != NULL)
        SelectObject(gdi->memory, gdi->before);
    if (gdi->bitmap != NULL)
        DeleteObject(gdi->bitmap);
    if (gdi->memory != NULL)
        DeleteDC(gdi->memory);
    if (gdi->screen != NULL)
        ReleaseDC(NULL, gdi->screen);
    free(gdi->picture.pixels);
    free(gdi);
}

static struct source *gdi_open(struct loop *loop, const struct screens_config *config,
                               unsigned number, const struct source_hooks *hooks, void *context,
                               char *why, size_t why_bytes)
{
    struct gdi *gdi = calloc(1, sizeof *gdi);
    if (gdi == NULL) {
        why_write(why, why_bytes, "no memory");
        return NULL;
    }
    gdi->source = (struct source){&source_gdi, &gdi->picture, hooks, context};
    gdi->loop = loop;
    gdi->handler.handle = gdi_handle;
    if (loop_add(loop) != 0 || gdi_start(gdi, why, why_bytes) != 0) {
        gdi_close(&gdi->source);
        return NULL;
    }
    return &gdi->source;
}

static const struct source_kind source_gdi = {
    .name = "gdi",
    .summary = "captures this Windows desktop, for all screens",
    .open = gdi_open,
    .close = gdi_close,
    .refresh = gdi_refresh,
    .freeze = gdi_freeze,
    .key = gdi_key,
    .pointer = gdi_pointer,
};

const struct source_kind *capture_list(unsigned index)
{
    return index == 0 ? &source_gdi : NULL;
}
