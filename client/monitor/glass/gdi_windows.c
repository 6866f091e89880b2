/* glass_windows on Windows, by GDI: a window for each screen, or one for all of them. */
#include "client/monitor/glass/gdi_windows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"

enum {
    WAKE = WM_APP,
    STYLE_FIXED = WS_OVERLAPPED | WS_CAPTION | WS_SYSMENU | WS_MINIMIZEBOX,
    STYLE_GRID = WS_OVERLAPPEDWINDOW,
    SIDE_MAX = INT16_MAX,
};

static const wchar_t class_name[] = L"fanin-monitor";

/* ---- pictures ------------------------------------------------------------------------------ */

static size_t bytes_of(const struct rfb_picture *picture)
{
    return (size_t)picture->stride * picture->height * sizeof *picture->pixels;
}

static void drop_picture(struct pane *pane)
{
    if (pane->picture.pixels != NULL)
        os_pages_unmap(pane->picture.pixels, bytes_of(&pane->picture));
    pane->picture = (struct rfb_picture){0};
}

static void wake(struct glass *glass)
{
    HWND control = atomic_load(&glass->control);
    if (control != NULL)
        PostMessageW(control, WAKE, 0, 0);
}

/* Shows the pane with a new black picture of that size. */
static int want(struct pane *pane, unsigned width, unsigned height, const char *title,
                struct rfb_picture *picture)
{
    *picture = (struct rfb_picture){NULL, width, height, width};
    if (width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX)
        return *picture = (struct rfb_picture){0}, -EFBIG;
    picture->pixels = os_pages_map(bytes_of(picture));
    if (picture->pixels == NULL)
        return *picture = (struct rfb_picture){0}, -ENOMEM;
    pthread_mutex_lock(&pane->lock);
    drop_picture(pane);
    pane->picture = *picture;
    pane->wanted = pane->changed = true;
    if (MultiByteToWideChar(CP_UTF8, 0, title, -1, pane->title, TITLE_MAX) == 0)
        pane->title[0] = L'\0';
    pthread_mutex_unlock(&pane->lock);
    wake(pane->glass);
    return 0;
}

static void put(struct pane *pane, struct rfb_box box)
{
    RECT area = {(LONG)box.x, (LONG)box.y, (LONG)(box.x + box.width), (LONG)(box.y + box.height)};
    pthread_mutex_lock(&pane->lock);
    if (pane->window != NULL && rfb_box_inside(box, &pane->picture) && box.width > 0)
        InvalidateRect(pane->window, &area, FALSE);
    pthread_mutex_unlock(&pane->lock);
}

static int gdi_show(struct glass *glass, unsigned screen, unsigned width, unsigned height,
                    const char *title, struct rfb_picture *picture)
{
    if (!glass->config.grid)
        return want(&glass->panes[screen], width, height, title, picture);
    struct rfb_box box;
    int error = grid_show(&glass->grid, screen, width, height, picture, &box);
    put(glass->panes, box);
    return error;
}

static void gdi_put(struct glass *glass, unsigned screen, const struct damage *dirty)
{
    for (unsigned i = 0; i < dirty->count; i++) {
        if (glass->config.grid)
            put(glass->panes, grid_put(&glass->grid, screen, dirty->boxes[i]));
        else
            put(&glass->panes[screen], dirty->boxes[i]);
    }
}

static void gdi_hide(struct glass *glass, unsigned screen)
{
    if (glass->config.grid) {
        put(glass->panes, grid_hide(&glass->grid, screen));
        return;
    }
    struct pane *pane = &glass->panes[screen];
    pthread_mutex_lock(&pane->lock);
    drop_picture(pane);
    pane->wanted = false;
    pane->changed = true;
    pthread_mutex_unlock(&pane->lock);
    wake(glass);
}

/* ---- windows, on the thread ---------------------------------------------------------------- */

static DWORD style_of(const struct glass *glass)
{
    return glass->config.grid ? STYLE_GRID : STYLE_FIXED;
}

/* A screen that comes again finds its place again, if it still fits. */
static void find_place(struct pane *pane, unsigned width, unsigned height)
{
    if (pane->placed && width <= pane->width && height <= pane->height)
        return;
    shelves_place(&pane->glass->shelves, width, height, &pane->x, &pane->y);
    pane->placed = true;
    pane->width = width;
    pane->height = height;
}

static void set_window(struct pane *pane, HWND window)
{
    pthread_mutex_lock(&pane->lock);
    pane->window = window;
    pthread_mutex_unlock(&pane->lock);
}

static void show_window(struct pane *pane, unsigned width, unsigned height, const wchar_t *title)
{
    RECT frame = {0, 0, (LONG)width, (LONG)height};
    AdjustWindowRect(&frame, style_of(pane->glass), FALSE);
    int outer_width = frame.right - frame.left, outer_height = frame.bottom - frame.top;
    find_place(pane, (unsigned)outer_width, (unsigned)outer_height);
    HWND window = pane->window;
    if (window == NULL) {
        window =
            CreateWindowExW(0, class_name, title, style_of(pane->glass), (int)pane->x, (int)pane->y,
                            outer_width, outer_height, NULL, NULL, GetModuleHandleW(NULL), pane);
        set_window(pane, window);
        ShowWindow(window, SW_SHOWNOACTIVATE);
    } else {
        SetWindowTextW(window, title);
        SetWindowPos(window, NULL, 0, 0, outer_width, outer_height,
                     SWP_NOMOVE | SWP_NOZORDER | SWP_NOACTIVATE);
    }
    InvalidateRect(window, NULL, FALSE);
}

static void set_visible(struct pane *pane, bool visible)
{
    struct glass *glass = pane->glass;
    if (pane->visible == visible)
        return;
    pane->visible = visible;
    unsigned first = glass->config.grid ? 0 : pane->index;
    unsigned end = glass->config.grid ? glass->config.screens : first + 1;
    for (unsigned screen = first; screen < end; screen++)
        glass->config.hooks->visible(glass->config.context, screen, visible);
}

static void hide_window(struct pane *pane)
{
    HWND window = pane->window;
    if (window == NULL)
        return;
    set_window(pane, NULL);
    DestroyWindow(window);
    set_visible(pane, false);
    pane->buttons = 0;
}

static void update_pane(struct pane *pane)
{
    wchar_t title[TITLE_MAX];
    pthread_mutex_lock(&pane->lock);
    bool changed = pane->changed, wanted = pane->wanted;
    unsigned width = pane->picture.width, height = pane->picture.height;
    wcscpy(title, pane->title);
    pane->changed = false;
    pthread_mutex_unlock(&pane->lock);
    if (changed && wanted)
        show_window(pane, width, height, title);
    else if (changed)
        hide_window(pane);
}

static void update_panes(struct glass *glass)
{
    for (unsigned i = 0; i < glass->pane_count; i++)
        update_pane(&glass->panes[i]);
}

/* ---- messages ------------------------------------------------------------------------------ */

/* The lock keeps the picture's memory, not its pixels: what is torn is invalid again. */
static void paint(struct pane *pane, HWND window)
{
    PAINTSTRUCT area;
    HDC target = BeginPaint(window, &area);
    pthread_mutex_lock(&pane->lock);
    const struct rfb_picture *picture = &pane->picture;
    int top = area.rcPaint.top, bottom = area.rcPaint.bottom;
    if (bottom > (int)picture->height)
        bottom = (int)picture->height;
    if (picture->pixels != NULL && top < bottom) {
        /* Only the rows that are new: a height below zero counts from the top. */
        BITMAPINFO form = {.bmiHeader = {.biSize = sizeof form.bmiHeader,
                                         .biWidth = (LONG)picture->stride,
                                         .biHeight = -(LONG)(bottom - top),
                                         .biPlanes = 1,
                                         .biBitCount = 32,
                                         .biCompression = BI_RGB}};
        SetDIBitsToDevice(target, 0, top, picture->width, (DWORD)(bottom - top), 0, 0, 0,
                          (UINT)(bottom - top), picture->pixels + (size_t)top * picture->stride,
                          &form, DIB_RGB_COLORS);
    }
    pthread_mutex_unlock(&pane->lock);
    EndPaint(window, &area);
}

static void tell_closed(struct pane *pane)
{
    const struct glass_config *config = &pane->glass->config;
    unsigned first = config->grid ? 0 : pane->index;
    unsigned end = config->grid ? config->screens : first + 1;
    for (unsigned screen = first; screen < end; screen++)
        config->hooks->closed(config->context, screen);
}

/* The grid follows its window; nobody paints while its memory changes. */
static void size_grid(struct pane *pane, unsigned width, unsigned height)
{
    struct rfb_picture canvas = {0};
    struct grid *grid = &pane->glass->grid;
    if (width == 0 || height == 0 ||
        (width == pane->picture.width && height == pane->picture.height))
        return;
    grid_canvas(grid, canvas);
    want(pane, width, height, "fanin-monitor", &canvas);
    pthread_mutex_lock(&pane->lock);
    pane->changed = false; /* the window has that size */
    pthread_mutex_unlock(&pane->lock);
    grid_canvas(grid, canvas);
    InvalidateRect(pane->window, NULL, FALSE);
}

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM wide, LPARAM large)
{
    if (message == WM_NCCREATE) {
        const CREATESTRUCTW *made = (const CREATESTRUCTW *)large;
        SetWindowLongPtrW(window, GWLP_USERDATA, (LONG_PTR)made->lpCreateParams);
    }
    struct pane *pane = (struct pane *)GetWindowLongPtrW(window, GWLP_USERDATA);
    if (pane == NULL || message == WM_NCCREATE || input_message(pane, message, wide, large))
        return pane == NULL || message == WM_NCCREATE ? DefWindowProcW(window, message, wide, large)
                                                      : 0;
    switch (message) {
    case WM_PAINT:
        paint(pane, window);
        return 0;
    case WM_ERASEBKGND:
        return 1;
    case WM_SHOWWINDOW:
        set_visible(pane, wide != 0);
        return 0;
    case WM_SIZE:
        set_visible(pane, wide != SIZE_MINIMIZED);
        if (pane->glass->config.grid)
            size_grid(pane, LOWORD(large), HIWORD(large));
        return 0;
    case WM_CLOSE: /* whoever hears of it hides the screen */
        tell_closed(pane);
        return 0;
    default:
        return DefWindowProcW(window, message, wide, large);
    }
}

/* ---- the thread ---------------------------------------------------------------------------- */

static void register_class(void)
{
    WNDCLASSW class = {.lpfnWndProc = on_message,
                       .hInstance = GetModuleHandleW(NULL),
                       .hCursor = LoadCursorW(NULL, (const wchar_t *)IDC_ARROW),
                       .hbrBackground = GetStockObject(BLACK_BRUSH),
                       .lpszClassName = class_name};
    RegisterClassW(&class);
}

static void gdi_run(struct glass *glass)
{
    MSG message;
    /* A pixel of a picture is one of the display, whatever scale people like. */
    SetThreadDpiAwarenessContext(DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2);
    register_class();
    atomic_store(&glass->control, CreateWindowExW(0, class_name, L"", 0, 0, 0, 0, 0, HWND_MESSAGE,
                                                  NULL, GetModuleHandleW(NULL), NULL));
    update_panes(glass); /* what was wanted before there was whom to wake */
    while (!atomic_load(&glass->stopping) && GetMessageW(&message, NULL, 0, 0) > 0) {
        if (message.hwnd == atomic_load(&glass->control) && message.message == WAKE) {
            update_panes(glass);
            continue;
        }
        TranslateMessage(&message);
        DispatchMessageW(&message);
    }
    for (unsigned i = 0; i < glass->pane_count; i++)
        hide_window(&glass->panes[i]);
    DestroyWindow(atomic_exchange(&glass->control, NULL));
}

static void gdi_stop(struct glass *glass)
{
    atomic_store(&glass->stopping, true);
    wake(glass);
}

/* ---- opening and closing ------------------------------------------------------------------- */

static void gdi_close(struct glass *glass)
{
    for (unsigned i = 0; glass->panes != NULL && i < glass->pane_count; i++) {
        drop_picture(&glass->panes[i]);
        pthread_mutex_destroy(&glass->panes[i].lock);
    }
    free(glass->panes);
    grid_close(&glass->grid);
    free(glass);
}

static void panes_init(struct glass *glass)
{
    for (unsigned i = 0; i < glass->pane_count; i++) {
        glass->panes[i] = (struct pane){.glass = glass, .index = i};
        pthread_mutex_init(&glass->panes[i].lock, NULL);
    }
}

static bool glass_begin(struct glass *glass)
{
    const struct glass_config *config = &glass->config;
    RECT desktop = {0};
    glass->pane_count = config->grid ? 1 : config->screens;
    glass->panes = calloc(glass->pane_count, sizeof *glass->panes);
    if (grid_open(&glass->grid, config->grid ? config->screens : 0) != 0 || glass->panes == NULL)
        return false;
    panes_init(glass);
    SystemParametersInfoW(SPI_GETWORKAREA, 0, &desktop, 0);
    glass->shelves.width = (unsigned)(desktop.right - desktop.left);
    glass->shelves.height = (unsigned)(desktop.bottom - desktop.top);
    if (!config->grid)
        return true;
    struct rfb_picture canvas;
    RECT frame = {0};
    AdjustWindowRect(&frame, STYLE_GRID, FALSE);
    unsigned width = glass->shelves.width - (unsigned)(frame.right - frame.left);
    unsigned height = glass->shelves.height - (unsigned)(frame.bottom - frame.top);
    if (want(glass->panes, width, height, "fanin-monitor", &canvas) != 0)
        return false;
    grid_canvas(&glass->grid, canvas);
    return true;
}

static struct glass *gdi_open(const struct glass_config *config, char *why, size_t why_bytes)
{
    struct glass *glass = calloc(1, sizeof *glass);
    if (glass == NULL) {
        snprintf(why, why_bytes, "no memory");
        return NULL;
    }
    glass->config = *config;
    glass->focused = NOBODY;
    if (!glass_begin(glass)) {
        snprintf(why, why_bytes, "no memory for %u windows", config->screens);
        gdi_close(glass);
        return NULL;
    }
    return glass;
}

const struct glass_kind glass_windows = {
    .name = "gdi",
    .open = gdi_open,
    .run = gdi_run,
    .stop = gdi_stop,
    .close = gdi_close,
    .show = gdi_show,
    .put = gdi_put,
    .hide = gdi_hide,
};
