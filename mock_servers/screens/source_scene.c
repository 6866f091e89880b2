/* Pictures of scenes (scene.h). A stage is one picture and its clock. Many screens would need a lot
 * of memory for a picture each: beyond --pictures of them they share stages. A screen whose picture
 * is touched - by a key, the pointer or another size - goes on with a copy of its own, so that
 * nobody sees what was done elsewhere. A stage is there while somebody looks at it. */
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/random.h"
#include "base/rfb/stamp.h"
#include "mock_servers/screens/options.h"

enum { NS_PER_US = 1000, CATCH_UP_MAX = 4 };

struct stage {
    struct handler handler; /* the first field: the timer */
    struct loop *loop;
    const struct scene_kind *kind;
    struct scene scene;
    struct list_node lookers; /* scene_source.member */
    unsigned place;           /* among the shared ones, where it is while nobody has touched it */
    uint64_t interval_ns, phase_ns; /* 0: it stands still */
    uint64_t due_ns;
    bool is_frozen, has_digest;
    uint64_t digest;
};

struct scene_source {
    struct source source; /* the first field */
    struct list_node member;
    struct stage *stage;
    const struct screens_config *config;
};

static struct {
    struct stage **stages; /* by place; NULL: nobody looks, or it was touched */
    uint64_t count;
    struct source_frames frames;
} shared;

struct source_frames source_scene_frames(void)
{
    return shared.frames;
}

/* ---- the clock ---- */

/* The moments are those of one grid for the whole process, so that pictures of one phase change
 * at once. */
static void due_next(struct stage *stage, uint64_t now_ns)
{
    uint64_t since = (now_ns - stage->phase_ns) / stage->interval_ns + 1;
    stage->due_ns = stage->phase_ns + since * stage->interval_ns;
    loop_wake_at(stage->loop, &stage->handler, stage->due_ns);
}

static void tell(struct stage *stage, const struct scene_change *change, unsigned stamps)
{
    stage->has_digest = false;
    for (struct list_node *node = stage->lookers.after; node != &stage->lookers;
         node = node->after) {
        struct scene_source *looker = LIST_MEMBER(node, struct scene_source, member);
        looker->source.hooks->changed(&looker->source, change, stamps);
    }
}

static void step(struct stage *stage)
{
    struct scene_change change = {0};
    scene_step(stage->kind, &stage->scene, stage->due_ns / NS_PER_US, &change);
    shared.frames.painted++;
    tell(stage, &change, 1 << STAMP_TIME);
}

/* A late stage catches up; where painting is slower than the rate, it leaves frames out. */
static void handle_stage(struct handler *handler, unsigned signs)
{
    struct stage *stage = (struct stage *)handler;
    uint64_t now_ns = os_now_ns();
    if (stage->is_frozen)
        return;
    uint64_t late = (now_ns - stage->due_ns) / stage->interval_ns;
    if (late >= CATCH_UP_MAX) {
        shared.frames.skipped += late;
        stage->due_ns += late * stage->interval_ns;
    }
    for (; stage->due_ns <= now_ns; stage->due_ns += stage->interval_ns)
        step(stage);
    due_next(stage, now_ns);
}

/* ---- stages ---- */

static void stage_close(struct stage *stage)
{
    if (stage->place < shared.count && shared.stages[stage->place] == stage)
        shared.stages[stage->place] = NULL;
    loop_remove(stage->loop, &stage->handler);
    free(stage->scene.picture.pixels);
    free(stage);
}

static bool picture_open(struct rfb_picture *picture, unsigned width, unsigned height)
{
    picture->width = picture->stride = width;
    picture->height = height;
    picture->pixels = calloc((size_t)width * height, sizeof *picture->pixels);
    return picture->pixels != NULL;
}

/* Without its picture. */
static struct stage *stage_new(struct loop *loop, const struct screens_config *config)
{
    struct stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL)
        return NULL;
    stage->handler.handle = handle_stage;
    stage->loop = loop;
    stage->kind = config->scene;
    list_init(&stage->lookers);
    if (loop_add(loop) < 0) {
        stage->place = UINT32_MAX;
        stage_close(stage);
        return NULL;
    }
    return stage;
}

/* Screens of flip-all change at the same moment; the others each at one of its own. */
static struct stage *stage_open(struct loop *loop, const struct screens_config *config,
                                unsigned place)
{
    struct stage *stage = stage_new(loop, config);
    if (stage == NULL)
        return NULL;
    stage->place = place;
    stage->scene.seed = random_mix(config->seed + place);
    if (!picture_open(&stage->scene.picture, config->size.width, config->size.height)) {
        stage_close(stage);
        return NULL;
    }
    if (config->scene_rate > 0) {
        stage->interval_ns = (uint64_t)(OS_NS_PER_S / config->scene_rate);
        if (strcmp(config->scene->name, "flip-all") != 0)
            stage->phase_ns = random_mix(stage->scene.seed) % stage->interval_ns;
        due_next(stage, os_now_ns());
    }
    scene_begin(stage->kind, &stage->scene, os_now_ns() / NS_PER_US);
    return stage;
}

static struct stage *stage_copy(const struct stage *from, const struct screens_config *config)
{
    struct stage *stage = stage_new(from->loop, config);
    if (stage == NULL)
        return NULL;
    const struct rfb_picture *picture = &from->scene.picture;
    stage->place = UINT32_MAX;
    stage->scene = from->scene;
    stage->interval_ns = from->interval_ns;
    stage->phase_ns = from->phase_ns;
    stage->due_ns = from->due_ns;
    stage->is_frozen = from->is_frozen;
    if (!picture_open(&stage->scene.picture, picture->width, picture->height)) {
        stage_close(stage);
        return NULL;
    }
    memcpy(stage->scene.picture.pixels, picture->pixels,
           (size_t)picture->stride * picture->height * sizeof *picture->pixels);
    if (stage->interval_ns > 0 && !stage->is_frozen)
        loop_wake_at(stage->loop, &stage->handler, stage->due_ns);
    return stage;
}

static void look_at(struct scene_source *source, struct stage *stage)
{
    source->stage = stage;
    source->source.picture = &stage->scene.picture;
    list_append(&stage->lookers, &source->member);
}

static void look_away(struct scene_source *source)
{
    struct stage *stage = source->stage;
    list_remove(&source->member);
    if (list_first(&stage->lookers) == NULL)
        stage_close(stage);
}

/* From here on the stage is the source's alone. False: there is no memory. */
static bool touch(struct scene_source *source)
{
    struct stage *stage = source->stage;
    if (stage->place < shared.count && shared.stages[stage->place] == stage &&
        stage->lookers.after == stage->lookers.before)
        shared.stages[stage->place] = NULL;
    if (stage->lookers.after == stage->lookers.before)
        return true;
    struct stage *own = stage_copy(stage, source->config);
    if (own == NULL)
        return false;
    look_away(source);
    look_at(source, own);
    return true;
}

/* ---- the kind ---- */

static int scene_source_begin(struct loop *loop, const struct screens_config *config, char *why,
                              size_t why_bytes)
{
    shared.count = config->count < config->pictures ? config->count : config->pictures;
    shared.stages = calloc(shared.count, sizeof *shared.stages);
    return shared.stages == NULL ? why_write(why, why_bytes, "no memory") : 0;
}

static void scene_source_end(void)
{
    free(shared.stages);
    shared.stages = NULL;
}

static struct source *scene_source_open(struct loop *loop, const struct screens_config *config,
                                        unsigned number, const struct source_hooks *hooks,
                                        void *context, char *why, size_t why_bytes)
{
    const unsigned place = (unsigned)(number % shared.count);
    struct scene_source *source = calloc(1, sizeof *source);
    struct stage *stage = shared.stages[place];
    if (source != NULL && stage == NULL)
        stage = shared.stages[place] = stage_open(loop, config, place);
    if (stage == NULL) {
        free(source);
        why_write(why, why_bytes, "no memory for a picture of %ux%u", config->size.width,
                  config->size.height);
        return NULL;
    }
    source->source = (struct source){.kind = &source_scene, .hooks = hooks, .context = context};
    source->config = config;
    look_at(source, stage);
    return &source->source;
}

static void scene_source_close(struct source *source)
{
    look_away((struct scene_source *)source);
    free(source);
}

static void scene_source_refresh(struct source *source)
{
}

/* Who comes from here on finds a new stage. */
static void scene_source_freeze(struct source *source)
{
    struct stage *stage = ((struct scene_source *)source)->stage;
    stage->is_frozen = true;
    if (stage->place < shared.count && shared.stages[stage->place] == stage)
        shared.stages[stage->place] = NULL;
}

static uint64_t scene_source_digest(struct source *source)
{
    struct stage *stage = ((struct scene_source *)source)->stage;
    if (!stage->has_digest)
        stage->digest = rfb_picture_digest(&stage->scene.picture);
    stage->has_digest = true;
    return stage->digest;
}

static void scene_source_resize(struct source *source, unsigned width, unsigned height)
{
    struct scene_source *scene_source = (struct scene_source *)source;
    struct rfb_picture picture;
    if (!touch(scene_source) || !picture_open(&picture, width, height))
        return;
    struct scene *scene = &scene_source->stage->scene;
    free(scene->picture.pixels);
    scene->picture = picture;
    scene_source->stage->has_digest = false;
    scene_begin(scene_source->stage->kind, scene, os_now_ns() / NS_PER_US);
    source->hooks->resized(source);
}

static void scene_source_key(struct source *source, uint32_t keysym, bool down)
{
    struct scene_source *scene_source = (struct scene_source *)source;
    struct scene_change change = {0};
    if (!down || !touch(scene_source))
        return;
    struct stage *stage = scene_source->stage;
    scene_key(&stage->scene, keysym, os_now_ns() / NS_PER_US, &change);
    tell(stage, &change, 1 << STAMP_TIME | 1 << STAMP_KEYS);
}

static void scene_source_pointer(struct source *source, unsigned x, unsigned y, uint8_t buttons)
{
    struct scene_source *scene_source = (struct scene_source *)source;
    struct scene_change change = {0};
    if (!touch(scene_source))
        return;
    struct stage *stage = scene_source->stage;
    scene_pointer(&stage->scene, x, y, buttons, os_now_ns() / NS_PER_US, &change);
    tell(stage, &change, 1 << STAMP_TIME);
}

const struct source_kind source_scene = {
    .name = "scene",
    .summary = "paints --scene, with stamps",
    .begin = scene_source_begin,
    .end = scene_source_end,
    .open = scene_source_open,
    .close = scene_source_close,
    .refresh = scene_source_refresh,
    .freeze = scene_source_freeze,
    .digest = scene_source_digest,
    .resize = scene_source_resize,
    .key = scene_source_key,
    .pointer = scene_source_pointer,
};
