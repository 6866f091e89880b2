/* A surface: a window of X11 and the picture that the server reads from shared memory. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/monitor/glass/xcb_linux.h"

enum { DEPTH = GLASS_X11_DEPTH, SOCKET_PIXELS = 4096, SIDE_MAX = INT16_MAX };

#define WINDOW_CLASS "fanin-monitor\0fanin-monitor"

static const uint32_t window_events =
    XCB_EVENT_MASK_KEY_PRESS | XCB_EVENT_MASK_KEY_RELEASE | XCB_EVENT_MASK_BUTTON_PRESS |
    XCB_EVENT_MASK_BUTTON_RELEASE | XCB_EVENT_MASK_POINTER_MOTION | XCB_EVENT_MASK_ENTER_WINDOW |
    XCB_EVENT_MASK_LEAVE_WINDOW | XCB_EVENT_MASK_FOCUS_CHANGE | XCB_EVENT_MASK_EXPOSURE |
    XCB_EVENT_MASK_VISIBILITY_CHANGE | XCB_EVENT_MASK_STRUCTURE_NOTIFY;

void surface_init(struct surface *surface, struct xcb *xcb)
{
    *surface = (struct surface){.window = xcb_generate_id(xcb->connection)};
    pthread_mutex_init(&surface->lock, NULL);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void drop_picture(struct surface *surface, struct xcb *xcb)
{
    if (surface->picture.pixels == NULL)
        return;
    if (surface->segment != 0)
        xcb_shm_detach(xcb->connection, surface->segment);
    munmap(surface->picture.pixels, surface->bytes);
    surface->picture = (struct rfb_picture){0};
    surface->segment = 0;
    surface->busy = false;
    surface->damage.count = 0;
}

static bool attach(struct surface *surface, struct xcb *xcb, int file)
{
    xcb_shm_seg_t segment = xcb_generate_id(xcb->connection);
    xcb_void_cookie_t asked = xcb_shm_attach_fd_checked(xcb->connection, segment, file, true);
    xcb_generic_error_t *error = xcb_request_check(xcb->connection, asked);
    if (error == NULL)
        surface->segment = segment;
    free(error);
    return error == NULL;
}

static int take_picture(struct surface *surface, struct xcb *xcb, unsigned width, unsigned height)
{
    if (width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX)
        return -EFBIG;
    size_t bytes = (size_t)width * height * sizeof(uint32_t);
    int file = memfd_create("fanin-screen", MFD_CLOEXEC);
    if (file < 0)
        return -errno;
    if (ftruncate(file, (off_t)bytes) != 0) {
        close(file);
        return -errno;
    }
    void *pixels = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (pixels == MAP_FAILED) {
        close(file);
        return -ENOMEM;
    }
    surface->picture = (struct rfb_picture){pixels, width, height, width};
    surface->bytes = bytes;
    if (!xcb->shares_memory)
        close(file);
    else if (!attach(surface, xcb, file)) /* closes the file */
        xcb->shares_memory = false;
    return xcb_connection_has_error(xcb->connection) ? -EIO : 0;
}

/* ---- the window ---------------------------------------------------------------------------- */

static void set_property(struct surface *surface, struct xcb *xcb, xcb_atom_t property,
                         xcb_atom_t type, const char *text, size_t bytes)
{
    xcb_change_property(xcb->connection, XCB_PROP_MODE_REPLACE, surface->window, property, type, 8,
                        (uint32_t)bytes, text);
}

static void set_words(struct surface *surface, struct xcb *xcb, xcb_atom_t property,
                      xcb_atom_t type, const uint32_t *words, unsigned count)
{
    xcb_change_property(xcb->connection, XCB_PROP_MODE_REPLACE, surface->window, property, type, 32,
                        count, words);
}

/* WM_NORMAL_HINTS of ICCCM 4.1.2.3: the picture is shown pixel for pixel. */
static void set_size_hints(struct surface *surface, struct xcb *xcb, struct surface_place place)
{
    enum { POSITION = 1 << 2, SMALLEST = 1 << 4, LARGEST = 1 << 5, WORDS = 18 };
    uint32_t hints[WORDS] = {POSITION | (place.fixed ? SMALLEST | LARGEST : 0)};
    hints[1] = place.x;
    hints[2] = place.y;
    hints[5] = hints[7] = place.width;
    hints[6] = hints[8] = place.height;
    set_words(surface, xcb, XCB_ATOM_WM_NORMAL_HINTS, XCB_ATOM_WM_SIZE_HINTS, hints, WORDS);
}

static void create_window(struct surface *surface, struct xcb *xcb, struct surface_place place)
{
    const uint32_t values[] = {xcb->screen->black_pixel, 0, window_events, xcb->colours};
    xcb_create_window(xcb->connection, DEPTH, surface->window, xcb->screen->root, (int16_t)place.x,
                      (int16_t)place.y, (uint16_t)place.width, (uint16_t)place.height, 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, xcb->visual,
                      XCB_CW_BACK_PIXEL | XCB_CW_BORDER_PIXEL | XCB_CW_EVENT_MASK | XCB_CW_COLORMAP,
                      values);
    uint32_t process = (uint32_t)getpid();
    set_property(surface, xcb, XCB_ATOM_WM_CLASS, XCB_ATOM_STRING, WINDOW_CLASS,
                 sizeof WINDOW_CLASS);
    set_words(surface, xcb, xcb->protocols, XCB_ATOM_ATOM, &xcb->delete_window, 1);
    set_words(surface, xcb, xcb->process, XCB_ATOM_CARDINAL, &process, 1);
    surface->exists = true;
}

static void place_window(struct surface *surface, struct xcb *xcb, struct surface_place place,
                         const char *title)
{
    const uint32_t size[] = {place.width, place.height};
    if (!surface->exists) {
        create_window(surface, xcb, place);
    } else if (place.fixed) {
        xcb_configure_window(xcb->connection, surface->window,
                             XCB_CONFIG_WINDOW_WIDTH | XCB_CONFIG_WINDOW_HEIGHT, size);
        xcb_clear_area(xcb->connection, false, surface->window, 0, 0, 0, 0);
    }
    set_size_hints(surface, xcb, place);
    set_property(surface, xcb, XCB_ATOM_WM_NAME, XCB_ATOM_STRING, title, strlen(title));
    set_property(surface, xcb, xcb->net_name, xcb->utf8, title, strlen(title));
    xcb_map_window(xcb->connection, surface->window);
}

int surface_show(struct surface *surface, struct xcb *xcb, struct surface_place place,
                 const char *title, struct rfb_picture *picture)
{
    pthread_mutex_lock(&surface->lock);
    *picture = (struct rfb_picture){0};
    drop_picture(surface, xcb);
    int error = take_picture(surface, xcb, place.width, place.height);
    if (error == 0) {
        place_window(surface, xcb, place, title);
        surface->shown = true;
        *picture = surface->picture;
    } else {
        drop_picture(surface, xcb);
    }
    pthread_mutex_unlock(&surface->lock);
    xcb_flush(xcb->connection);
    return error;
}

void surface_hide(struct surface *surface, struct xcb *xcb)
{
    pthread_mutex_lock(&surface->lock);
    if (surface->exists) {
        xcb_destroy_window(xcb->connection, surface->window);
        surface->own_destroys++;
    }
    surface->exists = surface->shown = false;
    drop_picture(surface, xcb);
    pthread_mutex_unlock(&surface->lock);
    xcb_flush(xcb->connection);
}

bool surface_destroyed(struct surface *surface)
{
    pthread_mutex_lock(&surface->lock);
    bool own = surface->own_destroys > 0;
    if (own)
        surface->own_destroys--;
    else
        surface->exists = false;
    pthread_mutex_unlock(&surface->lock);
    return !own;
}

/* ---- putting ------------------------------------------------------------------------------- */

static void send_rows(struct surface *surface, struct xcb *xcb, struct rfb_box box,
                      uint32_t *pixels)
{
    for (unsigned y = 0; y < box.height; y++)
        memcpy(pixels + (size_t)y * box.width,
               surface->picture.pixels + (size_t)(box.y + y) * surface->picture.stride + box.x,
               box.width * sizeof *pixels);
    xcb_put_image(xcb->connection, XCB_IMAGE_FORMAT_Z_PIXMAP, surface->window, xcb->context,
                  (uint16_t)box.width, (uint16_t)box.height, (int16_t)box.x, (int16_t)box.y, 0,
                  DEPTH, (uint32_t)((size_t)box.width * box.height * sizeof *pixels),
                  (const uint8_t *)pixels);
}

/* Over a network, or where the server maps no memory of ours: parts that fit into any request. */
static void send_by_socket(struct surface *surface, struct xcb *xcb, struct rfb_box box)
{
    uint32_t pixels[SOCKET_PIXELS];
    for (unsigned x = 0; x < box.width; x += SOCKET_PIXELS) {
        unsigned width = box.width - x < SOCKET_PIXELS ? box.width - x : SOCKET_PIXELS;
        unsigned rows = SOCKET_PIXELS / width;
        for (unsigned y = 0; y < box.height; y += rows) {
            unsigned height = box.height - y < rows ? box.height - y : rows;
            send_rows(surface, xcb, (struct rfb_box){box.x + x, box.y + y, width, height}, pixels);
        }
    }
}

static void send_shared(struct surface *surface, struct xcb *xcb, struct rfb_box box, bool last)
{
    const struct rfb_picture *picture = &surface->picture;
    xcb_shm_put_image(xcb->connection, surface->window, xcb->context, (uint16_t)picture->stride,
                      (uint16_t)picture->height, (uint16_t)box.x, (uint16_t)box.y,
                      (uint16_t)box.width, (uint16_t)box.height, (int16_t)box.x, (int16_t)box.y,
                      DEPTH, XCB_IMAGE_FORMAT_Z_PIXMAP, last, surface->segment, 0);
}

static void send_damage(struct surface *surface, struct xcb *xcb)
{
    struct damage *damage = &surface->damage;
    for (unsigned i = 0; i < damage->count; i++) {
        if (surface->segment == 0)
            send_by_socket(surface, xcb, damage->boxes[i]);
        else
            send_shared(surface, xcb, damage->boxes[i], i + 1 == damage->count);
    }
    surface->busy = surface->segment != 0 && damage->count > 0;
    damage->count = 0;
}

void surface_put_all(struct surface *surface, struct xcb *xcb, const struct damage *dirty)
{
    pthread_mutex_lock(&surface->lock);
    for (unsigned i = 0; surface->shown && i < dirty->count; i++)
        if (rfb_box_inside(dirty->boxes[i], &surface->picture))
            damage_add(&surface->damage, dirty->boxes[i]);
    bool send = surface->damage.count > 0 && !surface->busy;
    if (send)
        send_damage(surface, xcb);
    pthread_mutex_unlock(&surface->lock);
    if (send)
        xcb_flush(xcb->connection);
}

void surface_put(struct surface *surface, struct xcb *xcb, struct rfb_box box)
{
    surface_put_all(surface, xcb, &(struct damage){1, {box}});
}

void surface_completed(struct surface *surface, struct xcb *xcb, xcb_shm_seg_t segment)
{
    pthread_mutex_lock(&surface->lock);
    bool send = surface->shown && surface->segment == segment;
    if (send)
        send_damage(surface, xcb);
    pthread_mutex_unlock(&surface->lock);
    if (send)
        xcb_flush(xcb->connection);
}
